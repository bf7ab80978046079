from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import procrastinate.schema
import pytest
from procrastinate.jobs import Status

from knowledge import jobs as job_queue
from knowledge.jobs import Deferrer, open_jobs, revive_stalled, work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from procrastinate import App

    from knowledge.database import Pool


@pytest.fixture
async def jobs(pool: Pool) -> AsyncIterator[App]:
    async with open_jobs(pool) as jobs:
        yield jobs


async def defer(pool: Pool, jobs: App, question_id: int, lock: str = "thread") -> None:
    async with pool.connection() as connection:
        await Deferrer(jobs)(connection, question_id, lock)


def test_the_migration_covers_every_change_that_procrastinate_ships() -> None:
    """A newer procrastinate brings migrations of its own: each needs one here, and then a new last name."""
    shipped = sorted(path.name for path in Path(procrastinate.schema.migrations_path).glob("*.sql"))
    assert shipped[-1] == "03.04.00_50_post_add_retry_failed_job_procedure.sql"


async def test_a_job_is_deferred_with_its_transaction_or_not_at_all(pool: Pool, jobs: App) -> None:
    async with pool.connection() as connection:
        await Deferrer(jobs)(connection, 1, "thread")
        await connection.rollback()
    await defer(pool, jobs, 2)
    waiting = await jobs.job_manager.list_jobs_async()
    assert [job.task_kwargs for job in waiting] == [{"question_id": 2}]


async def test_jobs_of_a_thread_run_in_order_and_a_failed_one_is_tried_again(pool: Pool, jobs: App) -> None:
    ran: list[tuple[int, int]] = []
    done = asyncio.Event()

    async def settle(question_id: int, *, attempt: int) -> None:
        ran.append((question_id, attempt))
        if question_id == 1 and attempt == 0:
            raise ConnectionError
        if question_id == 2:
            done.set()

    await defer(pool, jobs, 1)
    await defer(pool, jobs, 2)
    worker = asyncio.create_task(work(jobs, settle, concurrency=2))
    await asyncio.wait_for(done.wait(), 20)
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker
    assert ran == [(1, 0), (1, 1), (2, 0)]


async def test_the_job_of_a_worker_that_died_is_taken_up_again(
    pool: Pool, jobs: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await defer(pool, jobs, 1)
    worker_id = await jobs.job_manager.register_worker()
    job = await jobs.job_manager.fetch_job(queues=[job_queue.ANSWERS], worker_id=worker_id)
    assert job is not None
    assert await revive_stalled(jobs) == 0
    async with pool.connection() as connection:
        await connection.execute("update procrastinate_workers set last_heartbeat = now() - interval '1 min'")
    assert await revive_stalled(jobs) == 1
    assert job.id is not None
    assert await jobs.job_manager.get_job_status_async(job.id) == Status.TODO
