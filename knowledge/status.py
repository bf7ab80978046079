"""What is indexed, source by source, what is not and why, and how each was kept up to date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.rows import dict_row

from knowledge.generations import current_generation
from knowledge.reports import Failure
from knowledge.runs import end_dead_runs

if TYPE_CHECKING:
    from datetime import datetime

    from knowledge.database import Pool


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A source as it is now, and its last run: seen = indexed + unchanged + failed (`knowledge.runs.Run`).

    Attributes:
        failures: the documents that cannot be read, or for now cannot be read anew, and why.
        run_id: the last run that began.
        state: of that run; None before the first.
        waiting: whether a run waits to begin.
        due_at: when the schedule asks for the next run; None: it asks for none.
        updated_at: when the last run that came to its end did; None: none did.
        oldest_unseen: since when a change is known of that no run has brought in yet; None: none is known of.
    """

    name: str
    uri: str
    audience: list[str] | None
    schedule: str | None
    documents: int
    passages: int
    failures: tuple[Failure, ...]
    run_id: int | None
    state: str | None
    cause: str | None
    seen: int
    indexed: int
    unchanged: int
    failed: int
    removed: int
    error: str | None
    started_at: datetime | None
    finished_at: datetime | None
    waiting: bool
    due_at: datetime | None
    oldest_unseen: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Building:
    """An index that is built beside the one that answers, and how many passages it has so far."""

    embedder: str
    passages: int


@dataclass(frozen=True, slots=True)
class Status:
    """The whole index; `embedder` is None before the first run."""

    embedder: str | None
    sources: tuple[SourceStatus, ...]
    building: Building | None = None


async def status(pool: Pool) -> Status:
    """Return what is indexed and what failed."""
    async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await end_dead_runs(connection)
        generation = await current_generation(connection)
        await cursor.execute(_SOURCES, [generation.id if generation else None])
        sources = await cursor.fetchall()
        found = await connection.execute(
            "select source_id, path, error from documents where error is not null order by path"
        )
        failures = await found.fetchall()
        beside = await (await connection.execute(_BESIDE)).fetchone()
    reasons: dict[int, list[Failure]] = {}
    for source_id, path, error in failures:
        reasons.setdefault(source_id, []).append(Failure(path, error))
    found_sources = [
        SourceStatus(failures=tuple(reasons.get(source_id, ())), **row)
        for source_id, row in ((row.pop("id"), row) for row in sources)
    ]
    building = Building(*beside) if beside else None
    return Status(generation.embedder if generation else None, tuple(found_sources), building)


# A change is unseen until a run that was asked for because of it, or a later one, has finished.
_SOURCES = """
    select s.id, s.name, s.uri, s.audience, s.schedule, s.due_at, r.id as run_id, r.state, r.cause,
           coalesce(r.seen, 0) as seen, coalesce(r.indexed, 0) as indexed,
           coalesce(r.unchanged, 0) as unchanged, coalesce(r.failed, 0) as failed,
           coalesce(r.removed, 0) as removed, r.error, r.started_at, r.finished_at,
           exists (select from runs w where w.source_id = s.id and w.state = 'waiting') as waiting,
           (select min(u.changed_at) from runs u
             where u.source_id = s.id and u.state <> 'finished'
               and u.id > coalesce((select max(f.id) from runs f
                                     where f.source_id = s.id and f.state = 'finished'), 0)) as oldest_unseen,
           (select max(f.finished_at) from runs f
             where f.source_id = s.id and f.state = 'finished') as updated_at,
           (select count(*) from documents d where d.source_id = s.id and content is not null) as documents,
           (select count(*) from passages p where p.source_id = s.id and p.generation_id = %s) as passages
      from sources s
      left join lateral (select * from runs where source_id = s.id and started_at is not null
                          order by id desc limit 1) r on true
     order by name"""

_BESIDE = "select embedder, passage_count from generations where not is_current order by id desc limit 1"
