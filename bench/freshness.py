"""How soon a changed file is answered from, while questions go on being asked.

    python bench/freshness.py [--folder docs] [--changes 60] [--embedder embedded] [--answers]

In a copy of a folder under watch, files are edited, added, deleted and renamed in turn. Measured is the time
from the end of saving to the first retrieval (with --answers: the first answer) that reflects it; counted is
every passage or quote of a text that was deleted more than --grace seconds before its question was asked.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import shutil
import sys
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from words import WordEmbedder

from grammars.engine import open_engine
from knowledge.answer import answer
from knowledge.database import migrate, open_pool
from knowledge.embed import open_embedder
from knowledge.index import reindex
from knowledge.jobs import open_jobs
from knowledge.reindexing import work_on_sources
from knowledge.search import search
from knowledge.server import embedded_server
from knowledge.serving import Serving
from knowledge.sources import add_source
from knowledge.sources.origin import Reach
from knowledge.watch import keep_current

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from knowledge.embed import Embedder

STAND_IN = "words"
SENTENCE = "The code word of change {} is quokka{}."
QUESTION = "What is the code word of change {}?"
PATIENCE = 60.0  # seconds for one change

# Returns what was retrieved, or what an answer quotes: (URI, text).
Ask: TypeAlias = "Callable[[str], Awaitable[list[tuple[str, str]]]]"


@dataclass(slots=True)
class Seen:
    """What was measured."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    deleted: dict[str, float] = field(default_factory=dict)  # a sentence, and when it went
    stale: int = 0
    asked: int = 0


async def main(given: argparse.Namespace) -> int:
    """Run and report; return the exit status."""
    random.seed(given.seed)
    seen = await measure(
        given.folder, given.changes, embedder=given.embedder, answers=given.answers, grace=given.grace
    )
    everything = [seconds for times in seen.seconds.values() for seconds in times]
    print("| change | n | p50 s | p95 s |\n|---|---|---|---|")
    for name, times in [*seen.seconds.items(), ("all", everything)]:
        print(f"| {name} | {len(times)} | {np.median(times):.2f} | {np.percentile(times, 95):.2f} |")
    print(f"questions meanwhile: {seen.asked}; quotes of what was deleted: {seen.stale}")
    return 0 if np.percentile(everything, 95) < given.grace and not seen.stale else 1


async def measure(folder: Path, changes: int, *, embedder: str, answers: bool, grace: float) -> Seen:
    """Change files one by one, and wait for each change to show."""
    seen = Seen()
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "folder"
        await asyncio.to_thread(shutil.copytree, folder, copy)
        async with watched(copy, Path(scratch) / "home", embedder, answers=answers) as ask:
            asking = asyncio.create_task(_questions(ask, seen, changes, grace))
            for number, kind in zip(range(changes), itertools.cycle(CHANGES), strict=False):
                await _one(copy, ask, seen, number, kind)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
    return seen


@asynccontextmanager
async def watched(copy: Path, home: Path, spec: str, *, answers: bool) -> AsyncIterator[Ask]:
    """Index a folder, keep it current, and yield what asks about it."""
    async with AsyncExitStack() as stack:
        opened = stack.enter_async_context
        conninfo = await opened(embedded_server(home))
        await migrate(conninfo)
        pool = await opened(open_pool(conninfo, size=20))
        embedder: Embedder = WordEmbedder() if spec == STAND_IN else await opened(open_embedder(spec))
        await add_source(pool, str(copy), schedule="never")
        await reindex(pool, embedder)
        jobs = await opened(open_jobs(pool))
        duties = (work_on_sources(jobs, pool, Serving(pool, embedder), Reach()), keep_current(pool, jobs))
        tasks = [asyncio.create_task(duty) for duty in duties]
        stack.push_async_callback(_stop, tasks)
        engine = await opened(open_engine("embedded")) if answers else None

        async def ask(question: str) -> list[tuple[str, str]]:
            if engine is None:
                found = await search(pool, embedder, question, k=5)
                return [(passage.uri, passage.text) for passage in found]
            given = await answer(pool, embedder, engine, question)
            return [(citation.uri, citation.quote) for citation in given.citations]

        yield ask


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


CHANGES = ("add", "edit", "rename", "delete")


async def _one(copy: Path, ask: Ask, seen: Seen, number: int, kind: str) -> None:
    """Make one change, of the file that the round before it made, and wait until it shows."""
    group = number - number % len(CHANGES)
    path, renamed = copy / f"change-{group}.md", copy / f"renamed-{group}.md"
    before, after = SENTENCE.format(group, group), SENTENCE.format(group, group + 1)
    question = QUESTION.format(group)
    if kind == "add":
        await asyncio.to_thread(path.write_text, f"# Change {group}\n\n{before}\n")
        wanted = {(path.as_uri(), before)}
    elif kind == "edit":
        await asyncio.to_thread(path.write_text, f"# Change {group}\n\n{after}\n")
        seen.deleted[before] = time.monotonic()
        wanted = {(path.as_uri(), after)}
    elif kind == "rename":
        await asyncio.to_thread(path.rename, renamed)
        wanted = {(renamed.as_uri(), after)}
    else:
        await asyncio.to_thread(renamed.unlink)
        seen.deleted[after] = time.monotonic()
        wanted = set()
    saved = time.monotonic()
    await _shown(ask, question, wanted, {before, after})
    seen.seconds.setdefault(kind, []).append(time.monotonic() - saved)


async def _shown(ask: Ask, question: str, wanted: set[tuple[str, str]], about: set[str]) -> None:
    """Ask until exactly what is wanted comes back of what this file ever said."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await ask(question)
            if {(uri, said) for uri, text in found for said in about if said in text} == wanted:
                return
            await asyncio.sleep(0.02)


async def _questions(ask: Ask, seen: Seen, changes: int, grace: float) -> None:
    """Ask about any change, over and over, and count what should not be quoted any more."""
    while True:
        asked_at = time.monotonic()
        found = await ask(QUESTION.format(random.randrange(0, changes, len(CHANGES))))
        seen.asked += 1
        gone = [said for said, moment in seen.deleted.items() if asked_at - moment > grace]
        seen.stale += sum(said in text for _, text in found for said in gone)
        await asyncio.sleep(0.05)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent.parent / "docs")
    parser.add_argument("--changes", type=int, default=60)
    parser.add_argument("--embedder", default="embedded", help="`embedded`, or `words`, which costs nothing")
    parser.add_argument("--answers", action="store_true", help="ask the embedded model, not only the search")
    parser.add_argument("--grace", type=float, default=5.0, help="seconds after which a change must show")
    parser.add_argument("--seed", type=int, default=None)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(_arguments())))
