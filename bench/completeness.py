"""Whether everything in a folder is indexed, or named with the reason why it is not.

    python bench/completeness.py [--folders docs …] [--hostile 300] [--embedder embedded]

Besides the folders, files that break what reads them are indexed: empty, of 50 MB, of a wrong kind, broken,
bombs, deeply nested, of odd encodings, with odd names, links in a circle. The counts must add up, each bad
file must be named, each good one be answered from, and the peak of memory stay under --limit.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import threading
from collections import Counter
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from hostile import generate, names
from words import WordEmbedder

from knowledge.database import migrate, open_pool
from knowledge.embed import open_embedder
from knowledge.index import reindex
from knowledge.server import embedded_server
from knowledge.sources import add_source
from knowledge.status import status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knowledge.database import Pool
    from knowledge.embed import Embedder
    from knowledge.reports import SourceReport

STAND_IN = "words"
HOSTILE = "hostile"
LIMIT = 1536  # MB
SAMPLE_SECONDS = 0.05


@dataclass(slots=True)
class Memory:
    """The most that this process and its converters held at once, in MB; the database is not of it."""

    peak: float = 0.0
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Look again and again, in a thread, until it is over."""
        own = psutil.Process()
        while not self.over.wait(SAMPLE_SECONDS):
            children = [p for p in own.children(recursive=True) if "postgres" not in _name(p)]
            self.peak = max(self.peak, sum(map(_resident, [own, *children])) / 2**20)


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return "postgres"


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it ended meanwhile
        return 0


@contextmanager
def watched_memory() -> Iterator[Memory]:
    """Measure memory as long as it is open."""
    memory = Memory()
    thread = threading.Thread(target=memory.watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        memory.over.set()
        thread.join()


async def main(given: argparse.Namespace) -> int:
    """Run and report; return the exit status."""
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as scratch, watched_memory() as memory:
        expected = await asyncio.to_thread(generate, Path(scratch) / HOSTILE, given.hostile)
        async with AsyncExitStack() as stack:
            opened = stack.enter_async_context
            conninfo = await opened(embedded_server(Path(scratch) / "home"))
            await migrate(conninfo)
            pool = await opened(open_pool(conninfo, size=6))
            embedder: Embedder = (
                WordEmbedder() if given.embedder == STAND_IN else await opened(open_embedder(given.embedder))
            )
            for folder in [*given.folders, Path(scratch) / HOSTILE]:
                await add_source(pool, str(folder), name=folder.name)
            for report in await reindex(pool, embedder):
                wrong += judge(report, expected if report.source == HOSTILE else None)
            wrong += await unanswered(pool, expected)
            await show(pool)
    print(f"peak of memory: {memory.peak:.0f} MB")
    wrong += [f"{memory.peak:.0f} MB are more than {given.limit}"] if memory.peak > given.limit else []
    print("\n".join(wrong) or "everything is accounted for")
    return 1 if wrong else 0


def judge(report: SourceReport, expected: dict[str, bool] | None) -> list[str]:
    """Return what does not add up, and what should have been named, or should not."""
    wrong = [f"{report.source}: {report.error}"] if report.error else []
    if report.seen != report.indexed + report.unchanged + report.failed:
        wrong.append(f"{report.source}: the counts do not add up")
    if expected is not None:
        named = {failure.path for failure in report.failures}
        wrong += [f"not named: {name!r}" for name in sorted(set(names(expected, readable=False)) - named)]
        wrong += [f"wrongly failed: {name!r}" for name in sorted(named & set(names(expected, readable=True)))]
        wrong += ["not every file was seen"] if report.seen != len(expected) else []
    return wrong


async def unanswered(pool: Pool, expected: dict[str, bool]) -> list[str]:
    """Return the good files without a passage; what has one is found by the search's own statement."""
    async with pool.connection() as connection:
        rows = await connection.execute(
            "select d.path from documents d join sources s on s.id = d.source_id"
            " where s.name = %s and exists (select from passages p where p.document_id = d.id)",
            [HOSTILE],
        )
        found = {path for (path,) in await rows.fetchall()}
    return [f"without a passage: {name!r}" for name in sorted(set(names(expected, readable=True)) - found)]


async def show(pool: Pool) -> None:
    """Print the counts of each source, and how often each reason was given."""
    print("| source | seen | indexed | unchanged | failed | removed |\n|---|---|---|---|---|---|")
    for source in (await status(pool)).sources:
        counts = (source.seen, source.indexed, source.unchanged, source.failed, source.removed)
        print(f"| {source.name} | {' | '.join(map(str, counts))} |")
        reasons = Counter(failure.reason for failure in source.failures)
        for reason, count in reasons.most_common():
            print(f"    {count:4} {reason}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    docs = Path(__file__).parent.parent / "docs"
    parser.add_argument("--folders", type=Path, nargs="*", default=[docs])
    parser.add_argument("--hostile", type=int, default=300, help="files that break what reads them")
    parser.add_argument("--embedder", default="embedded", help="`embedded`, or `words`, which costs nothing")
    parser.add_argument("--limit", type=float, default=LIMIT, help="MB")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(_arguments())))
