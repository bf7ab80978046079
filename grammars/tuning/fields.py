"""Training rows from extraction cases: what each leaf of a schema asks of a text.

    python -m grammars.tuning.fields --cases cases.jsonl --out rows.jsonl

A case is `{"schema", "text", "expected", "evidence": {"/json/pointer": "verbatim piece of the text"}}`. Each
leaf becomes a question about the text, answered by its evidence, or not answered where the text does not
state it. Of arrays only those with one item are asked for: which item is meant cannot be said in a question.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grammars.extraction.question import leaf_question
from grammars.tuning.examples import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    Leaf = tuple[tuple[str, ...], str, str, Any]  # names, pointer, description, expected value


def main() -> None:
    """Write the rows of the cases that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args()
    rows = [row for case in read_rows(arguments.cases) for row in rows_of(case)]
    arguments.out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    print(f"{len(rows)} rows, {sum(row['answerable'] for row in rows)} of them stated")


def rows_of(case: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row for each leaf whose value is stated by a piece of the text, or not stated at all."""
    for names, pointer, description, value in _leaves(case["schema"], case["expected"]):
        piece = case["evidence"].get(pointer)
        start = case["text"].find(piece) if piece else -1
        if (value is not None) == (start >= 0):
            evidence = [{"passage": 0, "start": start, "end": start + len(piece)}] if piece else []
            yield {
                "question": leaf_question(case["schema"].get("title", ""), names, description),
                "passages": [{"title": "", "text": case["text"]}],
                "answerable": bool(evidence),
                "answer": piece or "",
                "evidence": evidence,
                "kind": "field",
            }


def _leaves(
    schema: dict[str, Any], value: Any, names: tuple[str, ...] = (), pointer: str = ""
) -> Iterator[Leaf]:
    if schema.get("properties"):
        for name, part in schema["properties"].items():
            inner = value.get(name) if isinstance(value, dict) else None
            yield from _leaves(part, inner, (*names, name), f"{pointer}/{name}")
    elif "items" in schema:
        if isinstance(value, list) and len(value) == 1:
            yield from _leaves(schema["items"], value[0], names, f"{pointer}/0")
    else:
        yield names, pointer, schema.get("description", ""), value


if __name__ == "__main__":
    main()
