"""How well the right passages are found: dense, lexical and fused, over documents with known questions.

    python bench/retrieval.py --data ../shared/data [--home FOLDER] [--json FILE]

A question is a hit where a passage of its document is retrieved. An evidence string is found where, white
space normalised, it lies in the text of one of the five best passages. Intervals: 95%, bootstrap over
questions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from knowledge.database import migrate, open_pool
from knowledge.embed import open_embedder
from knowledge.index import reindex
from knowledge.search import search
from knowledge.server import embedded_server
from knowledge.sources import add_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knowledge.answers import Retrieved
    from knowledge.database import Pool
    from knowledge.embed import Embedder

COLLECTIONS = ("runbooks", "handbook")
STAGES = ("dense", "lexical", "fused")
MEASURES = ("hit@1", "hit@5", "MRR", "nDCG@10", "evidence@5", "tokens@5")
RESAMPLES = 2000


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="holds questions/, runbooks/ and handbook/")
    parser.add_argument("--home", type=Path, help="keeps the indexes between runs")
    parser.add_argument("--json", type=Path, help="writes each question's measures there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = options.home or Path(scratch)
        async with open_embedder("embedded") as embedder:
            rows = {name: await measure(name, options.data, home / name, embedder) for name in COLLECTIONS}
    for name, measures in rows.items():
        print(table(name, measures))
    if options.json:
        options.json.write_text(json.dumps(rows))


async def measure(name: str, data: Path, home: Path, embedder: Embedder) -> dict[str, list[dict[str, float]]]:
    """Return each stage's measures of each answerable question over one collection."""
    async with embedded_server(home) as conninfo:
        await migrate(conninfo)
        async with open_pool(conninfo, size=4) as pool:
            await add_source(pool, str(data / name))
            await reindex(pool, embedder)
            lines = (data / "questions" / f"{name}.jsonl").read_text().splitlines()
            questions = [json.loads(line) for line in lines]
            answerable = [question for question in questions if question["answerable"]]
            return await _measure(pool, embedder, answerable)


async def _measure(
    pool: Pool, embedder: Embedder, questions: Sequence[dict[str, Any]]
) -> dict[str, list[dict[str, float]]]:
    measures = defaultdict(list)
    for question in questions:
        found = await search(pool, embedder, question["question"], k=100)
        for stage in STAGES:
            ranked = sorted(found, key=lambda passage: -passage.scores[stage])
            measures[stage].append(judge(question, ranked))
    return measures


def judge(question: dict[str, Any], ranked: Sequence[Retrieved]) -> dict[str, float]:
    """Return the measures of one ranking."""
    hits = [rank for rank, passage in enumerate(ranked, 1) if passage.uri.endswith(question["path"])]
    documents = list(dict.fromkeys(passage.uri for passage in ranked))
    place = next((i for i, uri in enumerate(documents, 1) if uri.endswith(question["path"])), None)
    best = [_normalised(passage.text) for passage in ranked[:5]]
    evidence = [any(_normalised(string) in text for text in best) for string in question["evidence"]]
    return {
        "hit@1": float(bool(hits) and hits[0] == 1),
        "hit@5": float(bool(hits) and hits[0] <= 5),  # noqa: PLR2004 the measure's own number
        "MRR": 1 / hits[0] if hits else 0.0,
        "nDCG@10": 1 / np.log2(place + 1) if place and place <= 10 else 0.0,  # noqa: PLR2004 as above
        "evidence@5": float(np.mean(evidence)),
        "tokens@5": sum(len(text) / 4 for text in best),
    }


def table(name: str, measures: dict[str, list[dict[str, float]]]) -> str:
    """Return a collection's figures as a Markdown table."""
    head = f"| {name} | " + " | ".join(MEASURES) + " |\n|---" + "|---" * len(MEASURES) + "|"
    rows = [
        f"| {stage} | " + " | ".join(_cell(rows, m) for m in MEASURES) + " |"
        for stage, rows in measures.items()
    ]
    return "\n".join([head, *rows, ""])


def _cell(rows: Sequence[dict[str, float]], measure: str) -> str:
    values = np.array([row[measure] for row in rows])
    if measure == "tokens@5":
        return f"{values.mean():.0f}"
    draws = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[draws].mean(1), [2.5, 97.5])
    return f"{values.mean():.3f} ({low:.2f}-{high:.2f})"


def _normalised(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    asyncio.run(main())
