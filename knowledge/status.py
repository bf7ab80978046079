"""What is indexed, source by source, and what is not and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.rows import dict_row

from knowledge.generations import current_generation
from knowledge.reports import Failure

if TYPE_CHECKING:
    from datetime import datetime

    from knowledge.database import Pool


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A source as it is now, and what its last finished run did (see `SourceReport`)."""

    name: str
    uri: str
    documents: int
    passages: int
    failures: tuple[Failure, ...]
    seen: int
    indexed: int
    unchanged: int
    failed: int
    removed: int
    error: str | None
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Status:
    """The whole index; `embedder` is None before the first run."""

    embedder: str | None
    sources: tuple[SourceStatus, ...]


async def status(pool: Pool) -> Status:
    """Return what is indexed and what failed."""
    async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        generation = await current_generation(connection)
        await cursor.execute(_SOURCES, [generation.id if generation else None])
        sources = await cursor.fetchall()
        found = await connection.execute(
            "select source_id, path, error from documents where error is not null order by path"
        )
        failures = await found.fetchall()
    reasons: dict[int, list[Failure]] = {}
    for source_id, path, error in failures:
        reasons.setdefault(source_id, []).append(Failure(path, error))
    found_sources = [
        SourceStatus(failures=tuple(reasons.get(source_id, ())), **row)
        for source_id, row in ((row.pop("id"), row) for row in sources)
    ]
    return Status(generation.embedder if generation else None, tuple(found_sources))


_SOURCES = """
    select s.id, s.name, s.uri, seen, indexed, unchanged, failed, removed, error, started_at, finished_at,
           (select count(*) from documents d where d.source_id = s.id and content is not null) as documents,
           (select count(*) from passages p where p.source_id = s.id and p.generation_id = %s) as passages
      from sources s order by name"""
