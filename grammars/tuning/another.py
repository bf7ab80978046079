"""Choose how readily one more quote is given.

    python -m grammars.tuning.another --rows runs/rows/documents-dev.jsonl --weights runs/reader [--limit 110]

The model answers development questions about documentation with several values of `more_bias`. Printed are,
over the questions that it answers, how many quotes it gives, the share of the evidence that they hold
(recall) and the share of them that is evidence (precision), and F2, in which recall weighs twice as much
as precision (van Rijsbergen 1979): who misses a piece has a wrong picture, who gets one too many skips it.
The value with the best F2 goes to `calibration.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grammars.answer import write_answer
from grammars.embedded.layout import render
from grammars.embedded.loading import load
from grammars.engine.generator import Loaded
from grammars.engine.local import LocalEngine
from grammars.engine.protocol import PassageText

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grammars.answer.citations import Quote

BIASES = (0.0, 0.75, 1.5, 2.25, 3.0, 4.0)
BETA = 2.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one value of the bias came to."""

    bias: float
    quotes: float
    recall: float
    precision: float

    @property
    def f(self) -> float:
        """Return the F measure."""
        weighted = BETA**2 * self.precision + self.recall
        return (1 + BETA**2) * self.precision * self.recall / weighted if weighted else 0.0


def main() -> None:
    """Try each value, print it, keep the best."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", required=True, type=Path)
    parser.add_argument("--weights", required=True, type=Path)
    parser.add_argument("--limit", type=int, default=0, help="questions; 0 is all")
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in arguments.rows.read_text().splitlines() if line]
    rows = [row for row in rows if row["evidence"]]
    random.Random(3).shuffle(rows)  # noqa: S311 - sampling, not secrets
    found = []
    for bias in BIASES:
        found.append(asyncio.run(tried(bias, rows[: arguments.limit or None], arguments.weights)))
        one = found[-1]
        print(
            f"bias {bias:4}  quotes {one.quotes:.2f}  recall {one.recall:.3f}  "
            f"precision {one.precision:.3f}  F2 {one.f:.3f}",
            flush=True,
        )
    calibration = arguments.weights / "calibration.json"
    chosen = max(found, key=lambda outcome: outcome.f)
    kept = json.loads(calibration.read_text()) | {"more_bias": chosen.bias}
    calibration.write_text(json.dumps(kept, indent=1))


async def tried(bias: float, rows: Sequence[dict[str, Any]], weights: Path) -> Outcome:
    """Return what the answers to the rows come to with one bias."""

    def loaded() -> Loaded:
        model, tokenizer = load(weights)
        model.config.more_bias = bias
        return Loaded(model, tokenizer, render)

    counts, held, right = [], [], []
    async with LocalEngine("embedded", loaded, extractive=True) as engine:
        for row in rows:
            passages = [PassageText(p["title"], p.get("heading", ""), p["text"]) for p in row["passages"]]
            draft = await write_answer(engine, row["question"], passages)
            if draft.answerable:
                hits = [[meets(quote, piece) for quote in draft.quotes] for piece in row["evidence"]]
                counts.append(len(draft.quotes))
                held.append(sum(map(any, hits)) / len(hits))
                right += [any(column) for column in zip(*hits, strict=True)]
    return Outcome(bias, _mean(counts), _mean(held), _mean(right))


def meets(quote: Quote, piece: dict[str, int]) -> bool:
    """Whether a quote holds at least half of a piece of evidence, or lies within it."""
    if quote.passage != piece["passage"]:
        return False
    shared = min(quote.end, piece["end"]) - max(quote.start, piece["start"])
    needed = min(piece["end"] - piece["start"], quote.end - quote.start) / 2
    return shared >= needed


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


if __name__ == "__main__":
    main()
