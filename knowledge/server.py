"""The embedded Postgres: started by the first process that needs it, stopped by the last one to leave."""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import psycopg
import stamina
from psycopg import sql

from knowledge.cluster import Cluster, EmbeddedServerError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

DATABASE = "almanac"
POLL_SECONDS = 0.05


@asynccontextmanager
async def embedded_server(home: Path) -> AsyncIterator[str]:
    """Start or join the Postgres under `home` and yield the connection string of its database.

    Several processes may share one server. Each holds a shared lock while it is inside; the kernel
    releases it however the process ends, so that a `kill -9` leaves nothing stale, and the next start heals
    the rest.

    Raises:
        EmbeddedServerError: it did not start; the message ends with Postgres' own words.
    """
    cluster = await asyncio.to_thread(Cluster.prepare, home)
    with _opened(cluster.folder / "users.lock") as users:
        try:
            async with _exclusive(cluster.folder / "gate.lock"):
                fcntl.flock(users, fcntl.LOCK_SH)
                await _start(cluster)
            yield cluster.conninfo(DATABASE)
        finally:
            async with _exclusive(cluster.folder / "gate.lock"):
                if _is_last(users):
                    await cluster.stop()


async def _start(cluster: Cluster) -> None:
    """Bring the server up; crash recovery and orphaned backends may take their time, so with patience."""
    async for attempt in stamina.retry_context(
        on=EmbeddedServerError, attempts=12, timeout=300, wait_initial=0.2, wait_max=5
    ):
        with attempt:
            if not await _accepts(cluster):
                await cluster.start()
    await _ensure_database(cluster)


async def _accepts(cluster: Cluster) -> bool:
    try:
        async with await psycopg.AsyncConnection.connect(cluster.conninfo("postgres"), connect_timeout=5):
            return True
    except psycopg.OperationalError:
        return False


async def _ensure_database(cluster: Cluster) -> None:
    conninfo = cluster.conninfo("postgres")
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        found = await connection.execute("select from pg_database where datname = %s", [DATABASE])
        if not found.rowcount:
            await connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@asynccontextmanager
async def _exclusive(path: Path) -> AsyncIterator[None]:
    """Hold the lock alone; polled, so that waiting for another process can be cancelled."""
    with _opened(path) as descriptor:
        while not _try_lock(descriptor):  # noqa: ASYNC110 the event happens in another process
            await asyncio.sleep(POLL_SECONDS)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_last(users: int) -> bool:
    """Give up the shared lock; whoever can then have it alone was the last one inside."""
    fcntl.flock(users, fcntl.LOCK_UN)
    return _try_lock(users)
