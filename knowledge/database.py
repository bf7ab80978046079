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

NO_PGVECTOR = (
    "This PostgreSQL server has no pgvector {}: install it there (https://github.com/pgvector/pgvector; the"
    " packages are called postgresql-NN-pgvector), or unset DATABASE_URL for the embedded server."
)
NOT_ALLOWED = (
    "This database has no pgvector yet, and its user may not add it: have an administrator of the server run"
    " `create extension vector` in it, then try again."
)
PGVECTOR = (0, 8)  # iterative scans, which filtered searches rely on
MIGRATION_LOCK = 7_236_014_551  # any number that is ours


class UnsuitableDatabaseError(Exception):
    """The database server lacks what the knowledge needs; the message says how it gets it."""


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
        UnsuitableDatabaseError: it has no pgvector, or one that is too old.
    """
    await asyncio.to_thread(_upgrade, conninfo)


def _add_pgvector(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        version = connection.execute(_VERSION).fetchone()
        if version is None or tuple(map(int, version[0].split(".")[:2])) < PGVECTOR:
            raise UnsuitableDatabaseError(NO_PGVECTOR.format(".".join(map(str, PGVECTOR))))
        try:
            connection.execute("create extension if not exists vector")
        except psycopg.errors.InsufficientPrivilege as error:
            raise UnsuitableDatabaseError(NOT_ALLOWED) from error


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
        _add_pgvector(conninfo)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


_VERSION = """
select coalesce(installed_version, default_version) from pg_available_extensions where name = 'vector'
"""
