from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from knowledge import database
from knowledge.database import UnsuitableDatabaseError, migrate, open_pool

if TYPE_CHECKING:
    from knowledge.database import Pool


async def test_migrations_that_coincide_wait_for_one_another(postgres: str) -> None:
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection:
        await connection.execute("create database coincide")
    conninfo = make_conninfo(postgres, dbname="coincide")
    await asyncio.gather(*[migrate(conninfo) for _ in range(3)])
    await migrate(conninfo)
    async with open_pool(conninfo, size=1) as pool, pool.connection() as connection:
        rows = await (await connection.execute("select count(*) from alembic_version")).fetchall()
    assert rows == [(1,)]


async def test_a_user_who_may_not_add_pgvector_is_told_who_may(postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("create role newcomer login")
        connection.execute("create database newcomers owner newcomer")
    with pytest.raises(UnsuitableDatabaseError, match="`create extension vector`"):
        await migrate(make_conninfo(postgres, dbname="newcomers", user="newcomer"))
    with psycopg.connect(make_conninfo(postgres, dbname="newcomers"), autocommit=True) as connection:
        connection.execute("create extension vector")
    await migrate(make_conninfo(postgres, dbname="newcomers", user="newcomer"))


async def test_a_pgvector_that_is_too_old_is_named(conninfo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PGVECTOR", (99, 0))
    with pytest.raises(UnsuitableDatabaseError, match=r"no pgvector 99\.0: install it there"):
        await migrate(conninfo)


async def test_a_connection_that_died_is_replaced(pool: Pool, conninfo: str) -> None:
    async with pool.connection() as connection:
        pid = connection.info.backend_pid
    async with await psycopg.AsyncConnection.connect(conninfo) as other:
        await other.execute("select pg_terminate_backend(%s)", [pid])
    async with pool.connection() as connection:
        assert (await (await connection.execute("select 1")).fetchone()) == (1,)
