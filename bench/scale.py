"""Search over many passages: load, size, and latency at a recall against exact, with and without a filter.

    python bench/scale.py [--passages 200000] [--real 2000] [--questions 200] [--data ../shared/data]

Passages are drawn from real ones: the text is a passage's sentences drawn anew, the vector lies between those
of two passages, with noise. (Copies of single passages with little noise make tight clusters, between which
HNSW loses its way, as in no real collection.) A question is a real one, its vector with the same noise. A
hundredth of the passages lies in a source that one group may read. Recall is of the dense leg's ten nearest,
against a sequential scan; latency is that of the whole `search`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from metrics import percentile
from pgvector import HalfVector

from knowledge import search as searching
from knowledge.audience import Audience
from knowledge.common_terms import count_common_terms
from knowledge.database import migrate, open_pool
from knowledge.embed import open_embedder
from knowledge.generations import current_generation, generation_for
from knowledge.lexical import terms
from knowledge.search import fused, search
from knowledge.server import embedded_server

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from knowledge.database import Pool
    from knowledge.generations import Generation

    Vectors = NDArray[np.float32]

NOISE = 0.3  # of a vector's length
SHARE = 0.01  # of the passages that one group may read
GROUP, READERS = "S0RESTRICTED", Audience.of([{"S0RESTRICTED"}])
EVERYBODY = Audience.of([{"everyone"}])
AUDIENCES = {"everything": None, "all but 1%": EVERYBODY, "1%": READERS}
BATCH = 5_000
SHORTEST = 80  # characters; less is a heading
NEAREST = 10
FOUND = 300  # more than both legs bring together


@dataclass
class Real:
    """What is drawn from: passages' texts and vectors, and questions."""

    texts: list[str]
    vectors: Vectors
    questions: list[str]


class Drawn:
    """An embedder that knows its questions: what is measured is the database."""

    def __init__(self, name: str, vectors: dict[str, Vectors]) -> None:
        self.name, self.vectors = name, vectors
        self.dimensions = len(next(iter(vectors.values())))

    async def embed(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self.vectors[text] for text in texts])


async def main(options: argparse.Namespace) -> None:
    searching.EF_SEARCH = options.ef_search
    real = await read(options.data, options.real, options.questions)
    embedder = questions(real)
    with tempfile.TemporaryDirectory() as scratch:
        async with embedded_server(options.home or Path(scratch)) as conninfo:
            await migrate(conninfo)
            async with open_pool(conninfo, size=4) as pool:
                print(f"{options.passages:,} passages of {len(real.texts):,} real ones\n\n| | |\n|---|---|")
                generation = await loaded(pool, options.passages)
                generation = generation or await load(
                    pool, embedder, real, options.passages, options.build_memory
                )
                print(await sizes(pool, generation), flush=True)
                print("\n| audience | recall@10 | p50 ms | p95 ms | found |\n|---|---|---|---|---|")
                for name, audience in AUDIENCES.items():
                    row = await measured(pool, embedder, generation, audience)
                    print(f"| {name} | {row} |", flush=True)


async def read(data: Path, passages: int, count: int) -> Real:
    """Embed the sentences' runs of the folders' pages, and the questions."""
    pages = [*(data / "handbook").rglob("*.md"), *(data / "runbooks").rglob("*.md")]
    runs = [run for page in sorted(pages) for run in page.read_text().split("\n\n") if len(run) > SHORTEST]
    texts = [run[:1200] for run in random.Random(0).sample(runs, min(len(runs), passages))]
    rows = [json.loads(line) for path in sorted((data / "questions").glob("*.jsonl")) for line in path.open()]
    asked = list(dict.fromkeys(row["question"] for row in rows))[:count]
    async with open_embedder("embedded") as embedder:
        vectors = await embedder.embed([*texts, *asked])
    return Real(texts, vectors, asked)


def noisy(vectors: Vectors, rng: np.random.Generator) -> Vectors:
    """Return unit vectors near these."""
    noise = rng.normal(size=vectors.shape) * NOISE / np.sqrt(vectors.shape[1])
    moved = vectors + noise
    unit: Vectors = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
    return unit


def questions(real: Real) -> Drawn:
    vectors = noisy(real.vectors[len(real.texts) :], np.random.default_rng(1))
    return Drawn("drawn", dict(zip(real.questions, vectors, strict=True)))


async def loaded(pool: Pool, count: int) -> Generation | None:
    """Return the generation that an earlier run left in its home, where it has so many passages."""
    async with pool.connection() as connection:
        found = await connection.execute("select passage_count from generations where is_current")
        row = await found.fetchone()
        return await current_generation(connection) if row and row[0] == count else None


async def load(pool: Pool, embedder: Drawn, real: Real, count: int, memory: str) -> Generation:
    """Fill a generation with drawn passages; the index on the vectors is built once they are there."""
    generation, _ = await generation_for(pool, embedder)
    async with pool.connection() as connection:
        await connection.execute(f"drop index passages_embedding_{generation.id}")
        await connection.execute(
            "insert into sources (name, uri, audience) values ('open', 'https://open', null),"
            " ('restricted', 'https://restricted', %s)",
            [[GROUP]],
        )
        await connection.execute(
            "insert into documents (source_id, uri, path, title, content, size, mtime_ns)"
            " select id, uri, name, name, '', 0, 0 from sources"
        )
    began = time.perf_counter()
    for start in range(0, count, BATCH):
        await fill(pool, generation, real, range(start, min(count, start + BATCH)))
    print(f"| loading | {time.perf_counter() - began:.1f} s |", flush=True)
    await build(pool, generation, memory)
    await count_common_terms(pool)
    return generation


async def fill(pool: Pool, generation: Generation, real: Real, numbers: range) -> None:
    """Copy one batch of passages with their postings."""
    rng, draw = np.random.default_rng(numbers.start), random.Random(numbers.start)
    rows = rng.integers(0, len(real.texts), len(numbers))
    others = rng.integers(0, len(real.texts), len(numbers))
    weights = rng.uniform(0.5, 1.0, (len(numbers), 1)).astype(np.float32)
    vectors = noisy(weights * real.vectors[rows] + (1 - weights) * real.vectors[others], rng)
    async with pool.connection() as connection, connection.cursor() as cursor:
        ids = [number + 1 for number in numbers]
        texts = ["\n".join(drawn(real.texts[row], real.texts, draw)) for row in rows]
        sources = [2 if draw.random() < SHARE else 1 for _ in ids]
        counted = [Counter(terms(text)) for text in texts]
        copy = (
            "copy passages (id, generation_id, document_id, source_id, ordinal, start_char, end_char,"
            " heading, text, embedded_hash, term_count, embedding) from stdin"
        )
        async with cursor.copy(copy) as passages:
            for number, source, text, vector, count in zip(
                ids, sources, texts, vectors, counted, strict=True
            ):
                where = [generation.id, source, source, number, 0, len(text), "", text]
                digest = number.to_bytes(8, "big")
                await passages.write_row([number, *where, digest, count.total(), HalfVector(vector)])
        copy = (
            "copy postings (generation_id, term, passage_id, source_id, frequency, passage_terms) from stdin"
        )
        async with cursor.copy(copy) as postings:
            for number, source, count in zip(ids, sources, counted, strict=True):
                for term, frequency in count.items():
                    row = [generation.id, term, number, source, frequency, count.total()]
                    await postings.write_row(row)


def drawn(text: str, texts: Sequence[str], draw: random.Random) -> list[str]:
    """Return a passage's sentences drawn anew, with one of another passage."""
    sentences = text.split(". ")
    return [*draw.choices(sentences, k=len(sentences)), draw.choice(texts).split(". ")[0]]


async def build(pool: Pool, generation: Generation, memory: str) -> None:
    began = time.perf_counter()
    async with pool.connection() as connection:
        await connection.execute(f"set local maintenance_work_mem = '{memory}'")
        await connection.execute(
            f"create index passages_embedding_{generation.id} on passages using hnsw"
            f" ((embedding::halfvec({generation.dimensions})) halfvec_cosine_ops)"
            f" where generation_id = {generation.id}"
        )
    async with pool.connection() as connection:
        await connection.set_autocommit(True)
        await connection.execute("vacuum analyze passages, postings, sources")
        await connection.set_autocommit(False)
    print(f"| building the index, with vacuum | {time.perf_counter() - began:.1f} s |")


async def sizes(pool: Pool, generation: Generation) -> str:
    names = {"passages": "passages", "postings": "postings", "HNSW": f"passages_embedding_{generation.id}"}
    async with pool.connection() as connection:
        rows = []
        for shown, name in names.items():
            function = "pg_relation_size" if shown == "HNSW" else "pg_total_relation_size"
            found = await (await connection.execute(f"select {function}('{name}'::regclass)")).fetchone()
            rows.append(f"| {shown} | {found[0] / 1e6:,.0f} MB |")  # type: ignore[index]  # there is one
    return "\n".join(rows)


async def measured(pool: Pool, embedder: Drawn, generation: Generation, audience: Audience | None) -> str:
    """Return a row of the table: each question searched once before it counts."""
    recalls, times, found = [], [], []
    for question, vector in embedder.vectors.items():
        exact = await nearest(pool, generation, vector, audience)
        await search(pool, embedder, question, k=5, audience=audience)
        began = time.perf_counter()
        await search(pool, embedder, question, k=5, audience=audience)
        times.append((time.perf_counter() - began) * 1000)
        passages = await fused(pool, embedder, question, k=FOUND, candidates=50, audience=audience)
        found.append(len(passages))
        recalls.append(len(exact & {passage.passage_id for passage in passages}) / max(1, len(exact)))
    latencies = f"{percentile(times, 0.5):.1f} | {percentile(times, 0.95):.1f}"
    return f"{np.mean(recalls):.3f} | {latencies} | {np.mean(found):.0f}"


async def nearest(pool: Pool, generation: Generation, vector: Vectors, audience: Audience | None) -> set[int]:
    """Return the ten nearest passages that the audience may read, by a scan of all."""
    sources = {None: [1, 2], EVERYBODY: [1], READERS: [2]}[audience]
    values: dict[str, Any] = {"vector": HalfVector(vector), "sources": sources, "k": NEAREST}
    async with pool.connection() as connection:
        await connection.execute("set local enable_indexscan = off")
        rows = await connection.execute(
            "select id from passages where source_id = any(%(sources)s)"
            f" order by (embedding::halfvec({generation.dimensions}) <=> %(vector)s::halfvec) + 0"
            " limit %(k)s",
            values,
        )
        return {number for (number,) in await rows.fetchall()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--passages", type=int, default=200_000)
    parser.add_argument("--real", type=int, default=2_000, help="passages to draw from")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--ef-search", type=int, default=searching.EF_SEARCH, help="candidates of HNSW")
    parser.add_argument("--build-memory", default="1GB", help="PostgreSQL's, while the index is built")
    parser.add_argument("--home", type=Path, help="keeps the database, for the next run too")
    asyncio.run(main(parser.parse_args()))
