"""A real Postgres for every test that asks: one server a session, one database a test."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import settings
from psycopg.conninfo import make_conninfo

from knowledge.database import migrate, open_pool
from knowledge.server import embedded_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from knowledge.database import Pool

_numbers = itertools.count(1)

settings.register_profile("untimed", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The connection string of a server's administrative database; its `template_almanac` is migrated."""
    home = Path(tempfile.mkdtemp(prefix="almanac-test-"))
    with asyncio.Runner() as runner:
        server = embedded_server(home)
        conninfo = make_conninfo(runner.run(server.__aenter__()), dbname="postgres")
        try:
            with psycopg.connect(conninfo, autocommit=True) as connection:
                connection.execute("alter system set fsync = off")
                connection.execute("select pg_reload_conf()")
                connection.execute("create database template_almanac")
            runner.run(migrate(make_conninfo(conninfo, dbname="template_almanac")))
            yield conninfo
        finally:
            runner.run(server.__aexit__(None, None, None))
            shutil.rmtree(home)


@pytest.fixture
def conninfo(postgres: str) -> Iterator[str]:
    """The connection string of a migrated, empty database of the test's own."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"create database {name} template template_almanac")
        yield make_conninfo(postgres, dbname=name)
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
async def pool(conninfo: str) -> AsyncIterator[Pool]:
    """An open pool on the test's own database."""
    async with open_pool(conninfo, size=4) as pool:
        yield pool


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small tensors: on a busy machine threads wait for one another longer than they compute."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
