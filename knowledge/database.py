"""The way to the database: a pool of connections, and its schema brought up to date."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import psycopg
from pgvector.psycopg import register_vector_async
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

import migrations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MIGRATION_LOCK = 7_236_014_551  # any number that is ours

Pool: TypeAlias = AsyncConnectionPool[AsyncConnection[Any]]


@asynccontextmanager
async def open_pool(conninfo: str, *, size: int) -> AsyncIterator[Pool]:
    """Open a pool of up to `size` connections to a migrated database; closed on leaving.

    A connection that died with its server is replaced before anyone gets it.
    """
    async with AsyncConnectionPool(
        conninfo,
        min_size=1,
        max_size=size,
        open=False,
        name="almanac",
        configure=register_vector_async,
        check=AsyncConnectionPool.check_connection,
    ) as pool:
        await pool.wait()
        yield pool


async def migrate(conninfo: str) -> None:
    """Create or update the schema; runs that coincide wait for one another.

    Raises:
        psycopg.OperationalError: the database cannot be reached.
    """
    await asyncio.to_thread(_upgrade, conninfo)


def _upgrade(conninfo: str) -> None:
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    config = Config()
    folder = str(Path(migrations.__file__).parent)
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo), poolclass=NullPool
    )
    with engine.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
