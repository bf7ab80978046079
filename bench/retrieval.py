"""How well the right passages are found: by each leg, by both, by what could be added, and by two frameworks.

    python bench/retrieval.py --data ../shared/data [--sets runbooks handbook trams library qa conversations]
                              [--questions N] [--reranker PATH] [--frameworks runs/frameworks] [--json FILE]

Evidence is what a question's author marked in the documents. Of the ranking's passages, whose offsets count
in the same stored documents:

- hit@1: the best passage is of a document that holds evidence;
- recall@5: of the evidence texts, those that the five best passages hold whole, together;
- characters@5: of the evidence's characters, those that the five best passages cover: the token-wise recall
  of Smith and Troynikov, Evaluating Chunking Strategies for Retrieval (Chroma, 2024), in characters;
- MRR@10: of the first passage that holds at least half of an evidence text;
- nDCG@10: a passage's gain is the share of the evidence that it covers and those before it do not;
- tokens@5: what five passages cost to read, at four characters a token.

Intervals: 95%, bootstrap over questions. The frameworks (`frameworks.py` says how they are installed) index
the same passages, each with its title and headings, as ours are. `trams` and `library` are made-up
documentation of the project's own, `own` all such sets as one; `qa` and `conversations` come from
qa/dev. Choices are made on these, not on the runbooks and the handbook.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from frameworks import INSTALLED, compare, installed
from retrieval_judge import Measures, Piece, ahead_of, judge, table
from retrieval_options import decayed, reranked, smoothed, spread
from retrieval_sets import Question, prepare

from knowledge.database import migrate, open_pool
from knowledge.embed import open_embedder
from knowledge.index import reindex
from knowledge.questions import search_query
from knowledge.search import search
from knowledge.server import embedded_server
from knowledge.sources import add_source
from knowledge.structure import PATH_SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from frameworks import Framework
    from retrieval_options import Option

    from knowledge.answers import Retrieved
    from knowledge.database import Pool
    from knowledge.embed import Embedder

SETS = ("runbooks", "handbook", "trams", "library", "qa", "conversations", "own")
USUAL = SETS[:-1]
STAGES = ("dense", "lexical", "fused")
FOUND = 100  # passages; both legs' best
AS_IT_IS = "fused, the best read once more: as it is"
WITH_HISTORY = "as it is, with what was said before"

Ways = dict[str, list[Measures]]


async def main() -> None:
    options = _options()
    rows = {}
    async with open_embedder("embedded") as embedder:
        for name in options.sets:
            ours, others = await measure(name, embedder, options)
            rows[name] = {**ours, **others}
            print(table(name, len(ours[AS_IT_IS]), rows[name]), flush=True)
            if others:
                print(f"\n{ahead_of(ours[AS_IT_IS], others, 'recall@5')}")
            print(flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows))


async def measure(name: str, embedder: Embedder, options: argparse.Namespace) -> tuple[Ways, Ways]:
    """Return the measures of each question of a set: by our ways of ranking, and by the frameworks'."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch) / "documents"
        questions = prepare(options.data, name, folder)[: options.questions]
        async with embedded_server(Path(scratch) / "home") as conninfo:
            await migrate(conninfo)
            async with open_pool(conninfo, size=4) as pool:
                await add_source(pool, str(folder))
                await reindex(pool, embedder)
                index = await Index.read(pool)
                ours = await rank(pool, embedder, index, questions, options.reranker)
            others = {}
            if options.frameworks:
                asked = [question.text for question in questions]
                found = await compare(options.frameworks, conninfo, index.texts, asked)
                others = {k: v for framework in found for k, v in index.judged(framework, questions).items()}
    return ours, others


@dataclass(frozen=True)
class Index:
    """Every passage: by its number in the index, and by its place in the frameworks' lists."""

    pieces: dict[int, Piece]
    documents: dict[str, list[Piece]]
    texts: list[str]

    @classmethod
    async def read(cls, pool: Pool) -> Index:
        """Read the index."""
        async with pool.connection() as connection:
            rows = await (await connection.execute(_PASSAGES)).fetchall()
        pieces = {number: Piece(*place) for number, *place, _, _, _ in rows}
        documents: dict[str, list[Piece]] = defaultdict(list)
        for piece in pieces.values():
            documents[piece.path].append(piece)
        contexts = [PATH_SEPARATOR.join(filter(None, (title, heading))) for *_, title, heading, _ in rows]
        texts = [f"{above}\n{row[-1]}" for above, row in zip(contexts, rows, strict=True)]
        return cls(pieces, documents, texts)

    def judge(self, question: Question, ranked: Sequence[Sequence[Piece]]) -> Measures:
        """Return the measures of a ranking."""
        paths = dict.fromkeys(span.path for span in question.evidence)
        return judge(question, ranked, [piece for path in paths for piece in self.documents[path]])

    def judged(self, framework: Framework, questions: Sequence[Question]) -> Ways:
        """Return the measures of a framework's rankings."""
        pieces = list(self.pieces.values())
        return {
            f"{framework.name}, {way}": [
                self.judge(question, [[pieces[place]] for place in places])
                for question, places in zip(questions, rankings, strict=True)
            ]
            for way, rankings in framework.rankings.items()
        }

    def around(self, passage: Retrieved) -> list[Piece]:
        """Return the passage with those before and after it."""
        piece = self.pieces[passage.passage_id]
        return [p for p in self.documents[piece.path] if abs(p.ordinal - piece.ordinal) <= 1]


async def rank(
    pool: Pool, embedder: Embedder, index: Index, questions: Sequence[Question], reranker: str | None
) -> Ways:
    """Return the measures of each way of ranking."""
    places = {number: (piece.path, piece.ordinal) for number, piece in index.pieces.items()}
    further: dict[str, Option] = {
        "fused, two passages a document first": spread,
        "fused, with a tenth of a neighbour's score": smoothed(0.1, places),
        "fused, decayed by drawn ages": decayed,
        **({"fused, reranked": reranked(reranker)} if reranker else {}),
    }
    measures = defaultdict(list)

    def note(
        way: str, question: Question, ranked: Sequence[Retrieved], of: Callable[[Retrieved], list[Piece]]
    ) -> None:
        measures[way].append(index.judge(question, [of(passage) for passage in ranked[:10]]))

    def alone(passage: Retrieved) -> list[Piece]:
        return [index.pieces[passage.passage_id]]

    for question in questions:
        found = await search(pool, embedder, question.text, k=FOUND)
        by = {stage: sorted(found, key=lambda p: -p.scores[stage]) for stage in STAGES}
        for stage, ranked in by.items():
            note(stage, question, ranked, alone)
        note(AS_IT_IS, question, found, alone)
        for way, option in further.items():
            note(way, question, await option(question.text, by["fused"]), alone)
        note("fused, neighbours joined", question, by["fused"], index.around)
        if question.history:
            asked = search_query(question.text, question.history)
            note(WITH_HISTORY, question, await search(pool, embedder, asked, k=FOUND), alone)
    return dict(measures)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=USUAL)
    parser.add_argument("--questions", type=int, help="of each set; all by default")
    parser.add_argument("--reranker", help="a cross-encoder: a folder or a hub name")
    parser.add_argument("--frameworks", type=Path, default=INSTALLED, help="where they are installed")
    parser.add_argument("--json", type=Path, help="writes each question's measures there")
    options = parser.parse_args()
    if not installed(options.frameworks):
        options.frameworks = None
    return options


_PASSAGES = """
select p.id, d.path, p.ordinal, p.start_char, p.end_char, d.title, p.heading, p.text
  from passages p join documents d on d.id = p.document_id
 order by p.id"""


if __name__ == "__main__":
    asyncio.run(main())
