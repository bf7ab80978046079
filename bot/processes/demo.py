"""`almanac demo`: a workspace of our own, and the real bot and worker connected to it, in one process."""

from __future__ import annotations

import fcntl
import hashlib
import socket
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import yaml
from pydantic import SecretStr

from bot import wiring
from bot.demo.app import App
from bot.demo.server import HOST, local_workspace
from bot.documentation import MANIFEST
from bot.listener import PortInUseError
from bot.processes.serve import connected
from bot.processes.worker import CONCURRENCY, answer_questions, pool_size
from grammars.embedded.readings import Readings
from knowledge.documents import stored_text
from knowledge.sources import add_source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from bot.config import Settings
    from bot.demo.verbs import LocalWorkspace
    from knowledge.database import Pool
    from knowledge.embed import Embedder

Part = TypeVar("Part")

PORTS = range(8900, 8920)  # tried in this order where none was asked for
LOCK = "demo.lock"
POOL_SIZE = pool_size(CONCURRENCY) + 4  # the worker's, and some for the bot and the page
STARTING = "Starting the database …"
LOADING_EMBEDDER = "Loading the embedder …"
LOADING_MODEL = "Loading the model …"
CONNECTING = "Connecting the bot …"


class DemoRunningError(Exception):
    """A demo of this folder runs already: use that one, or stop it first."""


class KnowledgeError(Exception):
    """There is no such folder to ask about."""


class Shown(Protocol):
    """Opens a part, and shows meanwhile what is going on."""

    def __call__(
        self, what: str, part: AbstractAsyncContextManager[Part], /
    ) -> AbstractAsyncContextManager[Part]: ...


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that is up: the page answers, the bot is connected, the documents are indexed."""

    workspace: LocalWorkspace
    work: Callable[[], Awaitable[None]]
    """Answers questions until it is cancelled."""


@asynccontextmanager
async def running(
    settings: Settings,
    folder: Path,
    port: int | None,
    *,
    shown: Shown,
    index: Callable[[Pool, Embedder], Awaitable[None]],
) -> AsyncIterator[Demo]:
    """Open everything that a demo of a folder consists of, from the database up.

    Args:
        settings: those of `demo_settings`.
        folder: what is asked about.
        port: the page's; None takes the first free one of ours.
        shown: opens a part that takes a moment.
        index: brings the index up to date.
    """
    async with AsyncExitStack() as stack:
        opened = stack.enter_async_context
        stack.enter_context(alone(settings.almanac_home))
        pool = await opened(shown(STARTING, wiring.database(settings, size=POOL_SIZE)))
        workspace = await opened(workspace_of(pool, settings.almanac_home, port))
        await add_source(pool, str(folder), link_base=f"{workspace.url}/documents")
        read = Readings()
        serving = await opened(shown(LOADING_EMBEDDER, wiring.serving(settings, pool, read)))
        await index(pool, serving.own)
        engine = await opened(shown(LOADING_MODEL, wiring.engine(settings, read)))
        local = connected_settings(settings, workspace)
        app = await opened(wiring.slack_app(local, pool))
        await opened(shown(CONNECTING, connected(app, workspace.app_token)))
        answer = wiring.answerer(settings, pool, serving, engine)
        extract = wiring.extractor(pool, serving.own, engine)
        work = partial(answer_questions, local, pool, answer, extract=extract, serving=serving)
        yield Demo(workspace, work)


def demo_settings(settings: Settings, knowledge: Path) -> Settings:
    """Return the settings of a demo: a home of its own for each folder, and nothing of a real Slack.

    Raises:
        KnowledgeError: the folder does not exist.
    """
    folder = knowledge.expanduser().resolve()
    if not folder.exists():
        raise KnowledgeError(f"{folder} does not exist: give --knowledge a folder of documents.")
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    home = settings.almanac_home / "demo" / f"{folder.name}-{digest}"
    return settings.model_copy(
        update={
            "almanac_home": home,
            "database_url": None,
            "slack_signing_secret": None,
            "almanac_admins": (),
            "almanac_folders": (Path("/"),),  # the page is open to this machine alone
        }
    )


def connected_settings(settings: Settings, workspace: LocalWorkspace) -> Settings:
    """Return settings whose Slack is the workspace."""
    return settings.model_copy(
        update={
            "slack_bot_token": SecretStr(workspace.bot_token),
            "slack_app_token": SecretStr(workspace.app_token),
            "slack_api_url": workspace.api_url,
        }
    )


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Be the only demo of this home; the kernel lets go of it however the process ends.

    Raises:
        DemoRunningError: another process is at it.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoRunningError(str(DemoRunningError.__doc__)) from None
        yield


@asynccontextmanager
async def workspace_of(pool: Pool, home: Path, port: int | None) -> AsyncIterator[LocalWorkspace]:
    """Serve the workspace on `port`, or on the first free one of ours; its links open the stored documents.

    Raises:
        PortInUseError: `port` is taken.
    """
    app = App.from_manifest(yaml.safe_load(MANIFEST.read_text("utf-8")))
    chosen = free_port() if port is None else port
    async with AsyncExitStack() as stack:
        serving = local_workspace(
            port=chosen, app=app, home=home / "workspace", documents=partial(stored_text, pool)
        )
        try:
            workspace = await stack.enter_async_context(serving)
        except OSError as error:
            raise PortInUseError(HOST, chosen, error.strerror or str(error)) from None
        yield workspace


def free_port() -> int:
    """Return the first of our ports that is free, or 0, which takes any."""
    for port in PORTS:
        with suppress(OSError), socket.create_server((HOST, port)):
            return port
    return 0
