"""Reindexing as jobs: one at a time a source, side by side across sources and workers.

A job only names its run; the run's row says what to do and how far it is. A worker that dies leaves both
behind, and another goes on: what is finished is not done again.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from procrastinate import App, BaseRetryStrategy, RetryDecision
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from knowledge.convert import Converter
from knowledge.generations import GenerationError, SwitchedError
from knowledge.index import Indexer
from knowledge.jobs import Marker, run_queue
from knowledge.rebuild import ready_generation, sweep
from knowledge.runs import RunCancelledError, TriedTooOftenError, find_run, forget_runs, request_run
from knowledge.sources import find_source, list_sources

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from procrastinate.jobs import Job
    from psycopg import AsyncConnection

    from knowledge.database import Pool
    from knowledge.embed import Embedder
    from knowledge.runs import Cause
    from knowledge.serving import Serving
    from knowledge.sources.origin import Reach

REINDEXES = "reindexes"
REINDEX_SOURCE = "reindex_source"
CONCURRENCY = 2  # sources at once in one worker; they share one embedder
CONNECTIONS = 4  # that each of them may need
PATIENCE = 1.0  # seconds that a stopping worker gives a run, which goes on elsewhere

RENEWED = "The index is built anew with the embedder %s, and answers from now on."
NOT_RENEWED = "The index cannot be built with the embedder %s now. The old one goes on; trying again."
RENEW_WAIT = 30.0  # seconds

log = logging.getLogger(__name__)


class GoOn(BaseRetryStrategy):
    """Go on at once after a worker stopped, and in a moment after the database was away; else it is over.

    How often a run is begun without getting further is counted in its row (`knowledge.runs.LAST_ATTEMPT`).
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Return when to try again, or None."""
        if isinstance(exception, asyncio.CancelledError | SwitchedError):
            return RetryDecision(retry_in={"seconds": 0})
        if isinstance(exception, OperationalError | PoolTimeout):
            return RetryDecision(retry_in={"seconds": 2 ** min(job.attempts, 6)})
        return None


async def request_reindex(
    pool: Pool,
    jobs: App,
    sources: Sequence[str] | None = None,
    *,
    cause: Cause,
    full: bool = False,
    changed_at: datetime | None = None,
) -> list[int]:
    """Ask for a run over each of the named sources (all, by default); return the runs' numbers.

    Where one waits already, it serves. With `full`, every document is read anew; of all sources, into a new
    generation beside the old one.

    Raises:
        SourceError: no source has such a name; then nothing is asked for.
    """
    chosen = await list_sources(pool) if sources is None else [await find_source(pool, s) for s in sources]
    whole = full and sources is None
    async with pool.connection() as connection:
        return [
            await defer_run(connection, jobs, source.id, cause, full=full, whole=whole, changed_at=changed_at)
            for source in chosen
        ]


async def defer_run(
    connection: AsyncConnection[Any], jobs: App, source_id: int, cause: Cause, **wishes: Any
) -> int:
    """Ask for a run and defer its job, in the caller's transaction; `wishes` are those of `request_run`."""
    number, is_new = await request_run(connection, source_id, cause, **wishes)
    if is_new:
        task = jobs.configure_task(
            REINDEX_SOURCE, queue=REINDEXES, lock=f"source {source_id}", connection=connection
        )
        await task.defer_async(run_id=number)
    return number


async def work_on_sources(jobs: App, pool: Pool, serving: Serving, reach: Reach) -> None:
    """Carry out the runs that are asked for, until cancelled; it returns only where the queue was lost.

    Where the index was built with another embedder than the one that is set, it is built anew beside.
    """
    worker = _Worker(jobs, pool, serving, reach)
    jobs.task(name=REINDEX_SOURCE, queue=REINDEXES, retry=GoOn())(worker.reindex)
    nightly = jobs.task(name="tidy_runs", queue=REINDEXES)(worker.tidy)
    jobs.periodic(cron="43 3 * * *")(nightly)
    renewing = asyncio.create_task(worker.renew())
    try:
        await run_queue(jobs, REINDEXES, concurrency=CONCURRENCY, patience=PATIENCE)
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


class _Worker:
    def __init__(self, jobs: App, pool: Pool, serving: Serving, reach: Reach) -> None:
        self._jobs, self._pool, self._serving, self._reach = jobs, pool, serving, reach

    async def reindex(self, run_id: int) -> None:
        """Carry out one run; what fails in it is in its row, where people look."""
        async with self._pool.connection() as connection:
            run = await find_run(connection, run_id)
        if run is None:
            return  # its source was removed
        source = await find_source(self._pool, run.source)
        embedder = await self._embedder()
        try:
            async with Converter.opened() as converter:
                indexer = Indexer(self._pool, embedder, converter, self._reach, Marker(self._jobs))
                await indexer.run(source, number=run_id)
        except RunCancelledError:
            log.info("Run %s over %s was cancelled.", run_id, run.source)
        except TriedTooOftenError as error:
            log.warning("Run %s over %s is given up. %s", run_id, run.source, error)

    async def _embedder(self) -> Embedder:
        """Return the current generation's; where that is lost, the index is renewed first."""
        try:
            return await self._serving.embedder()
        except GenerationError as error:
            log.warning("%s", error)
            await ready_generation(self._pool, self._serving.own)
            return self._serving.own

    async def renew(self) -> None:
        """Build the index of the embedder that is set, where another's serves, and switch to it.

        Documents that change meanwhile go into the old index first, which answers until then.
        """
        while True:
            try:
                if await ready_generation(self._pool, self._serving.own):
                    log.info(RENEWED, self._serving.own.name)
            except Exception:  # whatever it is, questions are still answered from the old one
                log.exception(NOT_RENEWED, self._serving.own.name)
                await asyncio.sleep(RENEW_WAIT)
            else:
                return

    async def tidy(self, timestamp: int) -> None:  # noqa: ARG002 - every periodic job is told when
        """Forget old runs, and drop what abandoned rebuilds left."""
        await forget_runs(self._pool)
        await sweep(self._pool, self._serving.own)
