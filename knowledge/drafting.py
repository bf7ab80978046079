"""The queue of records: reading, posting and delivering survive whoever was at it.

A job names a row, and the row says what there is to do. Reading needs the model, and so the worker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from knowledge.jobs import Backoff, run_queue

if TYPE_CHECKING:
    from procrastinate import App, JobContext
    from psycopg import AsyncConnection

    from knowledge.database import Pool

EXTRACTIONS = "extractions"
CARRY_DRAFT = "carry_draft"
DELIVER_RECORD = "deliver_record"
RUN_BATCH = "run_batch"
PATIENCE = 5.0  # seconds that a stopping worker gives its jobs


class Carry(Protocol):
    """Does what the row of this id calls for; `attempt` counts from 0, kills included."""

    async def __call__(self, row_id: UUID, /, *, attempt: int) -> None: ...


class Deferrer:
    """Defers the job of one task, within the caller's transaction; jobs of one row run one after another."""

    def __init__(self, jobs: App, task: str) -> None:
        self._jobs = jobs
        self._task = task

    async def __call__(self, connection: AsyncConnection[Any], row_id: UUID) -> None:
        """Defer the job of a row."""
        lock = f"{self._task} {row_id}"
        task = self._jobs.configure_task(self._task, queue=EXTRACTIONS, lock=lock, connection=connection)
        await task.defer_async(row_id=str(row_id))


async def work_on_records(jobs: App, pool: Pool, duties: dict[str, Carry], *, concurrency: int) -> None:
    """Carry out the queue's jobs until cancelled; it returns only where the queue was lost.

    Args:
        jobs: the open queue.
        pool: where drafts that nobody confirmed are forgotten.
        duties: what carries out each task, by its name.
        concurrency: how many jobs run at once.
    """
    for name, duty in duties.items():
        _register(jobs, name, duty)

    @jobs.periodic(cron="29 3 * * *")
    @jobs.task(name="forget_drafts", queue=EXTRACTIONS)
    async def forget(timestamp: int) -> None:
        async with pool.connection() as connection:
            await connection.execute(_FORGET)

    await run_queue(jobs, EXTRACTIONS, concurrency=concurrency, patience=PATIENCE)


def _register(jobs: App, name: str, duty: Carry) -> None:
    @jobs.task(name=name, queue=EXTRACTIONS, retry=Backoff(), pass_context=True)
    async def carry(context: JobContext, row_id: str) -> None:
        await duty(UUID(row_id), attempt=context.job.attempts)


# What nobody confirmed within a day is nobody's.
_FORGET = """
delete from drafts where state not in ('confirmed', 'posted') and created_at < now() - interval '1 day'
"""
