from __future__ import annotations

import asyncio

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from knowledge.database import migrate
from knowledge.schema import SchemaError, check_schema, current_revision, describe, newest_revision


@pytest.fixture
def empty(conninfo: str) -> str:
    """A database that was never migrated."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        name = connection.info.dbname + "_empty"
        connection.execute(f"drop database if exists {name}")
        connection.execute(f"create database {name}")
    return make_conninfo(conninfo, dbname=name)


async def test_a_migrated_database_is_at_the_newest_revision(conninfo: str) -> None:
    assert await current_revision(conninfo) == newest_revision()
    await check_schema(conninfo)


async def test_an_empty_database_asks_for_migrate(empty: str) -> None:
    assert await current_revision(empty) is None
    with pytest.raises(SchemaError, match=r"is empty, not \d{4}: run `almanac migrate`"):
        await check_schema(empty)


async def test_a_newer_database_asks_for_an_update(conninfo: str) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    with pytest.raises(SchemaError, match="9999, which is newer: update Almanac"):
        await check_schema(conninfo, patience=60)


async def test_a_migration_that_is_under_way_is_waited_for(empty: str) -> None:
    waiting = asyncio.create_task(check_schema(empty, patience=60))
    await migrate(empty)
    await waiting


async def test_a_server_is_described(conninfo: str) -> None:
    found = await describe(conninfo)
    assert found.postgres.startswith("18.")
    assert found.pgvector
    assert found.pgvector >= "0.8"
    assert found.revision == newest_revision()
