"""Training rows from documentation: questions about pages, with the passages that search finds for them.

    almanac search --batch questions.jsonl --out retrieved.jsonl
    python -m grammars.tuning.documents --questions questions.jsonl --retrieved retrieved.jsonl --out OUT

A question's row is `{"id", "question", "evidence": [verbatim texts], "answer", "kind"}`; without evidence it
is not answered by the pages. The rows written have the form of the `qa` data: the passages as they were
retrieved, the evidence as offsets in them. Where none of the evidence was retrieved, the right thing is to
decline, and the row says so.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from grammars.tuning.examples import read_rows


def main() -> None:
    """Join what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("questions", "retrieved", "out"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    arguments = parser.parse_args()
    retrieved = {row["id"]: row["retrieved"] for row in read_rows(arguments.retrieved)}
    rows = [row_of(question, retrieved[question["id"]]) for question in read_rows(arguments.questions)]
    arguments.out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    print(f"{len(rows)} rows, {sum(row['answerable'] for row in rows)} of them answered")


def row_of(question: dict[str, Any], retrieved: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the row of a question and its passages, best first."""
    passages = [
        {"title": passage.get("title", ""), "heading": passage.get("heading", ""), "text": passage["text"]}
        for passage in retrieved
    ]
    evidence = [
        {"passage": number, "start": start, "end": end}
        for text in question["evidence"]
        for number, passage in enumerate(passages)
        for start, end in find(text, passage["text"])[:1]
    ]
    return {
        "id": question["id"],
        "question": question["question"],
        "passages": passages,
        "answerable": bool(evidence),
        "answer": question["answer"],
        "evidence": evidence,
        "kind": "document",
    }


def find(evidence: str, text: str) -> list[tuple[int, int]]:
    """Return where the evidence stands in the text, as offsets; runs of white space are alike."""
    pattern = r"\s+".join(map(re.escape, evidence.split()))
    return [match.span() for match in re.finditer(pattern, text)] if pattern else []


if __name__ == "__main__":
    main()
