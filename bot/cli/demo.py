"""`almanac demo`: everything on this machine, in the browser, in one command."""

import asyncio
import logging
import os
import sys
import webbrowser
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.console import say
from bot.cli.edge import run
from bot.cli.index import LOADING as LOADING_EMBEDDER
from bot.cli.index import reindex_with_bar, say_failures
from bot.cli.opening import opened_database, shown
from bot.config import read_settings
from bot.documentation import DOCS
from bot.logs import log_to_stderr

EXAMPLES = ("almanac demo", "almanac demo --knowledge ~/wiki", "almanac demo --port 9000 --no-browser")
LOADING_MODEL = "Loading the model …"
CONNECTING = "Connecting the bot …"
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
    run(_demo(knowledge, port, browser=browser))


async def _demo(knowledge: Path | None, port: int | None, *, browser: bool) -> None:
    from bot import wiring
    from bot.processes import demo as parts
    from bot.processes.serve import connected
    from bot.processes.worker import answer_questions

    folder = (knowledge or DOCS).expanduser().resolve()
    settings = parts.demo_settings(read_settings(), folder)
    async with AsyncExitStack() as stack:
        stack.enter_context(parts.alone(settings.almanac_home))
        pool = await stack.enter_async_context(opened_database(settings))
        workspace = await stack.enter_async_context(parts.workspace_of(pool, settings.almanac_home, port))
        await parts.add_knowledge(pool, folder, workspace)
        embedder = await stack.enter_async_context(shown(LOADING_EMBEDDER, wiring.embedder(settings)))
        say_failures(await reindex_with_bar(pool, embedder))
        engine = await stack.enter_async_context(shown(LOADING_MODEL, wiring.engine(settings)))
        local = parts.connected_settings(settings, workspace)
        app = await stack.enter_async_context(wiring.slack_app(local, pool))
        await stack.enter_async_context(shown(CONNECTING, connected(app, workspace.app_token)))
        say(READY.format(url=workspace.url, knowledge=folder), "bold")
        if browser:
            await _open(workspace.url)
        await answer_questions(local, pool, wiring.answerer(pool, embedder, engine))


async def _open(url: str) -> None:
    """Open the page, where there is a screen: a browser inside the terminal would take it over."""
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        await asyncio.to_thread(webbrowser.open, url)
