"""The server: routes, and its life from `async with` to the end."""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING

from aiohttp import web

from bot.demo.api import WebApi, refusal
from bot.demo.app import App
from bot.demo.documents import Documents, documents_routes
from bot.demo.errors import ApiError
from bot.demo.page import Page
from bot.demo.slack import Slack
from bot.demo.socket_mode import Redelivery
from bot.demo.store import Store
from bot.demo.verbs import LocalWorkspace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

HOST = "127.0.0.1"
MAX_BODY = 64 * 1024 * 1024
SHUTDOWN_S = 0.5


@contextlib.asynccontextmanager
async def local_workspace(
    *,
    port: int = 0,
    app: App | None = None,
    home: Path | None = None,
    documents: Documents | None = None,
    starters: Sequence[str] = (),
    redelivery: Redelivery | None = None,
) -> AsyncIterator[LocalWorkspace]:
    """Serve a workspace on 127.0.0.1 while the block runs.

    Args:
        port: Where to listen; 0 takes a free one.
        app: The app that is installed; by default one that may do everything, with fresh tokens.
        home: A folder that keeps the conversation, so that a restart finds it again; None keeps nothing.
        documents: Returns a document's text by its path or URI, for the viewer; None shows no documents.
        starters: Questions that an empty channel suggests.
        redelivery: When unacknowledged events come again.

    Raises:
        OSError: The port is taken.
    """
    slack = Slack(app or App(), redelivery or Redelivery())
    workspace = LocalWorkspace(slack)
    async with contextlib.AsyncExitStack() as stack:
        if home is not None:
            stack.push_async_callback(Store(slack.workspace, home).open().close)
        application = _application(Page(workspace, starters), documents)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        slack.listen_at(f"http://{HOST}:{runner.addresses[0][1]}")
        stack.push_async_callback(slack.socket.close)
        yield workspace


def _application(page: Page, documents: Documents | None) -> web.Application:
    slack = page.workspace.slack
    application = web.Application(client_max_size=MAX_BODY, middlewares=[_local_only])
    api, files = WebApi(slack), Files(slack)
    application.router.add_route("*", "/api/{method}", api.serve)
    application.router.add_get("/link/", slack.socket.connect)
    application.router.add_post("/response/{token}", responder(slack))
    application.router.add_post("/upload/{id}", files.receive)
    application.router.add_get("/files/{id}/{name}", files.send)
    application.add_routes(documents_routes(documents))
    application.add_routes(page.routes())
    return application


@web.middleware
async def _local_only(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse what a foreign web page could send here through somebody's browser."""
    if request.url.host not in {HOST, "localhost"}:
        return web.Response(status=403, text="This workspace answers at 127.0.0.1 only.")
    origin = request.headers.get("Origin")
    if origin is not None and origin != str(request.url.origin()):
        return web.Response(status=403, text="This workspace answers its own page only.")
    return await handler(request)


def responder(slack: Slack) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of response URLs."""

    async def respond(request: web.Request) -> web.Response:
        try:
            slack.responses.respond(request.match_info["token"], await request.json())
        except ApiError as error:
            return web.json_response(refusal(error), status=404 if error.code.endswith("_url") else 400)
        except ValueError:
            return web.json_response({"ok": False, "error": "invalid_payload"}, status=400)
        return web.Response(text="ok")

    return respond


class Files:
    """Takes and gives files' contents."""

    def __init__(self, slack: Slack) -> None:
        self.slack = slack

    async def receive(self, request: web.Request) -> web.Response:
        """Take what is sent to an upload URL: the raw body, or the one file of a form."""
        file = self.slack.workspace.files.get(request.match_info["id"])
        if file is None:
            return web.Response(status=404, text="Ask files.getUploadURLExternal for an address.")
        content = await request.read()
        if request.content_type == "multipart/form-data":
            uploads = [part for part in (await request.post()).values() if isinstance(part, web.FileField)]
            content = uploads[0].file.read()
        file |= {"content": base64.b64encode(content).decode(), "size": len(content)}
        return web.Response(text=f"OK - {len(content)}")

    async def send(self, request: web.Request) -> web.Response:
        """Give a file to the page, or to the app with its token."""
        file = self.slack.workspace.files.get(request.match_info["id"])
        if file is None or file["content"] is None:
            return web.Response(status=404, text="There is no such file.")
        as_download = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
        body = base64.b64decode(file["content"])
        return web.Response(body=body, content_type=file["mimetype"], headers=as_download)
