"""The job queue: answering survives whoever was at it, because the work is a row in Postgres.

Any process may defer; a worker runs. Jobs of one thread share a lock, and so run one after another.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException

from knowledge.conversations import QuestionBusyError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from procrastinate.jobs import Job
    from psycopg import AsyncConnection

    from knowledge.database import Pool

ANSWERS = "answers"
SETTLE_QUESTION = "settle_question"
MARK_ANSWER = "mark_answer"

HEARTBEAT = 1.0  # seconds between a worker's signs of life
DEAD_AFTER = 6.0  # seconds without one; a kill delays the answer by this much
FORGOTTEN_AFTER = 60.0  # seconds without one; a worker that was only slow must still be known
BUSY_WAIT = 5  # seconds, where another worker is still at the question
PATIENCE = 10.0  # seconds that a stopping worker gives its jobs; what is not done by then is taken up again
LONGEST_WAIT = 60  # seconds between two attempts
LAST_ATTEMPT = 60  # about an hour of trying

log = logging.getLogger(__name__)


class Settle(Protocol):
    """Brings a question's thread up to date; `attempt` counts from 0, kills included."""

    async def __call__(self, question_id: int, *, attempt: int) -> None: ...


class Mark(Protocol):
    """Shows under an answer which of its quotes are gone, or takes that off again."""

    async def __call__(self, question_id: int) -> None: ...


class Backoff(BaseRetryStrategy):
    """Try again after 1, 2, 4, … seconds, at most a minute apart, for about an hour."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Return when to try again, or None after the last attempt."""
        if job.attempts >= LAST_ATTEMPT:
            return None
        busy = isinstance(exception, QuestionBusyError)
        wait = BUSY_WAIT if busy else min(LONGEST_WAIT, 2 ** min(job.attempts, 6))
        return RetryDecision(retry_in={"seconds": wait})


@asynccontextmanager
async def open_jobs(pool: Pool) -> AsyncIterator[App]:
    """Open the queue on a pool of a migrated database; the pool stays its owner's."""
    jobs = App(connector=PsycopgConnector())
    async with jobs.open_async(pool):
        yield jobs


class Deferrer:
    """Defers the job that settles a question."""

    def __init__(self, jobs: App) -> None:
        self._jobs = jobs

    async def __call__(self, connection: AsyncConnection[Any], question_id: int, lock: str) -> None:
        """Defer within the connection's transaction: question and job are kept together or not at all."""
        task = self._jobs.configure_task(SETTLE_QUESTION, queue=ANSWERS, lock=lock, connection=connection)
        await task.defer_async(question_id=question_id)


class Marker:
    """Defers the job that marks an answer whose quotes are gone."""

    def __init__(self, jobs: App) -> None:
        self._jobs = jobs

    async def __call__(self, connection: AsyncConnection[Any], question_id: int, lock: str) -> None:
        """Defer within the connection's transaction, after whatever else its thread waits for."""
        task = self._jobs.configure_task(MARK_ANSWER, queue=ANSWERS, lock=lock, connection=connection)
        await task.defer_async(question_id=question_id)


async def work(jobs: App, settle: Settle, *, concurrency: int, mark: Mark | None = None) -> None:
    """Run jobs until the task is cancelled; those that are running get some seconds to finish.

    It returns only where the queue was lost. Signals are left to the process.

    Args:
        jobs: The open queue. Its pool should hold two connections for each concurrent job and three more.
        settle: Settles one question.
        concurrency: How many questions are worked on at once.
        mark: Marks one answer whose quotes are gone.
    """
    _register(jobs, settle)
    if mark:
        _register_mark(jobs, mark)
    reviver = asyncio.create_task(_revive(jobs))
    try:
        await run_queue(jobs, ANSWERS, concurrency=concurrency, patience=PATIENCE)
    finally:
        reviver.cancel()


async def run_queue(jobs: App, queue: str, *, concurrency: int, patience: float) -> None:
    """Run a queue's jobs until cancelled; `patience` is how many seconds those that run then get."""
    await jobs.run_worker_async(
        queues=[queue],
        concurrency=concurrency,
        delete_jobs="successful",
        update_heartbeat_interval=HEARTBEAT,
        stalled_worker_timeout=FORGOTTEN_AFTER,
        fetch_job_polling_interval=HEARTBEAT,
        shutdown_graceful_timeout=patience,
        install_signal_handlers=False,
    )


def _register(jobs: App, settle: Settle) -> None:
    @jobs.task(name=SETTLE_QUESTION, queue=ANSWERS, retry=Backoff(), pass_context=True)
    async def settle_question(context: JobContext, question_id: int) -> None:
        await settle(question_id, attempt=context.job.attempts)

    @jobs.periodic(cron="17 3 * * *")
    @jobs.task(name="forget_old_jobs", queue=ANSWERS)
    async def forget_old_jobs(timestamp: int) -> None:
        await jobs.job_manager.delete_old_jobs(nb_hours=7 * 24, include_failed=True)


def _register_mark(jobs: App, mark: Mark) -> None:
    @jobs.task(name=MARK_ANSWER, queue=ANSWERS, retry=Backoff())
    async def mark_answer(question_id: int) -> None:
        await mark(question_id)


async def _revive(jobs: App) -> None:
    """Hand the jobs of dead workers back; beside the jobs, so that busy workers cannot hold it up."""
    while True:
        try:
            await revive_stalled(jobs)
        except ConnectorException:
            log.warning("The job queue cannot be reached; trying again.")
        await asyncio.sleep(HEARTBEAT)


async def revive_stalled(jobs: App) -> int:
    """Make the jobs of workers without a sign of life available again; return how many there were."""
    manager = jobs.job_manager
    stalled = list(await manager.get_stalled_jobs(seconds_since_heartbeat=DEAD_AFTER))
    for job in stalled:
        log.info("Job %s lost its worker; it is taken up again.", job.id)
        await manager.retry_job(job, retry_at=datetime.now(UTC))
    await manager.prune_stalled_workers(FORGOTTEN_AFTER)
    return len(stalled)
