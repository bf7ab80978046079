"""Being the only one at something, across processes and machines: Postgres' advisory locks.

A lock goes with its connection, however the process ends.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from psycopg import AsyncConnection

    from knowledge.database import Pool

LOCK_SPACE = 7_236  # of advisory locks, so that ours meet nobody else's
# A source's lock is its id, from 1.
BUILD = 0  # filling a generation beside the current one
WATCH = -1  # watching folders and keeping schedules


@asynccontextmanager
async def alone(pool: Pool, number: int) -> AsyncIterator[AsyncConnection[Any]]:
    """Wait until nobody else holds the lock, and hold it; yields its connection, in autocommit."""
    async with pool.connection() as connection:
        await connection.set_autocommit(True)
        try:
            await connection.execute("select pg_advisory_lock(%s, %s)", [LOCK_SPACE, number])
            yield connection
        finally:
            await _let_go(connection, number)


@asynccontextmanager
async def alone_now(pool: Pool, number: int) -> AsyncIterator[AsyncConnection[Any] | None]:
    """Hold the lock if nobody else does; None where somebody does."""
    async with pool.connection() as connection:
        await connection.set_autocommit(True)
        row = await (
            await connection.execute("select pg_try_advisory_lock(%s, %s)", [LOCK_SPACE, number])
        ).fetchone()
        try:
            yield connection if row and row[0] else None
        finally:
            await _let_go(connection, number)


async def _let_go(connection: AsyncConnection[Any], number: int) -> None:
    """Give the connection back as it was; one that is broken has lost its locks already."""
    if connection.closed or connection.broken:
        return
    await connection.execute("select pg_advisory_unlock(%s, %s)", [LOCK_SPACE, number])
    await connection.set_autocommit(False)
