"""A new index beside the old one: completed by its last run, dropped where that fails or is cancelled."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hashing import HashingEmbedder
from running_bot import until

from knowledge import pipeline
from knowledge.convert import Converter
from knowledge.database import open_pool
from knowledge.embed import EmbeddingError
from knowledge.generations import build_beside, current_generation, generation_for
from knowledge.index import REBUILD, Indexer, reindex
from knowledge.jobs import open_jobs
from knowledge.rebuild import sweep
from knowledge.reindexing import request_reindex, work_on_sources
from knowledge.runs import LAST_ATTEMPT, RunCancelledError, TriedTooOftenError, cancel_run, recent_runs
from knowledge.search import search
from knowledge.serving import Serving
from knowledge.sources import add_source, find_source
from knowledge.sources.origin import Reach
from knowledge.status import status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from knowledge.database import Pool
    from knowledge.generations import Generation
    from knowledge.runs import Run


@dataclass
class Hooked(HashingEmbedder):
    """Does something before it embeds."""

    before: Callable[[Sequence[str]], Awaitable[None]] | None = field(default=None)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.before:
            await self.before(texts)
        return await super().embed(texts)


@pytest.fixture
async def pool(conninfo: str) -> AsyncIterator[Pool]:
    async with open_pool(conninfo, size=12) as pool:
        yield pool


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document is a batch."""
    monkeypatch.setattr(pipeline, "BATCH_DOCUMENTS", 1)


@pytest.fixture
async def docs(pool: Pool, tmp_path: Path) -> Path:
    """Two indexed sources of six old documents each."""
    for source in ("a", "b"):
        (tmp_path / source).mkdir()
        for number in range(6):
            path = tmp_path / source / f"{number}.md"
            path.write_text(f"# {source} {number}\n\nThe {source} of number {number}.\n")
            os.utime(path, (1_700_000_000, 1_700_000_000))
        await add_source(pool, str(tmp_path / source), name=source)
    await reindex(pool, HashingEmbedder())
    return tmp_path


async def current(pool: Pool) -> Generation | None:
    async with pool.connection() as connection:
        return await current_generation(connection)


async def generations(pool: Pool) -> int:
    async with pool.connection() as connection:
        row = await (await connection.execute("select count(*) from generations")).fetchone()
    assert row is not None
    return int(row[0])


async def carried_out(pool: Pool, embedder: HashingEmbedder, **wishes: Any) -> list[Run]:
    """Have a worker carry out runs over everything; return what became of them."""
    async with open_jobs(pool) as jobs:
        await request_reindex(pool, jobs, cause="slack", **wishes)
        worker = asyncio.create_task(work_on_sources(jobs, pool, Serving(pool, embedder), Reach()))
        try:
            await until(lambda: nothing_to_do(pool))
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
    return sorted(await recent_runs(pool, limit=2), key=lambda run: run.source)


async def nothing_to_do(pool: Pool) -> bool:
    async with pool.connection() as connection:
        found = await connection.execute("select from procrastinate_jobs where status in ('todo', 'doing')")
        return found.rowcount == 0


@pytest.mark.usefixtures("docs", "one_by_one")
async def test_a_whole_rebuild_that_is_cancelled_leaves_the_old_index_alone(pool: Pool) -> None:
    before = await current(pool)

    async def cancel(_: Sequence[str]) -> None:
        for run in await recent_runs(pool):
            await cancel_run(pool, run.id)

    embedder = Hooked(before=cancel)
    runs = await carried_out(pool, embedder, full=True)
    assert [run.state for run in runs] == ["cancelled", "cancelled"]
    assert await current(pool) == before
    assert await generations(pool) == 1
    assert (await status(pool)).building is None
    assert len(embedder.embedded) < 12
    assert len(await search(pool, HashingEmbedder(), "number", k=20)) == 12


@pytest.mark.usefixtures("docs", "one_by_one")
async def test_a_whole_rebuild_whose_embedder_fails_leaves_the_old_index_alone(pool: Pool) -> None:
    before = await current(pool)
    runs = await carried_out(pool, HashingEmbedder(fail_after=3), full=True)
    assert [run.state for run in runs] == ["failed", "failed"]
    assert (await current(pool), await generations(pool)) == (before, 1)
    with pytest.raises(EmbeddingError):
        await reindex(pool, HashingEmbedder(fail_after=9), full=True)
    assert (await current(pool), await generations(pool)) == (before, 1)


@pytest.mark.usefixtures("one_by_one")
async def test_the_last_run_completes_the_index_in_sight_and_can_still_be_cancelled(
    pool: Pool, docs: Path
) -> None:
    before = await current(pool)
    shutil.rmtree(docs / "b")
    lacking: list[int | None] = []

    async def look(texts: Sequence[str]) -> None:
        (last, *_) = await recent_runs(pool)
        if texts[0].startswith("b"):
            assert last.state == "running"
            lacking.append(last.lacking)
            if len(lacking) == 3:
                await cancel_run(pool, last.id)

    with pytest.raises(RunCancelledError):
        await reindex(pool, Hooked(before=look), full=True)
    assert lacking[0] == 6
    assert len(lacking) < 6
    assert (await recent_runs(pool))[0].state == "cancelled"
    assert (await current(pool), await generations(pool)) == (before, 1)


@pytest.mark.usefixtures("one_by_one")
async def test_what_cannot_be_reached_is_filled_in_from_what_is_stored(pool: Pool, docs: Path) -> None:
    before = await current(pool)
    shutil.rmtree(docs / "b")
    steps: list[tuple[str, int, int]] = []
    await reindex(pool, HashingEmbedder(), full=True, progress=lambda *step: steps.append(step))
    assert [step for step in steps if step[0] == REBUILD] == [(REBUILD, done, 6) for done in range(7)]
    assert await current(pool) != before
    assert await generations(pool) == 1
    assert len(await search(pool, HashingEmbedder(), "number", k=20)) == 12


@pytest.mark.usefixtures("docs")
async def test_a_job_that_was_killed_often_still_comes_to_its_end(pool: Pool) -> None:
    async with open_jobs(pool) as jobs:
        await request_reindex(pool, jobs, cause="slack", full=True)
    async with pool.connection() as connection:
        await connection.execute("update procrastinate_jobs set attempts = 20")
    runs = await carried_out(pool, HashingEmbedder(), full=True)
    assert [(run.state, run.indexed) for run in runs] == [("finished", 6), ("finished", 6)]


@pytest.mark.usefixtures("docs", "one_by_one")
async def test_only_attempts_that_get_no_further_are_counted(pool: Pool) -> None:
    source = await find_source(pool, "a")
    before = await current(pool)
    async with open_jobs(pool) as jobs:
        number, other = await request_reindex(pool, jobs, cause="slack", full=True)
    await cancel_run(pool, other)
    for done in (*range(1, 5), *[4] * LAST_ATTEMPT):
        await interrupted(pool, number, done)
    (run,) = [run for run in await recent_runs(pool) if run.id == number]
    assert (run.state, run.attempts, run.done) == ("running", LAST_ATTEMPT, 4)
    async with Converter.opened() as converter:
        indexer = Indexer(pool, HashingEmbedder(), converter, Reach())
        with pytest.raises(TriedTooOftenError):
            await indexer.run(source, number=number)
    (run,) = [run for run in await recent_runs(pool) if run.id == number]
    assert (run.state, run.error) == ("failed", TriedTooOftenError.__doc__)
    assert (await current(pool), await generations(pool)) == (before, 1)


async def interrupted(pool: Pool, number: int, done: int) -> None:
    """Carry out a run until so many of its documents are done, and interrupt it in the next one."""
    source = await find_source(pool, "a")
    at_the_next = asyncio.Event()

    async def hang(texts: Sequence[str]) -> None:
        if f"number {done}" in texts[0]:
            at_the_next.set()
            await asyncio.Event().wait()

    async with Converter.opened() as converter:
        indexer = Indexer(pool, Hooked(before=hang), converter, Reach())
        running = asyncio.create_task(indexer.run(source, number=number))
        await at_the_next.wait()

        async def stored() -> bool:
            return any(run.id == number and run.done == done for run in await recent_runs(pool))

        await until(stored)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.usefixtures("docs")
async def test_what_an_abandoned_rebuild_left_is_dropped_once_no_run_adds_to_it(pool: Pool) -> None:
    before, embedder = await current(pool), HashingEmbedder()
    await build_beside(pool, embedder)
    async with open_jobs(pool) as jobs:
        numbers = await request_reindex(pool, jobs, cause="slack", full=True)
    assert await sweep(pool, embedder) == 0
    for number in numbers:
        await cancel_run(pool, number)
    assert await sweep(pool, embedder) == 1
    assert (await current(pool), await generations(pool)) == (before, 1)


@pytest.mark.usefixtures("docs")
async def test_the_index_of_the_embedder_that_is_set_is_kept_while_another_serves(pool: Pool) -> None:
    own = HashingEmbedder("own", 32)
    await generation_for(pool, own)
    assert await sweep(pool, own) == 0
    await build_beside(pool, HashingEmbedder())
    assert await sweep(pool, own) == 1
    assert await generations(pool) == 2


@pytest.mark.usefixtures("docs")
async def test_a_document_that_makes_many_passages_is_cancelled_before_all_are_embedded(
    pool: Pool, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "MOST_EMBEDDED", 2)
    sections = [f"## Part {number}\n\n" + f"word{number} " * 200 for number in range(12)]
    (docs / "a" / "long.md").write_text("\n\n".join(sections))

    async def cancel(_: Sequence[str]) -> None:
        await cancel_run(pool, (await recent_runs(pool))[0].id)

    embedder = Hooked(before=cancel)
    with pytest.raises(RunCancelledError):
        await reindex(pool, embedder, ["a"])
    assert len(embedder.embedded) == 2
