from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from knowledge.cluster import SOCKET_PATH_LIMIT
from knowledge.server import embedded_server

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Iterator

JOIN = """
import asyncio, signal, sys
from pathlib import Path
from knowledge.server import embedded_server

signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever a shell in the background left

async def main():
    leave = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, leave.set)
    async with embedded_server(Path(sys.argv[1])):
        print("ready", flush=True)
        await leave.wait()

asyncio.run(main())
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="almanac home ") as folder:
        yield Path(folder) / "with a $pace"
        assert _postmaster(Path(folder) / "with a $pace") is None


def _postmaster(home: Path) -> psutil.Process | None:
    with contextlib.suppress(FileNotFoundError, psutil.NoSuchProcess):
        return psutil.Process(int((home / "postgres/data/postmaster.pid").read_text().split()[0]))
    return None


async def _join(home: Path) -> Process:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", JOIN, str(home), stdin=pipe, stdout=pipe
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def _leave(process: Process) -> None:
    await process.communicate(b"\n")
    assert process.returncode == 0


async def _execute(conninfo: str, statement: str) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(conninfo) as connection:
        cursor = await connection.execute(statement)
        return await cursor.fetchall() if cursor.description else []


async def test_the_last_process_to_leave_stops_the_server(home: Path) -> None:
    async with embedded_server(home) as conninfo:
        other = await _join(home)
        await _execute(conninfo, "create table kept (n int)")
        first = _postmaster(home)
    assert first is not None
    assert _postmaster(home) == first
    await _leave(other)
    assert _postmaster(home) is None


async def test_processes_that_start_together_share_one_server(home: Path) -> None:
    processes = await asyncio.gather(*[_join(home) for _ in range(3)])
    await asyncio.gather(*[_leave(process) for process in processes])
    assert _postmaster(home) is None


async def test_after_everything_is_killed_the_next_start_heals(home: Path) -> None:
    process = await _join(home)
    async with embedded_server(home) as conninfo:
        await _execute(conninfo, "create table kept as select generate_series(1, 1000) as n")
        server = _postmaster(home)
        assert server is not None
        victims = [server, *server.children(recursive=True)]
        process.kill()
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
        psutil.wait_procs(victims, timeout=10)
    await process.wait()
    async with embedded_server(home) as conninfo:
        assert await _execute(conninfo, "select count(*) from kept") == [(1000,)]


async def test_a_server_whose_users_were_killed_is_joined_and_stopped(home: Path) -> None:
    process = await _join(home)
    orphan = _postmaster(home)
    process.kill()
    await process.wait()
    async with embedded_server(home):
        assert _postmaster(home) == orphan
    assert _postmaster(home) is None


async def test_a_dead_servers_number_may_belong_to_someone_else_now(home: Path) -> None:
    async with embedded_server(home):
        lock = (home / "postgres/data/postmaster.pid").read_text().splitlines()
    (home / "postgres/data/postmaster.pid").write_text("\n".join([str(os.getpid()), *lock[1:], ""]))
    (home / "postgres/.s.PGSQL.5432.lock").write_text("\n".join([str(os.getpid()), *lock[1:], ""]))
    async with embedded_server(home) as conninfo:
        assert await _execute(conninfo, "select 1") == [(1,)]


async def test_an_interrupted_first_start_is_begun_anew(home: Path) -> None:
    half = home / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    async with embedded_server(home) as conninfo:
        assert await _execute(conninfo, "select 1") == [(1,)]


async def test_a_path_too_long_for_a_socket_works(home: Path) -> None:
    deep = home / ("x" * SOCKET_PATH_LIMIT)
    async with embedded_server(deep) as conninfo:
        assert await _execute(conninfo, "select 1") == [(1,)]
    assert _postmaster(deep) is None


async def test_cancelling_what_runs_inside_stops_the_server(home: Path) -> None:
    process = await _join(home)
    process.send_signal(signal.SIGINT)
    await process.wait()
    assert _postmaster(home) is None
