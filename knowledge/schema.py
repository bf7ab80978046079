"""Whether the database's schema is the one that this version works with."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

import migrations

POLL_SECONDS = 0.5


class SchemaError(Exception):
    """The database was migrated by another version, or never: run `almanac migrate`, or update Almanac."""


@dataclass(frozen=True, slots=True)
class Server:
    """What a database server is; `pgvector` is the version installed or at hand, None where there is none."""

    postgres: str
    pgvector: str | None
    revision: str | None


async def describe(conninfo: str) -> Server:
    """Return what is behind a connection string.

    Raises:
        psycopg.OperationalError: it cannot be reached.
    """
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        row = await (await connection.execute(_SERVER)).fetchone()
    assert row is not None
    return Server(row[0], row[1], await current_revision(conninfo))


def newest_revision() -> str:
    """Return the revision that this version's migrations lead to; their files are numbered."""
    files = (Path(migrations.__file__).parent / "versions").glob("[0-9]*.py")
    return max(file.name for file in files).partition("_")[0]


async def current_revision(conninfo: str) -> str | None:
    """Return the revision that the database is at; None where it was never migrated.

    Raises:
        psycopg.OperationalError: it cannot be reached.
    """
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        try:
            row = await (await connection.execute("select version_num from alembic_version")).fetchone()
        except psycopg.errors.UndefinedTable:
            return None
    return row[0] if row else None


async def check_schema(conninfo: str, *, patience: float = 0.0) -> None:
    """Make sure of the schema, waiting up to `patience` seconds for a migration that is under way.

    Raises:
        SchemaError: it is older or newer than this version's.
    """
    deadline = time.monotonic() + patience
    while (found := await current_revision(conninfo)) != newest_revision():
        if found is not None and found > newest_revision():
            raise SchemaError(f"The database is at revision {found}, which is newer: update Almanac.")
        if time.monotonic() >= deadline:
            at = f"at revision {found}" if found else "empty"
            raise SchemaError(f"The database is {at}, not {newest_revision()}: run `almanac migrate`.")
        await asyncio.sleep(POLL_SECONDS)


_SERVER = """
select split_part(current_setting('server_version'), ' ', 1),
       (select coalesce(installed_version, default_version)
          from pg_available_extensions where name = 'vector')
"""
