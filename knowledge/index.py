"""Bringing the index up to date: only what changed is read, and only what is new is embedded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from knowledge.ahead import ahead
from knowledge.alone import BUILD, alone
from knowledge.common_terms import count_common_terms
from knowledge.convert import Converter
from knowledge.generations import SwitchedError, build_beside, generations_to_fill, own_generation
from knowledge.pipeline import AHEAD, batches, embedded, readings
from knowledge.plan import make_plan, stored_documents
from knowledge.rebuild import finish_build, give_up_build, ready_generation
from knowledge.reports import Failure, SourceReport
from knowledge.runs import (
    INTERRUPTED,
    LAST_ATTEMPT,
    Counts,
    RunCancelledError,
    TriedTooOftenError,
    advance_build,
    advance_run,
    begin_run,
    end_run,
    find_run,
    stopped,
    whole_runs_open,
)
from knowledge.sources import find_source, list_sources
from knowledge.sources.opening import open_origin
from knowledge.sources.origin import Reach, UnreachableError
from knowledge.stale import note_changes
from knowledge.store import remove_documents, store_readings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import AsyncConnection

    from knowledge.database import Pool
    from knowledge.embed import Embedder
    from knowledge.generations import Generation
    from knowledge.pipeline import Reading
    from knowledge.plan import Plan
    from knowledge.runs import Run, State
    from knowledge.sources import Source
    from knowledge.sources.origin import Origin
    from knowledge.stale import DeferMark
    from knowledge.store import Vectors

# Called with the source's name, documents done and documents to do.
Progress = Callable[[str, int, int], None]

REBUILD = "rebuild"  # in the place of a source's name, while a new index is filled
FAULT = "An unexpected {} stopped it; the worker's log has more. What it had finished stays."


async def reindex(
    pool: Pool,
    embedder: Embedder,
    sources: Sequence[str] | None = None,
    *,
    full: bool = False,
    progress: Progress = lambda *_: None,
    reach: Reach | None = None,
    defer: DeferMark | None = None,
) -> list[SourceReport]:
    """Bring the named sources (all, by default) up to date here and now; return one report a source.

    A document is read where it changed and replaced where its content did, in one transaction. With `full`,
    every document is read and replaced; of all sources, into a new generation beside the old one, which
    answers until they switch; where the last run fails or is cancelled, the old one stays. Another embedder
    than the index was built with first rebuilds the index so. Two runs over one source wait for each other.
    The pool must have at least four connections.

    Raises:
        SourceError: no source has such a name.
        EmbeddingError: the embedder failed; what is finished stays.
        RunCancelledError: somebody cancelled a run.
    """
    chosen = await list_sources(pool) if sources is None else [await find_source(pool, s) for s in sources]

    async def show(done: int, to_do: int) -> None:
        progress(REBUILD, done, to_do)

    rebuilt = await ready_generation(pool, embedder, show)
    whole = full and sources is None and not rebuilt
    async with Converter.opened() as converter:
        indexer = Indexer(pool, embedder, converter, reach or Reach(), defer, progress)
        found = [
            await indexer.run(source, full=full, whole=whole, completes=source is chosen[-1])
            for source in chosen
        ]
    return [report for report in found if report]


@dataclass(frozen=True, slots=True)
class Indexer:
    """Brings sources up to date, a run at a time.

    Attributes:
        defer: defers the job that marks an answer whose quote is gone.
    """

    pool: Pool
    embedder: Embedder
    converter: Converter
    reach: Reach
    defer: DeferMark | None = None
    progress: Progress = lambda *_: None

    async def run(
        self,
        source: Source,
        *,
        number: int | None = None,
        full: bool = False,
        whole: bool = False,
        completes: bool = True,
    ) -> SourceReport | None:
        """Carry out the run `number`, or a new one, alone with the source; None where it is over already.

        The last run of a whole rebuild, once it has come to its end, completes the new index and switches to
        it; where it fails or is cancelled, that index is dropped.

        Args:
            source: what is brought up to date.
            number: of a run that somebody asked for.
            full: a new run reads every document.
            whole: a new run fills a new index as well.
            completes: no other run of the rebuild comes after this one, as far as the caller knows.

        Raises:
            EmbeddingError: the embedder failed; what is finished stays.
            RunCancelledError: somebody cancelled the run.
            SwitchedError: another embedder's generation became current; what is finished stays.
            TriedTooOftenError: it was begun too often without getting further.
        """
        async with alone(self.pool, source.id) as connection:
            run = await begin_run(connection, source.id, number=number, full=full, whole=whole)
            if run is None:
                await self._give_up(await find_run(connection, number) if number else None)
                return None
            try:
                _check_attempts(run)
                report = await self._update(connection, run, source, completes=completes)
            except asyncio.CancelledError:
                if number is None:  # a job is taken up again; this is not
                    await end_run(connection, run.id, "failed", None, INTERRUPTED)
                raise
            except Exception as error:
                if number is None or not isinstance(error, SwitchedError):  # a job goes on with the other
                    await end_run(connection, run.id, *_ending(error))
                    await self._give_up(await find_run(connection, run.id))
                raise
            await count_common_terms(self.pool)
            return report

    async def _update(
        self, connection: AsyncConnection[Any], run: Run, source: Source, *, completes: bool
    ) -> SourceReport:
        try:
            async with open_origin(source, self.reach) as origin:
                listing = await origin.list()
                plan = make_plan(listing.files, await stored_documents(connection, source), run)
                if not listing.whole:
                    plan = replace(plan, removed=())
                work = _Work(self, run, source, origin, plan)
                await work.remove()
                report = await work.carry_out()
        except UnreachableError as error:
            await self._end(connection, run, "failed", None, str(error), completes=completes)
            return SourceReport(source.name, error=str(error))
        await self._end(connection, run, "finished", _counts(report), None, completes=completes)
        seen = [listing.revision, source.id]
        await connection.execute("update sources set revision = %s where id = %s", seen)
        return report

    async def _end(self, connection: AsyncConnection[Any], run: Run, *ending: Any, completes: bool) -> None:
        """End a run that did what it could; before, the last of a rebuild completes and switches the index.

        What could not be reached is filled in from what is stored of it.
        """
        if not run.whole:
            await end_run(connection, run.id, *ending)
            return
        async with alone(self.pool, BUILD):  # so that of runs that end together, one is the last
            if completes and not await whole_runs_open(connection, but=run.id):
                await finish_build(self.pool, self.embedder, partial(self._built, run))
            await end_run(connection, run.id, *ending)

    async def _built(self, run: Run, done: int, to_do: int) -> None:
        async with self.pool.connection() as connection:
            going_on = await advance_build(connection, run.id, to_do - done)
        self.progress(REBUILD, done, to_do)
        _check(going_on)

    async def _give_up(self, run: Run | None) -> None:
        """Drop the index that a run was filling which is over, if no other run still does."""
        if run and run.whole and run.state != "finished":
            await give_up_build(self.pool, self.embedder)


@dataclass(slots=True)
class _Work:
    """What a run does once it knows what there is to do, and how far it is."""

    indexer: Indexer
    run: Run
    source: Source
    origin: Origin
    plan: Plan
    report: SourceReport = field(init=False)

    def __post_init__(self) -> None:
        failures = tuple(Failure(file.path, reason) for file, reason in self.plan.failures)
        self.report = SourceReport(
            self.source.name,
            self.plan.seen,
            self.plan.indexed,
            self.plan.unchanged,
            self.run.removed,
            failures,
        )

    async def remove(self) -> None:
        """Remove what is gone, before anything else."""
        ids = [document.id for document in self.plan.removed]
        self.report = replace(self.report, removed=self.report.removed + len(ids))
        async with self.indexer.pool.connection() as connection:
            uris = await remove_documents(connection, self.run, ids)
            await note_changes(connection, uris, self.indexer.defer)
            going_on = await advance_run(connection, self.run.id, _counts(self.report))
        _check(going_on)

    async def carry_out(self) -> SourceReport:
        """Read, embed and store what the plan says; each stage works ahead of the next."""
        indexer = self.indexer
        generation = await self._generation() if self.plan.to_read else None
        read = readings(self.plan.to_read, self.origin, indexer.converter)
        async with (
            ahead(batches(read), AHEAD) as batched,
            ahead(embedded(indexer.pool, indexer.embedder, generation, batched, self._go_on), AHEAD) as ready,
        ):
            async for batch, vectors in ready:
                await self._store(batch, vectors)
        failures = sorted(self.report.failures, key=lambda failure: failure.path)
        return replace(self.report, failures=tuple(failures))

    async def _go_on(self) -> None:
        _check(not await stopped(self.indexer.pool, self.run.id))

    async def _generation(self) -> Generation:
        """Return the generation whose vectors need not be made again."""
        pool, embedder = self.indexer.pool, self.indexer.embedder
        current = await own_generation(pool, embedder)
        return await build_beside(pool, embedder) or current if self.run.whole else current

    async def _store(self, batch: Sequence[Reading], vectors: Vectors) -> None:
        """Store a batch in the current generation, and in one that is being filled beside it."""
        self._count(batch)
        async with self.indexer.pool.connection() as connection:
            # A switch of generations waits for this transaction, and this one for a switch.
            await connection.execute("lock table documents in row exclusive mode")
            generations = await generations_to_fill(connection, self.indexer.embedder)
            uris = await store_readings(connection, generations, self.run, batch, vectors)
            await note_changes(connection, uris, self.indexer.defer)
            going_on = await advance_run(connection, self.run.id, _counts(self.report))
        done = self.report.indexed + self.report.unchanged + self.report.failed
        self.indexer.progress(self.source.name, done, self.report.seen)
        _check(going_on)

    def _count(self, batch: Sequence[Reading]) -> None:
        gone = sum(reading.gone for reading in batch)
        broken = tuple(Failure(r.file.path, r.error) for r in batch if r.error)
        mine = [reading for reading in batch if reading.same and not self._indexed_before(reading)]
        self.report = replace(
            self.report,
            seen=self.report.seen - gone,
            removed=self.report.removed + sum(r.gone and r.known is not None for r in batch),
            unchanged=self.report.unchanged + len(mine),
            indexed=self.report.indexed + len(batch) - len(broken) - len(mine) - gone,
            failures=self.report.failures + broken,
        )

    def _indexed_before(self, reading: Reading) -> bool:
        """Whether it is the same because this run indexed it, before it was interrupted."""
        return reading.known is not None and reading.known.run_id == self.run.id


def _check(going_on: bool) -> None:
    if not going_on:
        raise RunCancelledError


def _check_attempts(run: Run) -> None:
    if run.attempts > LAST_ATTEMPT:
        raise TriedTooOftenError(str(TriedTooOftenError.__doc__))


def _counts(report: SourceReport) -> Counts:
    return Counts(report.seen, report.indexed, report.unchanged, report.failed, report.removed)


def _ending(error: Exception) -> tuple[State, None, str | None]:
    """Return how a run that raised is recorded; only our own errors' words are known to hold no secret."""
    if isinstance(error, RunCancelledError):
        return "cancelled", None, None
    ours = type(error).__module__.startswith("knowledge.")
    return "failed", None, str(error) if ours else FAULT.format(type(error).__name__)
