"""The web page: its files, its verbs over JSON, its live updates over a WebSocket."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from bot.demo.api import refusal
from bot.demo.errors import ApiError
from bot.demo.socket_mode import NotAcknowledgedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.demo.verbs import LocalWorkspace
    from bot.demo.workspace import Change, Channel, Json

STATIC = Path(__file__).parent / "static"
HEARTBEAT_S = 20.0
POLICY = (
    "default-src 'self'; img-src 'self' data: https:; style-src 'self'; base-uri 'none'; form-action 'self'"
)
NOT_RESPONDING = "The app did not respond. Is it running?"

VERBS = (
    "say", "edit", "delete", "react", "move", "create_channel", "click", "click_view", "submit", "close",
    "command", "shortcut", "open_home",
)  # fmt: skip


class Page:
    """Serves the page to people, each seeing what they may see."""

    def __init__(self, workspace: LocalWorkspace, starters: Sequence[str] = ()) -> None:
        self.workspace = workspace
        self.starters = tuple(starters)

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the routes of the page."""
        return [
            web.get("/", self.index),
            web.get("/archives/{channel}/{message}", self.index),
            web.static("/static", STATIC),
            web.get("/ui/state", self.state),
            web.get("/ui/live", self.live),
            web.post("/ui/faults", self.faults),
            web.post("/ui/{verb}", self.act),
        ]

    async def index(self, _request: web.Request) -> web.Response:
        """Serve the page itself; a permalink opens it at a message."""
        page = (STATIC / "index.html").read_text("utf-8")
        return web.Response(text=page, content_type="text/html", headers={"Content-Security-Policy": POLICY})

    async def state(self, request: web.Request) -> web.Response:
        """Return everything that a person sees."""
        return web.json_response(self.seen_by(request.query.get("user") or self.people()[0]["id"]))

    async def act(self, request: web.Request) -> web.Response:
        """Run a verb with the JSON object in the body as its arguments; its result is `result`."""
        verb = request.match_info["verb"]
        if verb not in VERBS or request.content_type != "application/json":
            return web.json_response({"ok": False, "error": "unknown_verb"}, status=404)
        run, given = getattr(self.workspace, verb), await request.json()
        try:
            inspect.signature(run).bind(**given)
        except TypeError as error:
            return web.json_response(
                {"ok": False, "error": "invalid_arguments", "detail": str(error)}, status=400
            )
        try:
            return web.json_response({"ok": True, "result": await run(**given)})
        except ApiError as error:
            return web.json_response(refusal(error), status=400)
        except NotAcknowledgedError:
            answer = {"ok": False, "error": "not_acknowledged", "detail": NOT_RESPONDING}
            return web.json_response(answer, status=504)

    async def faults(self, request: web.Request) -> web.Response:
        """Set faults: the fields of Faults, and `drop: true` or `disconnect: true` for the sockets."""
        changes = await request.json()
        socket, faults = self.workspace.slack.socket, self.workspace.slack.faults
        if changes.pop("drop", False):
            socket.drop()
        if changes.pop("disconnect", False):
            await socket.disconnect()
        try:
            faults.set(**changes)
        except TypeError as error:
            return web.json_response(
                {"ok": False, "error": "invalid_arguments", "detail": str(error)}, status=400
            )
        return web.json_response({"ok": True, "result": asdict(faults)})

    async def live(self, request: web.Request) -> web.WebSocketResponse:
        """Send a person's state, then every change that they may see, as it happens."""
        user = request.query["user"]
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S)
        await socket.prepare(request)
        queue: asyncio.Queue[Change] = asyncio.Queue()
        state = self.workspace.state
        state.watchers.append(queue.put_nowait)
        sending = asyncio.create_task(self._send(socket, user, queue))
        try:
            async for _message in socket:
                pass
        finally:
            state.watchers.remove(queue.put_nowait)
            sending.cancel()
        return socket

    async def _send(self, socket: web.WebSocketResponse, user: str, queue: asyncio.Queue[Change]) -> None:
        await socket.send_json({"kind": "state", "data": self.seen_by(user)})
        while not socket.closed:
            change = await queue.get()
            if self._may_see(user, change):
                await socket.send_json({"kind": change.kind, "channel": change.channel, "data": change.data})

    def _may_see(self, user: str, change: Change) -> bool:
        channel = self.workspace.state.channels.get(change.channel or "")
        moved = change.data.get("user") == user  # somebody who leaves is told so
        return change.user in {None, user} and (channel is None or user in channel.members or moved)

    def people(self) -> list[Json]:
        """Return everybody, people before the bot."""
        return [person.as_json() for person in self.workspace.state.people.values()]

    def seen_by(self, user: str) -> Json:
        """Return the workspace as one person sees it."""
        slack, state = self.workspace.slack, self.workspace.state
        return {
            "me": user,
            "team": {"id": state.team_id, "name": state.team_name},
            "app": {"name": slack.app.name, "user_id": slack.app.user_id, "user_name": slack.app.user_name},
            "commands": [asdict(command) for command in slack.app.commands],
            "shortcuts": [asdict(shortcut) for shortcut in slack.app.shortcuts],
            "starters": self.starters,
            "people": self.people(),
            "groups": {group["id"]: group["handle"] for group in state.groups},
            "channels": [self._seen(channel, user) for channel in state.visible_to(user)],
            "views": slack.views.stacks.get(user, []),
            "home": state.homes.get(user),
            "statuses": [[*place, status] for place, status in state.statuses.items()],
            "connected": bool(slack.socket.connections),
        }

    def _seen(self, channel: Channel, user: str) -> Json:
        ephemeral = [row for row in channel.ephemeral.values() if row["to"] == user]
        return {
            "id": channel.id,
            "name": channel.name,
            "kind": channel.kind,
            "topic": channel.topic,
            "members": channel.members,
            "messages": [*channel.messages.values(), *ephemeral],
            "prompts": self.workspace.state.prompts.get(channel.id),
        }
