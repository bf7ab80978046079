"""Keeping sources up to date by themselves: local folders are watched, schedules are kept.

Every worker offers to; one at a time does, and another takes over where it ends.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psycopg import OperationalError
from psycopg.errors import ForeignKeyViolation
from psycopg_pool import PoolTimeout
from watchfiles._rust_notify import WatchfilesRustInternalError

from knowledge.alone import WATCH, alone_now
from knowledge.reindexing import defer_run
from knowledge.sources.folder_watch import watching
from knowledge.sources.registry import list_sources
from knowledge.sources.schedule import next_due
from knowledge.sources.uri import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from procrastinate import App
    from psycopg import AsyncConnection

    from knowledge.database import Pool
    from knowledge.sources.registry import Source

LEADER_WAIT = 3.0  # seconds until another worker notices that the one who watched is gone
SCHEDULE_WAIT = 1.0  # seconds between looks at what is due
RECHECK = 2.0  # seconds between looks at which sources there are
UNWATCHABLE_WAIT = 60.0  # seconds until what could not be watched is tried again
DUE_AT_ONCE = 50
CANNOT_WATCH = (
    "%s cannot be watched (%s); its schedule stands in. On Linux, fs.inotify.max_user_watches may help."
)

log = logging.getLogger(__name__)


async def keep_current(pool: Pool, jobs: App) -> None:
    """Ask for runs when folders change and schedules are due, until cancelled; one worker at a time does."""
    while True:
        try:
            async with alone_now(pool, WATCH) as connection:
                if connection:
                    await _lead(connection, pool, jobs)
        except* (OperationalError, PoolTimeout) as lost:
            log.warning("The watch lost the database (%s); trying again.", type(lost.exceptions[0]).__name__)
        await asyncio.sleep(LEADER_WAIT)


async def _lead(connection: AsyncConnection[Any], pool: Pool, jobs: App) -> None:
    """Watch and keep schedules; the lock's own connection carries the latter, so both end with it."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_keep_schedules(connection, jobs))
        tasks.create_task(_watch_all(pool, jobs))


async def _keep_schedules(connection: AsyncConnection[Any], jobs: App) -> None:
    while True:
        await request_due(connection, jobs, datetime.now(UTC))
        await asyncio.sleep(SCHEDULE_WAIT)


async def request_due(connection: AsyncConnection[Any], jobs: App, now: datetime) -> int:
    """Ask for a run of each source that is due, and note when it is due next; return how many there were."""
    async with connection.transaction():
        due = await (await connection.execute(_DUE, [now, DUE_AT_ONCE])).fetchall()
        for source_id, schedule in due:
            await defer_run(connection, jobs, source_id, "schedule")
            later = [next_due(schedule, now), source_id]
            await connection.execute("update sources set due_at = %s where id = %s", later)
    return len(due)


@dataclass(frozen=True, slots=True)
class Root:
    """What is watched of a source: the folder that its path names now. Another may take its place."""

    source_id: int
    path: Path
    device: int
    inode: int


async def _watch_all(pool: Pool, jobs: App) -> None:
    """Watch every local source by itself, and whatever takes its place."""
    watches: dict[Root, asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as tasks:
        while True:
            roots = await _roots(pool)
            for root in watches.keys() - roots:
                watches.pop(root).cancel()
            for root in roots - watches.keys():
                watches[root] = tasks.create_task(_watch(pool, jobs, root))
            await asyncio.sleep(RECHECK)


async def _roots(pool: Pool) -> set[Root]:
    """Return what there is to watch of the local sources."""
    local = [source for source in await list_sources(pool) if source.kind is Kind.LOCAL]
    found = await asyncio.to_thread(lambda: [_root(source) for source in local])
    return {root for root in found if root}


def _root(source: Source) -> Root | None:
    """Return what a source's path names, or None where there is nothing; of a file it is the folder."""
    path = source.path
    try:
        facts = (path if path.is_dir() else path.parent).stat()
    except OSError:
        return None
    return Root(source.id, path, facts.st_dev, facts.st_ino) if path.exists() else None


async def _watch(pool: Pool, jobs: App, root: Root) -> None:
    """Ask for a run of a source whenever it changes, until cancelled."""
    warned = False
    while True:
        try:
            async with watching(root.path) as watch:
                await _request(pool, jobs, root)  # what changed while nobody watched
                while not watch.outdated:
                    if await watch.changes():
                        await _request(pool, jobs, root, noticed=datetime.now(UTC))
        except FileNotFoundError:  # something is taking its place
            await asyncio.sleep(RECHECK)
        except (OSError, WatchfilesRustInternalError) as error:
            if not warned:
                log.warning(CANNOT_WATCH, root.path, getattr(error, "strerror", None) or error)
            warned = True
            await asyncio.sleep(UNWATCHABLE_WAIT)


async def _request(pool: Pool, jobs: App, root: Root, *, noticed: datetime | None = None) -> None:
    with suppress(ForeignKeyViolation):  # the source was removed a moment ago
        async with pool.connection() as connection:
            await defer_run(connection, jobs, root.source_id, "watch", changed_at=noticed)


_DUE = """
select id, schedule from sources where due_at <= %s order by due_at limit %s for update skip locked"""
