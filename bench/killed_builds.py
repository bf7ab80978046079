"""Whether a build of the index that is killed again and again ends as one that is left alone.

    python bench/killed_builds.py [--folder docs] [--kills 20] [--embedder embedded]

A folder is indexed with one embedder; processes then rebuild the index with another, and are killed with
SIGKILL at random moments, while questions go on being answered. Where one comes to its end before enough
kills, the next ones rebuild everything in full. At the end the index is compared with one that was built
undisturbed: documents, passages, offsets, text, and vectors by cosine.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
from psycopg.conninfo import make_conninfo
from words import WordEmbedder

from knowledge.database import migrate, open_pool
from knowledge.embed import open_embedder
from knowledge.generations import GenerationError
from knowledge.index import reindex
from knowledge.search import search
from knowledge.server import embedded_server
from knowledge.sources import add_source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from knowledge.database import Pool
    from knowledge.embed import Embedder

OLD = WordEmbedder("the old embedder", 64)
STAND_IN = "words"
CLOSE = 0.9999  # cosine
SHORTEST, LONGEST = 0.5, 8.0  # seconds that a build may live
Passages = dict[tuple[str, int, int], tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the torment came to; `cosine` is the least of any passage's two vectors."""

    kills: int
    searches: int
    unanswered: int
    passages: int
    same: bool
    cosine: float

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, and the old index answered throughout."""
        return self.same and self.cosine >= CLOSE and not self.unanswered and self.searches > 0


async def main(given: argparse.Namespace) -> int:
    """Run and report; return the exit status."""
    if given.child:
        await build(given.child, given.embedder, full=given.full)
        return 0
    random.seed(given.seed)
    with tempfile.TemporaryDirectory() as home:
        async with embedded_server(Path(home)) as conninfo:
            outcome = await torment(conninfo, given.folder, given.kills, given.embedder)
    for name in ("kills", "searches", "unanswered", "passages", "same", "cosine"):
        print(f"{name:12} {getattr(outcome, name)}")
    return 0 if outcome.holds else 1


async def torment(conninfo: str, folder: Path, kills: int, embedder: str) -> Outcome:
    """Build once undisturbed and once under kills, in two databases of a server, and compare."""
    undisturbed = await database(conninfo, "undisturbed")
    await prepare(undisturbed, folder)
    await build(undisturbed, embedder)
    killed = await database(conninfo, "killed")
    await prepare(killed, folder)
    async with open_pool(killed, size=4) as pool:
        over = asyncio.Event()
        async with opened(embedder) as new:
            asking = asyncio.create_task(ask(pool, new, over))
            died = await build_under_kills(killed, kills, embedder)
            over.set()
            searches, unanswered = await asking
            await reindex(pool, new, full=True)
    return compare(died, searches, unanswered, await contents(undisturbed), await contents(killed))


async def database(conninfo: str, name: str) -> str:
    """Create a database with our schema and return its connection string."""
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        await connection.execute(f"create database {name}")  # type: ignore[arg-type]  # one of our own two names
    there = make_conninfo(conninfo, dbname=name)
    await migrate(there)
    return there


async def prepare(conninfo: str, folder: Path) -> None:
    """Index the folder with the old embedder."""
    async with open_pool(conninfo, size=4) as pool:
        await add_source(pool, str(folder), name="folder")
        await reindex(pool, OLD)


async def build(conninfo: str, embedder: str, *, full: bool = False) -> None:
    """Rebuild the index with the new embedder."""
    async with open_pool(conninfo, size=6) as pool, opened(embedder) as new:
        await reindex(pool, new, full=full)


@asynccontextmanager
async def opened(embedder: str) -> AsyncIterator[Embedder]:
    """Open the new embedder; the stand-in is slow enough to be killed at work."""
    if embedder == STAND_IN:
        yield WordEmbedder("the new embedder", 96, delay=0.005)
    else:
        async with open_embedder(embedder) as real:
            yield real


async def build_under_kills(conninfo: str, kills: int, embedder: str) -> int:
    """Start the build anew after each kill; return how many kills met it at work."""
    command = [sys.executable, __file__, "--child", conninfo, "--embedder", embedder]
    died = 0
    while died < kills:
        child = await asyncio.create_subprocess_exec(*command)
        try:
            code = await asyncio.wait_for(child.wait(), random.uniform(SHORTEST, LONGEST))
        except TimeoutError:
            child.kill()
            await child.wait()
            died += 1
        else:
            assert code == 0, "a build failed by itself"
            command = [*command, "--full"]
    return died


async def ask(pool: Pool, new: Embedder, over: asyncio.Event) -> tuple[int, int]:
    """Search until told to stop; return how often, and how often nothing came."""
    searches = unanswered = 0
    embedder: Embedder = OLD
    while not over.is_set():
        try:
            found = await search(pool, embedder, "how is it configured")
        except GenerationError:
            assert embedder is OLD, "the new index was current, and is not any more"
            embedder = new
            continue
        searches += 1
        unanswered += not found
        await asyncio.sleep(0.02)
    return searches, unanswered


async def contents(conninfo: str) -> Passages:
    """Return every passage by document and offsets; there is one generation left, and no run at work."""
    async with open_pool(conninfo, size=2) as pool, pool.connection() as connection:
        generations = await (await connection.execute("select count(*) from generations")).fetchone()
        assert generations == (1,), "an abandoned generation was left behind"
        rows = await connection.execute(
            "select d.uri, p.start_char, p.end_char, p.text, p.embedding"
            " from passages p join documents d on d.id = p.document_id"
        )
        return {(uri, start, end): (text, vector) for uri, start, end, text, vector in await rows.fetchall()}


def compare(died: int, searches: int, unanswered: int, one: Passages, other: Passages) -> Outcome:
    same = {key: text for key, (text, _) in one.items()} == {key: text for key, (text, _) in other.items()}
    cosine = min((_cosine(one[key][1], other[key][1]) for key in one.keys() & other.keys()), default=0.0)
    return Outcome(died, searches, unanswered, len(one), same, round(cosine, 6))


def _cosine(one: Any, other: Any) -> float:
    a, b = (np.asarray(vector.to_numpy(), np.float64) for vector in (one, other))
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent.parent / "docs")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--embedder", default=STAND_IN, help="the new one: `embedded`, or a slow stand-in")
    parser.add_argument("--seed", type=int, default=None, help="to repeat the random moments")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--full", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(_arguments())))
