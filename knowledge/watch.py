"""Keeping sources up to date by themselves: local folders are watched, schedules are kept.

Every worker offers to; one at a time does, and another takes over where it ends.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from watchfiles import awatch

from knowledge.alone import WATCH, alone_now
from knowledge.reindexing import defer_run
from knowledge.sources.registry import list_sources
from knowledge.sources.schedule import next_due
from knowledge.sources.uri import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from procrastinate import App
    from psycopg import AsyncConnection

    from knowledge.database import Pool
    from knowledge.sources.registry import Source

LEADER_WAIT = 3.0  # seconds until another worker notices that the one who watched is gone
SCHEDULE_WAIT = 1.0  # seconds between looks at what is due
SETTLE_MS = 100  # without a further change, before a burst of changes becomes one run
LONGEST_BURST_MS = 1_000
RECHECK_MS = 2_000  # between looks at which sources there are
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


async def _watch_all(pool: Pool, jobs: App) -> None:
    """Watch every local source, and begin anew whenever there are others."""
    while True:
        watched = await _watchable(pool)
        await _request(pool, jobs, watched)  # what changed while nobody watched
        async with asyncio.TaskGroup() as tasks:
            for recursive in (True, False):
                roots = {root: source for root, source in watched.items() if root.is_dir() is recursive}
                tasks.create_task(_watch(pool, jobs, roots, set(watched), recursive=recursive))


async def _watchable(pool: Pool) -> dict[Path, Source]:
    """Return the local sources that exist, by their path."""
    local = [source for source in await list_sources(pool) if source.kind is Kind.LOCAL]
    return {source.path: source for source in local if source.path.exists()}


async def _watch(
    pool: Pool, jobs: App, roots: Mapping[Path, Source], known: set[Path], *, recursive: bool
) -> None:
    """Ask for a run of each source that changes, until the sources themselves are others."""
    # A file is replaced more often than written to, which only its folder notices.
    paths = set(roots) if recursive else {root.parent for root in roots}
    if not paths:
        await _until_others(pool, known)
        return
    try:
        async for changes in awatch(
            *paths,
            watch_filter=None,
            debounce=LONGEST_BURST_MS,
            step=SETTLE_MS,
            rust_timeout=RECHECK_MS,
            yield_on_timeout=True,
            recursive=recursive,
        ):
            changed = (Path(path) for _, path in changes)
            await _request(pool, jobs, touched(changed, roots), noticed=datetime.now(UTC))
            if set(await _watchable(pool)) != known:
                return
    except OSError as error:
        log.warning(CANNOT_WATCH, ", ".join(map(str, paths)), error.strerror or error)
        await _until_others(pool, known)


def touched(changed: Iterable[Path], roots: Mapping[Path, Source]) -> dict[Path, Source]:
    """Return the sources that one of the changed paths belongs to; hidden files belong to none."""
    found: dict[Path, Source] = {}
    for path in changed:
        for root, source in roots.items():
            if path.is_relative_to(root):
                inside = path.relative_to(root).parts
                if not any(part.startswith(".") for part in inside):
                    found[root] = source
    return found


async def _until_others(pool: Pool, known: set[Path]) -> None:
    while set(await _watchable(pool)) == known:  # noqa: ASYNC110 - rows in Postgres set no asyncio.Event
        await asyncio.sleep(RECHECK_MS / 1000)


async def _request(
    pool: Pool, jobs: App, sources: Mapping[Path, Source], *, noticed: datetime | None = None
) -> None:
    for source in sources.values():
        async with pool.connection() as connection:
            await defer_run(connection, jobs, source.id, "watch", changed_at=noticed)


_DUE = """
select id, schedule from sources where due_at <= %s order by due_at limit %s for update skip locked"""
