from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
import tempfile
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from bot.config import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

QUICK = Path(__file__).parent / "quick_almanac.py"
SECONDS = 120  # generous: what is tested is that it comes up, not how loaded the machine is


class Demo:
    """`almanac demo` in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""

    async def url(self) -> str:
        """Wait until it says where it answers."""
        assert self.process.stderr is not None
        async with asyncio.timeout(SECONDS):
            while not (found := re.search(r"answers at (http://\S+)", self.said)):
                line = (await self.process.stderr.readline()).decode()
                assert line, f"it ended with {await self.process.wait()}: {self.said}"
                self.said += line
        return found[1]

    async def end(self) -> tuple[int, str]:
        """Wait for its end; return its exit code and what it said."""
        async with asyncio.timeout(SECONDS):
            _, rest = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, self.said + rest.decode()


@asynccontextmanager
async def demo(home: Path, *arguments: str) -> AsyncIterator[Demo]:
    """Start a demo; whatever is left of it at the end is killed."""
    bare = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(QUICK), "demo", "--no-browser", *arguments),
        env=bare | {"ALMANAC_HOME": str(home), "TMPDIR": str(home.parent)},
        cwd=home.parent,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Demo(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def left_running(home: Path) -> list[str]:
    """Return the processes that belong to a home: by their command, working directory or environment."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            signs = (" ".join(process.cmdline()), process.cwd(), process.environ().get("ALMANAC_HOME", ""))
            if any(str(home) in sign for sign in signs):
                found.append(f"{process.pid} {process.name()}")
    return found


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a space in its path, beside a folder of documents."""
    with tempfile.TemporaryDirectory(
        prefix="almanac-demo-"
    ) as folder:  # pytest's own shut out other accounts
        (Path(folder) / "docs").mkdir()
        (Path(folder) / "docs" / "pods.md").write_text("# Pods\n\nDelete the pod to restart it.\n")
        yield Path(folder) / "a home"


async def created(home: Path, name: str) -> None:
    """Wait until a file of that name is somewhere under a home."""
    async with asyncio.timeout(SECONDS):
        while not list(home.rglob(name)):  # noqa: ASYNC110, ASYNC240 - a file tells nobody that it is there
            await asyncio.sleep(0.02)


async def test_ctrl_c_stops_everything_and_it_comes_up_again_after_a_kill(home: Path) -> None:
    folder = str(home.parent / "docs")
    async with demo(home, "--knowledge", folder) as first:
        async with httpx.AsyncClient() as http:
            assert (await http.get(await first.url())).status_code == 200
        async with demo(home, "--knowledge", folder) as second:
            code, said = await second.end()
            assert (code, "runs already" in said) == (1, True)
        first.process.kill()
        await first.end()
    async with demo(home, "--knowledge", folder) as again:
        await again.url()
        again.process.send_signal(signal.SIGINT)
        code, said = await again.end()
    assert code == 130
    assert "Traceback" not in said
    assert left_running(home) == []
    assert sorted(path.name for path in home.parent.iterdir()) == ["a home", "docs"]


async def test_sigterm_before_it_is_up_stops_everything_too(home: Path) -> None:
    async with demo(home, "--knowledge", str(home.parent / "docs")) as starting:
        await created(home, "postmaster.pid")
        starting.process.terminate()
        code, said = await starting.end()
    assert code == 0
    assert "Traceback" not in said
    assert left_running(home) == []


async def test_a_port_in_use_is_named(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with demo(home, "--knowledge", str(home.parent / "docs"), "--port", port) as refused:
            code, said = await refused.end()
    assert code == 1
    assert f"127.0.0.1:{port} cannot be listened on" in said
    assert "--port" in said
    assert left_running(home) == []


async def test_a_folder_that_does_not_exist_is_named(home: Path) -> None:
    async with demo(home, "--knowledge", "nowhere") as refused:
        code, said = await refused.end()
    assert code == 1
    assert "nowhere does not exist" in said
