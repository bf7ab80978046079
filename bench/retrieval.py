"""How well the right passages are found: dense, lexical, fused, and what could be done to the ranking.

    python bench/retrieval.py --data ../shared/data [--questions N] [--reranker PATH] [--home FOLDER]

The collections are the runbooks and the handbook with their questions, and the paragraphs of qa/dev, each a
document of its own. A question is a hit where a passage of its document is retrieved. Recall@5 is that of the
evidence: a string is found where, white space normalised, it lies in the text of one of the five best
passages. Intervals: 95%, bootstrap over questions.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from retrieval_options import collapsed, neighbours, reranked

from knowledge.database import migrate, open_pool
from knowledge.embed import open_embedder
from knowledge.index import reindex
from knowledge.search import search
from knowledge.server import embedded_server
from knowledge.sources import add_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retrieval_options import Option

    from knowledge.answers import Retrieved
    from knowledge.database import Pool
    from knowledge.embed import Embedder

COLLECTIONS = ("runbooks", "handbook", "qa")
STAGES = ("dense", "lexical", "fused")
MEASURES = ("hit@1", "hit@5", "MRR", "nDCG@10", "recall@5", "tokens@5")
RESAMPLES = 2000


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="holds questions/, runbooks/ and handbook/")
    parser.add_argument("--home", type=Path, help="keeps the indexes between runs")
    parser.add_argument("--questions", type=int, help="of each collection; all by default")
    parser.add_argument("--reranker", help="a cross-encoder: a folder or a hub name")
    parser.add_argument("--json", type=Path, help="writes each question's measures there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = options.home or Path(scratch)
        async with open_embedder("embedded") as embedder:
            rows = {name: await measure(name, home / name, embedder, options) for name in COLLECTIONS}
    for name, measures in rows.items():
        print(table(name, measures))
    if options.json:
        options.json.write_text(json.dumps(rows))


async def measure(
    name: str, home: Path, embedder: Embedder, options: argparse.Namespace
) -> dict[str, list[dict[str, float]]]:
    """Return each stage's measures of each answerable question over one collection."""
    folder, questions = (paragraphs if name == "qa" else collection)(options.data, name, home / "documents")
    async with embedded_server(home) as conninfo:
        await migrate(conninfo)
        async with open_pool(conninfo, size=4) as pool:
            await add_source(pool, str(folder))
            await reindex(pool, embedder)
            further = {"fused, collapsed": collapsed, "fused, neighbours": neighbours(pool)}
            if options.reranker:
                further["fused, reranked"] = reranked(options.reranker)
            return await _measure(pool, embedder, questions[: options.questions], further)


def collection(data: Path, name: str, _home: Path) -> tuple[Path, list[dict[str, Any]]]:
    """Return a folder of documents and its answerable questions."""
    lines = (data / "questions" / f"{name}.jsonl").read_text().splitlines()
    return data / name, [question for question in map(json.loads, lines) if question["answerable"]]


def paragraphs(data: Path, name: str, folder: Path) -> tuple[Path, list[dict[str, Any]]]:
    """Write each paragraph of the rows as a document; return the folder and the answerable questions."""
    rows = [json.loads(line) for line in (data / name / "dev.jsonl").read_text().splitlines()]
    folder.mkdir(parents=True, exist_ok=True)
    questions = []
    for row in rows:
        for passage in row["passages"]:
            path = f"{hashlib.sha256(passage['text'].encode()).hexdigest()[:16]}.txt"
            (folder / path).write_text(passage["text"])
            if row["answerable"] and any(string in passage["text"] for string in row["evidence"]):
                questions.append({**row, "path": path})
                break
    return folder, questions


async def _measure(
    pool: Pool, embedder: Embedder, questions: Sequence[dict[str, Any]], further: Mapping[str, Option]
) -> dict[str, list[dict[str, float]]]:
    measures = defaultdict(list)
    for question in questions:
        found = await search(pool, embedder, question["question"], k=100)
        for stage in STAGES:
            ranked = sorted(found, key=lambda passage: -passage.scores[stage])
            measures[stage].append(judge(question, ranked))
        for option, rank in further.items():
            measures[option].append(judge(question, await rank(question["question"], found)))
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
        "recall@5": float(np.mean(evidence)),
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
