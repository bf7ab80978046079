from __future__ import annotations

import asyncio
import contextlib
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from hashing import HashingEmbedder
from running_bot import until

from knowledge.database import open_pool
from knowledge.generations import current_generation
from knowledge.index import reindex
from knowledge.jobs import open_jobs, revive_stalled
from knowledge.reindexing import REINDEXES, request_reindex, work_on_sources
from knowledge.runs import INTERRUPTED, cancel_run, forget_runs, recent_runs
from knowledge.search import search
from knowledge.serving import Serving
from knowledge.sources import add_source, find_source
from knowledge.sources.origin import Reach
from knowledge.status import status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from procrastinate import App

    from knowledge.database import Pool
    from knowledge.runs import Run


@pytest.fixture
async def pool(conninfo: str) -> AsyncIterator[Pool]:
    async with open_pool(conninfo, size=12) as pool:
        yield pool


@pytest.fixture
async def jobs(pool: Pool) -> AsyncIterator[App]:
    async with open_jobs(pool) as jobs:
        yield jobs


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name in ("proxy", "leave", "budget"):
        (folder / f"{name}.md").write_text(f"# {name.title()}\n\nEverything about the {name}.\n")
    return folder


class Stuck(HashingEmbedder):
    """Embeds one batch, and hangs in the next."""

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.embedded:
            await asyncio.Event().wait()
        return await super().embed(texts)


@contextlib.asynccontextmanager
async def going(*duties: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(duty) for duty in duties]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(error, asyncio.CancelledError) for error in ended), ended


async def over(pool: Pool, number: int) -> Run:
    """Wait until a run is over."""
    found: list[Run] = []

    async def is_over() -> bool:
        found[:] = [run for run in await recent_runs(pool) if run.id == number and run.finished_at]
        return bool(found)

    await until(is_over)
    return found[0]


async def test_a_run_is_carried_out_by_a_worker_and_its_row_adds_up(
    pool: Pool, jobs: App, docs: Path
) -> None:
    (docs / "empty.md").touch()
    await add_source(pool, str(docs), name="docs")
    embedder = HashingEmbedder()
    async with going(work_on_sources(jobs, pool, Serving(pool, embedder), Reach())):
        (number,) = await request_reindex(pool, jobs, ["docs"], cause="slack")
        run = await over(pool, number)
    assert (run.state, run.cause, run.seen, run.indexed, run.failed, run.done) == (
        "finished",
        "slack",
        4,
        3,
        1,
        4,
    )
    assert {found.title for found in await search(pool, embedder, "proxy")} >= {"Proxy"}


async def test_whoever_asks_while_a_run_waits_is_served_by_it(pool: Pool, jobs: App, docs: Path) -> None:
    await add_source(pool, str(docs), name="docs")
    first = await request_reindex(pool, jobs, cause="watch")
    assert await request_reindex(pool, jobs, ["docs"], cause="webhook", full=True) == first
    (run,) = await recent_runs(pool, "docs")
    assert (run.cause, run.full_read, run.state) == ("watch", True, "waiting")
    assert len(list(await jobs.job_manager.list_jobs_async(queue=REINDEXES))) == 1


async def test_a_run_that_waits_is_cancelled_at_once_and_one_that_runs_after_its_batch(
    pool: Pool, jobs: App, docs: Path
) -> None:
    for number in range(600):
        (docs / f"{number}.md").write_text(f"Document {number}, in a sentence.")
    await add_source(pool, str(docs), name="docs")
    (waiting,) = await request_reindex(pool, jobs, cause="slack")
    assert await cancel_run(pool, waiting)
    assert not await cancel_run(pool, waiting)
    (running,) = await request_reindex(pool, jobs, cause="slack")
    assert running != waiting
    embedder = HashingEmbedder()

    async def cancel_when_running() -> bool:
        (run, *_) = await recent_runs(pool)
        return run.done > 0 and await cancel_run(pool, running)

    async with going(work_on_sources(jobs, pool, Serving(pool, embedder), Reach())):
        await until(cancel_when_running)
        run = await over(pool, running)
    assert (run.state, run.stop) == ("cancelled", True)
    assert 0 < run.done < 603
    before = len(embedder.embedded)
    (report,) = await reindex(pool, embedder)
    assert report.unchanged >= run.indexed
    assert len(set(embedder.embedded)) == 603
    assert len(embedder.embedded) - before == 603 - report.unchanged  # what is finished is not redone


async def test_a_run_whose_worker_died_goes_on_elsewhere_without_doing_anything_twice(
    pool: Pool, jobs: App, docs: Path
) -> None:
    for number in range(600):
        (docs / f"{number}.md").write_text(f"Document {number}, in a sentence.")
    await add_source(pool, str(docs), name="docs")
    (number,) = await request_reindex(pool, jobs, cause="slack", full=True)
    dying = Stuck()

    async def half_done() -> bool:
        return (await recent_runs(pool))[0].done > 0

    async with going(work_on_sources(jobs, pool, Serving(pool, dying), Reach())):
        await until(half_done)
    # What a worker leaves that had no time for anything: its job is at work, and it gives no sign of life.
    async with pool.connection() as connection:
        await connection.execute("update procrastinate_jobs set status = 'doing', worker_id = null")
        await connection.execute("delete from procrastinate_workers")
    (left,) = await recent_runs(pool)
    assert left.state == "running"
    assert await revive_stalled(jobs) == 1
    second = HashingEmbedder()
    async with (
        open_jobs(pool) as others,
        going(work_on_sources(others, pool, Serving(pool, second), Reach())),
    ):
        run = await over(pool, number)
    assert (run.state, run.seen, run.indexed, run.failed) == ("finished", 603, 603, 0)
    assert not set(second.embedded) & set(dying.embedded[: left.indexed])
    assert 0 < len(second.embedded) < 603


async def test_a_worker_that_stops_leaves_its_run_to_another(pool: Pool, jobs: App, docs: Path) -> None:
    await add_source(pool, str(docs), name="docs")
    (number,) = await request_reindex(pool, jobs, cause="schedule")
    stopping = Stuck(embedded=["something"])

    async def running() -> bool:
        return (await recent_runs(pool))[0].seen == 3

    async with going(work_on_sources(jobs, pool, Serving(pool, stopping), Reach())):
        await until(running)
    async with (
        open_jobs(pool) as others,
        going(work_on_sources(others, pool, Serving(pool, HashingEmbedder()), Reach())),
    ):
        assert (await over(pool, number)).indexed == 3


async def test_a_source_that_cannot_be_read_and_an_embedder_that_fails_are_said_in_the_row(
    pool: Pool, jobs: App, docs: Path
) -> None:
    await add_source(pool, str(docs), name="docs")
    async with going(work_on_sources(jobs, pool, Serving(pool, HashingEmbedder(fail_after=0)), Reach())):
        (number,) = await request_reindex(pool, jobs, cause="slack")
        run = await over(pool, number)
        assert (run.state, run.error) == ("failed", "the server is gone")
        await asyncio.to_thread(shutil.rmtree, docs)
        (number,) = await request_reindex(pool, jobs, cause="slack")
        run = await over(pool, number)
    assert run.state == "failed"
    assert run.error == f"{docs} cannot be read: No such file or directory."


async def test_the_row_of_a_killed_terminal_ends_as_interrupted(pool: Pool, docs: Path) -> None:
    source = await add_source(pool, str(docs), name="docs")
    async with pool.connection() as connection:
        await connection.execute(
            "insert into runs (source_id, cause, state, started_at)"
            " values (%s, 'terminal', 'running', now())",
            [source.id],
        )
    (shown,) = (await status(pool)).sources
    assert (shown.state, shown.error, shown.updated_at) == ("failed", INTERRUPTED, None)


async def test_a_whole_rebuild_fills_a_generation_beside_and_switches_at_its_end(
    pool: Pool, jobs: App, docs: Path
) -> None:
    other = docs.with_name("other")
    other.mkdir()
    (other / "travel.md").write_text("# Travel\n\nBook the train.\n")
    await add_source(pool, str(docs), name="docs")
    await add_source(pool, str(other), name="other")
    embedder = HashingEmbedder()
    await reindex(pool, embedder)
    async with pool.connection() as connection:
        before = await current_generation(connection)
    async with going(work_on_sources(jobs, pool, Serving(pool, embedder), Reach())):
        numbers = await request_reindex(pool, jobs, cause="slack", full=True)
        assert {(await over(pool, number)).indexed for number in numbers} == {1, 3}

        async def switched() -> bool:
            assert await search(pool, embedder, "train")  # answered all the while
            async with pool.connection() as connection:
                return await current_generation(connection) != before

        await until(switched)
    async with pool.connection() as connection:
        rows = await connection.execute("select count(*), count(distinct generation_id) from passages")
        assert await rows.fetchone() == (4, 1)


async def test_old_runs_are_forgotten_but_the_last_of_each_source(pool: Pool, docs: Path) -> None:
    await add_source(pool, str(docs), name="docs")
    await reindex(pool, HashingEmbedder())
    await reindex(pool, HashingEmbedder())
    async with pool.connection() as connection:
        await connection.execute("update runs set finished_at = now() - interval '60 days'")
    assert await forget_runs(pool) == 1
    assert len(await recent_runs(pool)) == 1
    assert (await find_source(pool, "docs")).schedule == "15m"


async def test_one_source_is_read_anew_while_the_others_are_left_alone(pool: Pool, docs: Path) -> None:
    other = docs.with_name("other")
    other.mkdir()
    (other / "travel.md").write_text("# Travel\n\nBook the train.\n")
    for folder in (docs, other):
        await add_source(pool, str(folder), name=folder.name)
    embedder = HashingEmbedder()
    await reindex(pool, embedder)
    before = await ids(pool)
    embedder.embedded.clear()
    (report,) = await reindex(pool, embedder, ["docs"], full=True)
    assert (report.source, report.seen, report.indexed, report.unchanged) == ("docs", 3, 3, 0)
    after = await ids(pool)
    assert after["other"] == before["other"]
    assert not after["docs"] & before["docs"]
    assert embedder.embedded == []  # equal text is embedded once, however often it is read
    assert (await recent_runs(pool))[0].whole is False


async def ids(pool: Pool) -> dict[str, set[int]]:
    """Return the passages of each source."""
    async with pool.connection() as connection:
        rows = await connection.execute(
            "select s.name, array_agg(p.id) from passages p join sources s on s.id = source_id group by 1"
        )
        return {name: set(found) for name, found in await rows.fetchall()}
