"""The bot's real processes, started, killed and started again, against a workspace in this one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence

    from bot.demo import LocalWorkspace

ALMANAC = (str(Path(sys.executable).parent / "almanac"),)
SERVE = (*ALMANAC, "serve", "--port", "0")
WORKER = (*ALMANAC, "worker")


@dataclass(slots=True)
class Processes:
    """Named processes that share an environment; their output goes to a file each under `logs`."""

    environment: dict[str, str]
    logs: Path
    running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    async def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process, in a session of its own so that nothing else is hit when it is killed."""
        with (self.logs / f"{name}.log").open("ab") as log:
            self.running[name] = await asyncio.create_subprocess_exec(
                *command,
                env=self.environment,
                cwd=self.logs,  # no .env of ours
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def stop(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a process and wait for its end; one that ended by itself is an error.

        Raises:
            RuntimeError: it was not running any more; the end of its log is the message.
        """
        process = self.running.pop(name)
        if process.returncode is not None:
            tail = (self.logs / f"{name}.log").read_text("utf-8", "replace")[-2_000:]
            raise RuntimeError(f"{name} ended by itself with {process.returncode}:\n{tail}")
        process.send_signal(number)
        await process.wait()

    async def run(self, *arguments: str) -> None:
        """Run an `almanac` command to its end.

        Raises:
            RuntimeError: it failed.
        """
        process = await asyncio.create_subprocess_exec(
            *ALMANAC, *arguments, env=self.environment, cwd=self.logs
        )
        if await process.wait():
            raise RuntimeError(f"almanac {' '.join(arguments)} failed with {process.returncode}.")


def environment(workspace: LocalWorkspace, home: Path) -> dict[str, str]:
    """Return the settings that connect the processes to a workspace; ALMANAC_MODEL and the like stay."""
    ours = ("SLACK_", "DATABASE_URL")
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return inherited | {
        "ALMANAC_HOME": str(home),
        "SLACK_API_URL": workspace.api_url,
        "SLACK_BOT_TOKEN": workspace.bot_token,
        "SLACK_APP_TOKEN": workspace.app_token,
    }


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run a bench to its exit status; SIGTERM, too, ends it with all of its processes stopped."""

    async def stoppable() -> int:
        task = asyncio.ensure_future(main)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    try:
        return asyncio.run(stoppable())
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM


def command_line(line: str) -> tuple[str, ...]:
    """Return the words of a command, files by their absolute paths."""
    return tuple(str(Path(word).absolute()) if Path(word).exists() else word for word in shlex.split(line))


@contextlib.asynccontextmanager
async def processes(workspace: LocalWorkspace, home: Path) -> AsyncIterator[Processes]:
    """Yield processes over a fresh home; those that run at the end are stopped."""
    started = Processes(environment(workspace, home), home)
    try:
        yield started
    finally:
        for name in tuple(started.running):
            with contextlib.suppress(RuntimeError):
                await started.stop(name, signal.SIGTERM)
