"""What a command opens before it can work, with a word to the person who waits."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from bot.cli.console import say, working
from bot.cli.edge import CommandError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from bot.config import Settings
    from knowledge.database import Pool

Opened = TypeVar("Opened")

STARTING = "Starting the database …"
NOTHING_INDEXED = (
    "Nothing is indexed yet. Add a folder of documents and index it:\n"
    "  almanac sources add PATH/TO/DOCUMENTS\n"
    "  almanac reindex"
)


@asynccontextmanager
async def shown(what: str, part: AbstractAsyncContextManager[Opened]) -> AsyncIterator[Opened]:
    """Open a part that takes a moment, and show so; close it at the end."""
    async with AsyncExitStack() as stack:
        with working(what):
            opened = await stack.enter_async_context(part)
        yield opened


@asynccontextmanager
async def opened_database(settings: Settings) -> AsyncIterator[Pool]:
    """Open the database; the embedded one is started."""
    from bot import wiring

    async with shown(STARTING, wiring.database(settings)) as pool:
        yield pool


@asynccontextmanager
async def opened_index(settings: Settings) -> AsyncIterator[Pool]:
    """Open a database that holds something to ask about.

    Raises:
        CommandError: nothing is indexed; the message says how to change that.
    """
    from knowledge.health import health

    async with opened_database(settings) as pool:
        if not (await health(pool)).passages:
            raise CommandError(NOTHING_INDEXED)
        yield pool


@asynccontextmanager
async def opened_schemas(settings: Settings) -> AsyncIterator[Pool]:
    """Open a database whose registry of schemas is up to date; say which files cannot be used, and why."""
    from knowledge.schemas import load_schemas

    async with opened_database(settings) as pool:
        for name, reason in (await load_schemas(pool, settings.almanac_schemas)).items():
            say(f"{name}: {reason}", "yellow")
        yield pool
