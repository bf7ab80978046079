"""What `honcho start` runs: release, bot and worker as processes of their own, on an empty home."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
import tempfile
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil

from bot.config import Settings
from bot.demo import local_workspace
from bot.processes.demo import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.demo import LocalWorkspace

ROOT = Path(__file__).parent.parent.parent
QUICK = ROOT / "tests" / "quick_almanac.py"
OFFSET = 100  # honcho's, from one process of the Procfile to the next
SECONDS = 120


def install(folder: Path) -> None:
    """Put an `almanac` where the Procfile looks for it first."""
    script = folder / ".venv" / "bin" / "almanac"
    script.parent.mkdir(parents=True)
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(QUICK))} "$@"\n')
    script.chmod(0o755)
    (folder / "docs").mkdir()
    (folder / "docs" / "pods.md").write_text("# Pods\n\nDelete the pod to restart it.\n")


@asynccontextmanager
async def honcho(folder: Path, port: int, environment: dict[str, str]) -> AsyncIterator[Any]:
    """Run `honcho start`; whatever is left of it at the end is killed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "honcho", "start", "-f", str(ROOT / "Procfile"), "-d", str(folder)),
        *("-p", str(port)),
        env=environment,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        with suppress(psutil.Error):
            for child in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
                child.kill()
        await process.wait()


async def healthy(url: str) -> None:
    """Wait until the bot says that everything is well."""
    async with asyncio.timeout(SECONDS), httpx.AsyncClient() as http:
        while True:
            with suppress(httpx.TransportError):
                if (await http.get(f"{url}/healthz")).json()["status"] == "ok":
                    return
            await asyncio.sleep(0.1)


async def indexed(folder: Path, environment: dict[str, str]) -> None:
    almanac = str(folder / ".venv" / "bin" / "almanac")
    for arguments in (["sources", "add", "docs"], ["reindex"]):
        process = await asyncio.create_subprocess_exec(almanac, *arguments, env=environment, cwd=folder)
        assert await process.wait() == 0


def settings(workspace: LocalWorkspace, home: Path) -> dict[str, str]:
    bare = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    return bare | {
        "ALMANAC_HOME": str(home),
        "SLACK_API_URL": workspace.api_url,
        "SLACK_BOT_TOKEN": workspace.bot_token,
        "SLACK_APP_TOKEN": workspace.app_token,
    }


async def test_honcho_runs_the_procfile_and_a_question_is_answered() -> None:
    with tempfile.TemporaryDirectory(prefix="almanac procfile ") as place:
        folder, port = Path(place), free_port()
        install(folder)
        async with local_workspace() as workspace:
            environment = settings(workspace, folder / "home")
            async with honcho(folder, port - OFFSET, environment) as process:
                await healthy(f"http://127.0.0.1:{port}")
                await indexed(folder, environment)
                asked = await workspace.say("maya", "#general", "@almanac how is a pod restarted?")
                thread = lambda _: workspace.messages("#general", asked)[1:]  # noqa: E731 - a condition to wait for
                [reply] = await workspace.wait_for(thread, SECONDS)
                assert "Delete the pod to restart it." in str(reply["blocks"])
                children = psutil.Process(process.pid).children(recursive=True)
                process.send_signal(signal.SIGTERM)
                said, _ = await process.communicate()
        gone, alive = psutil.wait_procs(children, timeout=SECONDS)
        assert gone
        assert not alive
        assert b"Traceback" not in said
