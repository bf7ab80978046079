"""Quality of extraction: python bench/extraction.py --data ../shared/data/extraction/cases.jsonl [--limit N].

Each case is `{"schema", "text", "expected"}`. Printed beside one another: the model as it ships; regular
expressions and keywords alone (a value of the right type near the field's own words); and, with --free, the
model without its grammar: asked each leaf in turn under the grammar of answers, any words taken as they are.

- valid: records that jsonschema admits, formats included;
- invented: string leaves that are neither null, an option, a span of the text, nor a date with evidence;
- accuracy: leaves that are exactly as expected, after normalisation (case, white space, numbers by value);
  lists are compared as wholes;
- null precision and recall: over leaves that may be null;
- by field type, with 95% bootstrap intervals over cases; milliseconds a record (p50).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from asking import ask
from metrics import percentile

from grammars.engine import open_engine
from grammars.extraction.asked import Asked
from grammars.extraction.candidates import candidates, group
from grammars.extraction.complete import complete
from grammars.extraction.extract import extract
from grammars.extraction.fields import read_fields
from grammars.extraction.layout import Layout, stems
from grammars.extraction.record import ExtractionError, Record, pointer
from grammars.extraction.validate import Validator
from knowledge.embed import open_embedder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from grammars.extraction.fields import Field

REFERENCE = date(2026, 5, 1)
_ROUNDS = 1000


@dataclass
class Outcome:
    """What came of one case: per leaf its kind, what was expected and what was found."""

    valid: bool
    ms: float
    leaves: list[tuple[str, bool, Any, Any]] = field(default_factory=list)
    invented: int = 0


async def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--free", action="store_true", help="also the model without its grammar")
    arguments = parser.parse_args()
    cases = [json.loads(line) for line in arguments.data.read_text().splitlines() if line][: arguments.limit]
    async with open_embedder("embedded") as embedder, open_engine(arguments.model) as engine:
        await embedder.embed(["warm"])

        async def shipped(case: dict[str, Any]) -> Record:
            return await extract(engine, embedder.embed, case["schema"], case["text"], reference=REFERENCE)

        async def free(case: dict[str, Any]) -> Record:
            return await _free(engine, case)

        _print(arguments.model, [await _outcome(case, shipped) for case in cases])
        if arguments.free:
            _print("without its grammar", [await _outcome(case, free) for case in cases])
    _print("patterns and keywords", [await _outcome(case, _baseline) for case in cases])


async def _outcome(case: dict[str, Any], run: Callable[[dict[str, Any]], Awaitable[Record]]) -> Outcome:
    began = time.perf_counter()
    try:
        made = await run(case)
    except ExtractionError:
        made = Record({})
    outcome = Outcome(Validator(case["schema"]).admits(made.record), 1000 * (time.perf_counter() - began))
    for leaf in read_fields(case["schema"]).leaves():
        outcome.leaves.append(
            (_kind(leaf), leaf.nullable, _get(case["expected"], leaf.path), _get(made.record, leaf.path))
        )
    outcome.invented = sum(_invented(made, case["text"], read_fields(case["schema"])))
    return outcome


def _kind(leaf: Field) -> str:
    return (
        leaf.kind
        if leaf.kind in ("array", "other")
        else group(leaf).replace("shaped", "string").replace("free", "string")
    )


def _get(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value


def _invented(made: Record, text: str, root: Field) -> Iterator[bool]:
    """Yield for each string leaf outside lists whether it is none of what a string may be."""
    squeezed = " ".join(text.split())
    for leaf in root.leaves():
        value = _get(made.record, leaf.path)
        at = pointer(leaf.path)
        if leaf.kind == "string" and isinstance(value, str) and at not in made.missing:
            yield " ".join(value.split()) not in squeezed and at not in made.evidence


def _same(one: Any, other: Any) -> bool:
    return bool(_normal(one) == _normal(other))


def _normal(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _normal(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_normal(item) for item in value]
    if isinstance(value, str):
        return " ".join(value.casefold().split()).strip(" .,;")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _print(name: str, outcomes: list[Outcome]) -> None:
    rows: dict[str, list[list[bool]]] = defaultdict(list)
    for outcome in outcomes:
        by_kind: dict[str, list[bool]] = defaultdict(list)
        for kind, _, expected, found in outcome.leaves:
            by_kind[kind].append(_same(expected, found))
            by_kind["all"].append(_same(expected, found))
        for kind, right in by_kind.items():
            rows[kind].append(right)
    print(f"\n{name}: {len(outcomes)} records")
    print(
        f"  valid {np.mean([o.valid for o in outcomes]):.3f}"
        f"   invented {sum(outcome.invented for outcome in outcomes)}"
        f"   p50 {percentile([outcome.ms for outcome in outcomes], 50):.0f} ms"
    )
    for kind in sorted(rows, key=lambda kind: (kind != "all", kind)):
        print(f"  {kind:8} accuracy {_interval(rows[kind])}   leaves {sum(map(len, rows[kind]))}")
    print(f"  null     precision {_interval(_nulls(outcomes, found=True))}")
    print(f"  null     recall    {_interval(_nulls(outcomes, found=False))}")


def _nulls(outcomes: list[Outcome], *, found: bool) -> list[list[bool]]:
    """Return whether null is right where it was found, or found where it is right, case by case."""
    return [
        [
            expected is None and got is None
            for _, nullable, expected, got in outcome.leaves
            if nullable and (got if found else expected) is None
        ]
        for outcome in outcomes
    ]


def _interval(cases: list[list[bool]]) -> str:
    """Return the mean over all leaves with its 95% bootstrap interval over cases."""
    sums = np.array([[sum(case), len(case)] for case in cases if case], float)
    if not len(sums):
        return "-"
    draws = np.random.default_rng(0).integers(0, len(sums), (_ROUNDS, len(sums)))
    totals = sums[draws].sum(1)
    low, high = np.percentile(totals[:, 0] / totals[:, 1], [2.5, 97.5])
    mean = sums[:, 0].sum() / sums[:, 1].sum()
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"


async def _baseline(case: dict[str, Any]) -> Record:
    """Take for each leaf the value of its type whose line shares most words with the field's own."""
    text, layout = case["text"], Layout.of(case["text"])
    value: dict[str, Any] = {}
    for leaf in read_fields(case["schema"]).leaves():
        _put(value, leaf.path, _keyword(leaf, layout, text, str(case["schema"].get("title", ""))))
    return complete(Record(value), case["schema"], Validator(case["schema"]))


def _keyword(leaf: Field, layout: Layout, text: str, title: str) -> Any:
    asked = Asked.of(title, leaf)
    if leaf.kind == "array":
        return []
    if leaf.kind == "choice":
        named = (
            o
            for o in leaf.options
            if re.search(rf"(?<!\w){re.escape(str(o).replace('_', ' '))}(?!\w)", text, re.IGNORECASE)
        )
        return next(named, None if leaf.nullable else leaf.options[0])
    lines = sorted(layout.lines, key=lambda line: -_overlap(asked, text[slice(*line.span)]))
    best = lines[0]
    if not _overlap(asked, text[slice(*best.span)]):
        return None
    line = text[slice(*best.span)]
    if leaf.kind == "boolean":
        return not re.search(r"\b(?:no|not|never|none|without)\b|n't\b", line, re.IGNORECASE)
    if group(leaf) == "free":
        return text[best.value : best.span[1]].strip() if best.label else None
    near = [one for one in candidates(leaf, layout, REFERENCE) if best.span[0] <= one.start < best.span[1]]
    near = [one for one in near if group(leaf) != "shaped" or one.unit]
    return near[0].value if near else None


def _overlap(asked: Asked, line: str) -> float:
    return 2.0 * len(asked.name & stems(line)) + len(asked.told & stems(line))


def _put(value: dict[str, Any], path: tuple[str, ...], found: Any) -> None:
    for name in path[:-1]:
        value = value.setdefault(name, {})
    value[path[-1]] = found


async def _free(engine: Any, case: dict[str, Any]) -> Record:
    """Ask each leaf for any words, and take them as JSON if they are, else as they stand."""
    value: dict[str, Any] = {}
    title = str(case["schema"].get("title", ""))
    for leaf in read_fields(case["schema"]).leaves():
        reply = await ask(engine, Asked.of(title, leaf).question, case["text"])
        words = case["text"][slice(*reply.span)] if reply.span else None
        _put(value, leaf.path, _loose(words))
    return Record(value)


def _loose(words: str | None) -> Any:
    try:
        return json.loads(words) if words is not None else None
    except ValueError:
        return words


if __name__ == "__main__":
    asyncio.run(main())
