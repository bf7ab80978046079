"""The one edge between a command and the terminal: a result, or one sentence and an exit code."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

import typer

from bot.cli.console import say

FAILED = 1
INTERRUPTED = 128 + signal.SIGINT  # as shells count
TERMINATED = 128 + signal.SIGTERM
OURS = ("bot.", "handlers.", "knowledge.", "grammars.")


class CommandError(Exception):
    """The command cannot do what was asked; the message says why, and what to do."""


def run(main: Coroutine[Any, Any, int | None], *, terminated: int = TERMINATED) -> None:
    """Run a command to its end; its result is the exit code, and so is `terminated` after SIGTERM.

    What this project raises is a sentence already, and is shown so. Anything else is a fault of the program
    and keeps its traceback. Either signal cancels the command, whose parts then close in order.
    """
    try:
        code = asyncio.run(_until_terminated(main))
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except asyncio.CancelledError:
        raise typer.Exit(terminated) from None
    except Exception as error:
        if not (told := sentence(error)):
            raise
        say(told, "red")
        raise typer.Exit(FAILED) from None
    raise typer.Exit(code or 0)


async def _until_terminated(main: Coroutine[Any, Any, int | None]) -> int | None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await main


def sentence(error: Exception) -> str:
    """Return what a person is told of an error; nothing for one that nobody expected."""
    from psycopg import OperationalError
    from psycopg_pool import PoolTimeout

    if isinstance(error, OperationalError | PoolTimeout):
        return f"The database cannot be used: {error}\n`almanac doctor` looks closer."
    if isinstance(error, OSError) or type(error).__module__.startswith(OURS):
        return str(error)
    return ""
