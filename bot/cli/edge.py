"""The one edge between a command and the terminal: a result, or one sentence and an exit code."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import typer

from bot.cli.console import say

FAILED = 1
INTERRUPTED = 130  # 128 + SIGINT, as shells count
OURS = ("bot.", "handlers.", "knowledge.", "grammars.")


class CommandError(Exception):
    """The command cannot do what was asked; the message says why, and what to do."""


def run(main: Coroutine[Any, Any, int | None]) -> None:
    """Run a command to its end; its result is the exit code.

    What this project raises is a sentence already, and is shown so. Anything else is a fault of the program and
    keeps its traceback.
    """
    try:
        code = asyncio.run(main)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:
        if not (told := sentence(error)):
            raise
        say(told, "red")
        raise typer.Exit(FAILED) from None
    raise typer.Exit(code or 0)


def sentence(error: Exception) -> str:
    """Return what a person is told of an error; nothing for one that nobody expected."""
    from psycopg import OperationalError
    from psycopg_pool import PoolTimeout

    if isinstance(error, OperationalError | PoolTimeout):
        return f"The database cannot be used: {error}\n`almanac doctor` looks closer."
    if isinstance(error, OSError) or type(error).__module__.startswith(OURS):
        return str(error)
    return ""
