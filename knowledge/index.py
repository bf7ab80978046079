"""Bringing the index up to date: only what changed is read, and only what is new is embedded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from knowledge.ahead import ahead
from knowledge.convert import Converter
from knowledge.files import list_files
from knowledge.generations import generation_for
from knowledge.pipeline import AHEAD, batches, embedded, readings
from knowledge.plan import make_plan, stored_documents
from knowledge.rebuild import rebuild
from knowledge.reports import Failure, SourceReport
from knowledge.sources import find_source, list_sources
from knowledge.store import store_readings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from psycopg import AsyncConnection

    from knowledge.database import Pool
    from knowledge.embed import Embedder
    from knowledge.generations import Generation
    from knowledge.plan import Plan
    from knowledge.sources import Source

LOCK_SPACE = 7_236  # of advisory locks, so that ours meet nobody else's

# Called with the source's name, documents done and documents to do.
Progress = Callable[[str, int, int], None]


async def reindex(
    pool: Pool,
    embedder: Embedder,
    sources: Sequence[str] | None = None,
    *,
    full: bool = False,
    progress: Progress = lambda *_: None,
) -> list[SourceReport]:
    """Bring the named sources (all, by default) up to date and return one report a source.

    A document is read where its size or time changed and replaced where its content did, in one transaction.
    With `full`, every document is read and replaced. Another embedder than the index was built with first
    rebuilds the index beside the old one. Two runs over one source wait for each other. The pool must have at
    least three connections.

    Raises:
        SourceError: no source has such a name.
        EmbeddingError: the embedder failed; what is finished stays.
    """
    chosen = await list_sources(pool) if sources is None else [await find_source(pool, s) for s in sources]
    generation, is_current = await generation_for(pool, embedder)
    if not is_current:
        await rebuild(pool, embedder, generation, partial(progress, "rebuild"))
    async with Converter.opened() as converter:
        run = _Run(pool, embedder, generation, converter, full=full, progress=progress)
        return [await run.source(source) for source in chosen]


@dataclass(frozen=True, slots=True)
class _Run:
    pool: Pool
    embedder: Embedder
    generation: Generation
    converter: Converter
    _: KW_ONLY
    full: bool
    progress: Progress

    async def source(self, source: Source) -> SourceReport:
        """Bring one source up to date, alone."""
        async with _alone(self.pool, source) as connection:
            await connection.execute("update sources set started_at = now() where id = %s", [source.id])
            try:
                files = await asyncio.to_thread(list_files, source)
            except OSError as error:
                report = SourceReport(source.name, error=f"{source.path} cannot be read: {error.strerror}.")
            else:
                plan = make_plan(files, await stored_documents(connection, source), full=self.full)
                await connection.execute("delete from documents where id = any(%s)", [list(plan.removed)])
                report = await self._carry_out(source, plan)
            await _record(connection, source, report)
        return report

    async def _carry_out(self, source: Source, plan: Plan) -> SourceReport:
        """Read, embed and store what the plan says; each stage works ahead of the next."""
        seen = len(plan.to_read) + plan.unchanged + len(plan.failures)
        indexed, unchanged = 0, plan.unchanged
        failures = [Failure(file.path, reason) for file, reason in plan.failures]
        async with (
            ahead(batches(readings(plan.to_read, self.converter)), AHEAD) as read,
            ahead(embedded(self.pool, self.embedder, self.generation, read), AHEAD) as ready,
        ):
            async for batch, vectors in ready:
                async with self.pool.connection() as connection:
                    await store_readings(connection, self.generation, source.id, batch, vectors)
                broken = [Failure(r.file.path, r.error) for r in batch if r.error]
                same = sum(reading.same for reading in batch)
                failures += broken
                unchanged += same
                indexed += len(batch) - len(broken) - same
                self.progress(source.name, indexed + unchanged + len(failures), seen)
        failures.sort(key=lambda failure: failure.path)
        return SourceReport(source.name, seen, indexed, unchanged, len(plan.removed), tuple(failures))


@asynccontextmanager
async def _alone(pool: Pool, source: Source) -> AsyncIterator[AsyncConnection[Any]]:
    """Wait until no other run has the source; the lock goes with its connection, however the run ends."""
    async with pool.connection() as connection:
        await connection.set_autocommit(True)
        await connection.execute("select pg_advisory_lock(%s, %s)", [LOCK_SPACE, source.id])
        try:
            yield connection
        finally:
            await connection.execute("select pg_advisory_unlock(%s, %s)", [LOCK_SPACE, source.id])
            await connection.set_autocommit(False)


async def _record(connection: AsyncConnection[Any], source: Source, report: SourceReport) -> None:
    counts = [report.seen, report.indexed, report.unchanged, report.failed, report.removed]
    await connection.execute(
        "update sources set finished_at = now(), seen = %s, indexed = %s, unchanged = %s, failed = %s,"
        " removed = %s, error = %s where id = %s",
        [*counts, report.error, source.id],
    )
