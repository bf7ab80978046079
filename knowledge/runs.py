"""Runs of reindexing, a row each: what asked for it, how far it is, how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from psycopg.rows import class_row

from knowledge.alone import LOCK_SPACE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from psycopg import AsyncConnection

    from knowledge.database import Pool

Cause = Literal["terminal", "watch", "schedule", "webhook", "slack"]
State = Literal["waiting", "running", "finished", "failed", "cancelled"]

INTERRUPTED = "It was interrupted. What it had finished stays; the next run goes on from there."
LAST_ATTEMPT = 10  # without getting further: a document may be what kills its workers
KEPT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Run:
    """One run over one source. While it runs, indexed + unchanged + failed of `seen` are done.

    Attributes:
        full_read: every document is read, changed or not.
        whole: a new generation of the whole index is filled as well.
        stop: somebody asked for it to end.
        changed_at: when the oldest change that it brings in was noticed, where that is known.
        error: why the source could not be read, or the run did not come to its end.
        attempts: how often it was begun since it last got further.
        lacking: documents that the new index lacks yet, where this run is the one that completes it.
    """

    id: int
    source_id: int
    source: str
    cause: Cause
    state: State
    full_read: bool
    whole: bool
    stop: bool
    changed_at: datetime | None
    asked_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seen: int
    indexed: int
    unchanged: int
    failed: int
    removed: int
    error: str | None
    attempts: int
    lacking: int | None

    @property
    def done(self) -> int:
        """How many of the documents seen are done."""
        return self.indexed + self.unchanged + self.failed


@dataclass(frozen=True, slots=True)
class Counts:
    """How far a run is; at its end, seen = indexed + unchanged + failed. Removed stands beside."""

    seen: int
    indexed: int
    unchanged: int
    failed: int
    removed: int


class RunCancelledError(Exception):
    """Somebody cancelled the run. What it had finished stays; the next run goes on from there."""


class TriedTooOftenError(Exception):
    """Its worker died again and again. The document at fault may be the next one in order."""


async def request_run(
    connection: AsyncConnection[Any],
    source_id: int,
    cause: Cause,
    *,
    full: bool = False,
    whole: bool = False,
    changed_at: datetime | None = None,
) -> tuple[int, bool]:
    """Ask for a run, in the caller's transaction; return its number and whether it is a new one.

    One that waits already serves whoever asks: it takes over what is asked for.
    """
    values = {
        "source": source_id,
        "cause": cause,
        "full": full or whole,
        "whole": whole,
        "changed_at": changed_at,
    }
    row = await (await connection.execute(_REQUEST, values)).fetchone()
    assert row is not None
    return row[0], row[1]


async def begin_run(
    connection: AsyncConnection[Any],
    source_id: int,
    *,
    number: int | None = None,
    full: bool = False,
    whole: bool = False,
) -> Run | None:
    """Begin the run `number`, or one that the terminal asks for; the caller has the source to itself.

    A run that its process left behind is taken up again; any other such run of the source is ended.
    None where the run is over already: cancelled, or done by another.
    """
    if number is None:
        values = {"source": source_id, "full": full or whole, "whole": whole}
        row = await (await connection.execute(_BEGIN_NOW, values)).fetchone()
    else:
        row = await (await connection.execute(_BEGIN, [number])).fetchone()
    if row is None:
        await connection.execute(_LET_GO, [number])
        return None
    await connection.execute(_INTERRUPT, [INTERRUPTED, source_id, row[0]])
    return await find_run(connection, row[0])


async def advance_run(connection: AsyncConnection[Any], number: int, counts: Counts) -> bool:
    """Note how far a run is, in the caller's transaction; False where somebody asked for it to end."""
    row = await (await connection.execute(_ADVANCE, _counted(number, counts))).fetchone()
    return row is not None and not row[0]


async def advance_build(connection: AsyncConnection[Any], number: int, lacking: int) -> bool:
    """Note how many documents the new index lacks; False where somebody asked for the run to end."""
    row = await (await connection.execute(_ADVANCE_BUILD, {"id": number, "lacking": lacking})).fetchone()
    return row is not None and not row[0]


async def stopped(pool: Pool, number: int) -> bool:
    """Whether somebody asked for a run to end."""
    async with pool.connection() as connection:
        row = await (await connection.execute("select stop from runs where id = %s", [number])).fetchone()
    return row is None or row[0]


async def end_run(
    connection: AsyncConnection[Any], number: int, state: State, counts: Counts | None, error: str | None
) -> None:
    """Note how a run ended; without counts, those of its last step stay."""
    if counts is not None:
        await connection.execute(_ADVANCE, _counted(number, counts))
    await connection.execute(
        "update runs set state = %s, error = %s, finished_at = now() where id = %s", [state, error, number]
    )


async def cancel_run(pool: Pool, number: int) -> bool:
    """End a run: one that waits at once, one that runs after its present batch; False where it is over."""
    async with pool.connection() as connection:
        return (await connection.execute(_CANCEL, [number])).rowcount > 0


async def find_run(connection: AsyncConnection[Any], number: int) -> Run | None:
    """Return a run as it is now."""
    async with connection.cursor(row_factory=class_row(Run)) as cursor:
        await cursor.execute(f"{_SELECT} where r.id = %s", [number])
        return await cursor.fetchone()


async def recent_runs(pool: Pool, source: str | None = None, *, limit: int = 20) -> Sequence[Run]:
    """Return the latest runs, the newest first: of one source by its name, or of all."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Run)) as cursor:
        await cursor.execute(
            f"{_SELECT} where %(source)s::text is null or s.name = %(source)s"
            " order by r.id desc limit %(limit)s",
            {"source": source, "limit": limit},
        )
        return await cursor.fetchall()


async def forget_runs(pool: Pool) -> int:
    """Forget old runs with what they changed, but each source's last; return how many."""
    async with pool.connection() as connection:
        return (await connection.execute(_FORGET, [KEPT_DAYS])).rowcount


async def whole_runs_open(connection: AsyncConnection[Any], *, but: int | None = None) -> bool:
    """Whether a run, another than `but`, still adds to a new generation of the whole index."""
    await end_dead_runs(connection)
    row = await (await connection.execute(_WHOLE_RUNS_OPEN, [but])).fetchone()
    return row is not None and row[0]


async def end_dead_runs(connection: AsyncConnection[Any]) -> None:
    """End the runs whose terminal was killed: nobody holds their source, and nobody takes them up again."""
    await connection.execute(_END_DEAD, [INTERRUPTED, LOCK_SPACE])


def _counted(number: int, counts: Counts) -> dict[str, int]:
    return {
        "id": number,
        "seen": counts.seen,
        "indexed": counts.indexed,
        "unchanged": counts.unchanged,
        "failed": counts.failed,
        "removed": counts.removed,
        "done": counts.indexed + counts.unchanged + counts.failed,
    }


_SELECT = """
select r.id, r.source_id, s.name as source, cause, state, full_read, whole, stop, changed_at, asked_at,
       started_at, finished_at, seen, indexed, unchanged, failed, removed, error, attempts, lacking
  from runs r join sources s on s.id = r.source_id"""

_REQUEST = """
insert into runs as r (source_id, cause, state, full_read, whole, changed_at)
values (%(source)s, %(cause)s, 'waiting', %(full)s, %(whole)s, %(changed_at)s)
on conflict (source_id) where state = 'waiting' do update
   set full_read = r.full_read or excluded.full_read, whole = r.whole or excluded.whole,
       changed_at = least(r.changed_at, excluded.changed_at)
returning id, xmax = 0"""

_BEGIN = """
update runs set state = 'running', started_at = coalesce(started_at, now()), attempts = attempts + 1
 where id = %s and state in ('waiting', 'running') and not stop
returning id"""

_BEGIN_NOW = """
insert into runs (source_id, cause, state, full_read, whole, started_at)
values (%(source)s, 'terminal', 'running', %(full)s, %(whole)s, now()) returning id"""

# Cancelled while its worker was dead.
_LET_GO = """
update runs set state = 'cancelled', finished_at = now() where id = %s and state = 'running' and stop"""

_INTERRUPT = """
update runs set state = 'failed', error = %s, finished_at = now()
 where source_id = %s and state = 'running' and id <> %s"""

_ADVANCE = """
update runs set seen = %(seen)s, indexed = %(indexed)s, unchanged = %(unchanged)s, failed = %(failed)s,
                removed = %(removed)s, furthest = greatest(furthest, %(done)s),
                attempts = case when %(done)s > furthest then 0 else attempts end
 where id = %(id)s returning stop"""

_ADVANCE_BUILD = """
update runs set lacking = least(lacking, %(lacking)s),
                attempts = case when %(lacking)s < lacking then 0 else attempts end
 where id = %(id)s returning stop"""

_WHOLE_RUNS_OPEN = """
select exists (select from runs
                where whole and state in ('waiting', 'running') and id is distinct from %s)"""

# A run that waits is over at once; one that runs sees the mark after its batch.
_CANCEL = """
update runs set stop = true, state = case when state = 'waiting' then 'cancelled' else state end,
                finished_at = case when state = 'waiting' then now() end
 where id = %s and state in ('waiting', 'running')"""

_END_DEAD = """
update runs r set state = 'failed', error = %s, finished_at = now()
 where state = 'running' and cause = 'terminal'
   and not exists (select from pg_locks l
                    where l.locktype = 'advisory' and l.granted and l.classid = %s and l.objsubid = 2
                      and l.objid = r.source_id
                      and l.database = (select oid from pg_database where datname = current_database()))"""

_FORGET = """
delete from runs r
 where finished_at < now() - make_interval(days => %s)
   and exists (select from runs newer where newer.source_id = r.source_id and newer.id > r.id
                                        and newer.finished_at is not null)"""
