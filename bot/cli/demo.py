"""`almanac demo`: everything on this machine, in the browser, in one command."""

import asyncio
import logging
import os
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.console import say
from bot.cli.edge import run
from bot.cli.index import reindex_with_bar, say_failures
from bot.cli.opening import shown
from bot.config import read_settings
from bot.documentation import DOCS
from bot.logs import log_to_stderr

if TYPE_CHECKING:
    from knowledge.database import Pool
    from knowledge.embed import Embedder

EXAMPLES = ("almanac demo", "almanac demo --knowledge ~/wiki", "almanac demo --port 9000 --no-browser")
READY = "Almanac answers at {url}\nAsk it about {knowledge}: @almanac, or a direct message. Ctrl-C stops it."


def demo(
    *,
    knowledge: Annotated[
        Path | None,
        typer.Option(help="The folder to ask about; else Almanac's own documentation.", show_default=False),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="The page's port; else the first free one from 8900."),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Ask a folder of documents, in a local workspace like Slack.

    Everything runs on this machine and keeps its state under ALMANAC_HOME/demo, apart from the
    real index: the embedded database, the workspace, the bot and its worker.
    """
    log_to_stderr(logging.WARNING)
    run(_demo(knowledge, port, browser=browser), terminated=0)


async def _demo(knowledge: Path | None, port: int | None, *, browser: bool) -> None:
    from bot.processes.demo import demo_settings, running

    folder = (knowledge or DOCS).expanduser().resolve()
    settings = demo_settings(read_settings(), folder)
    async with running(settings, folder, port, shown=shown, index=_index) as running_demo:
        url = running_demo.workspace.url
        say(READY.format(url=url, knowledge=folder), "bold")
        if browser:
            await _open(url)
        await running_demo.work()


async def _index(pool: "Pool", embedder: "Embedder") -> None:
    say_failures(await reindex_with_bar(pool, embedder))


async def _open(url: str) -> None:
    """Open the page, where there is a screen: a browser inside the terminal would take it over."""
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        await asyncio.to_thread(webbrowser.open, url)
