"""The parts of the local Slack, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.events import Events
from bot.demo.faults import Faults
from bot.demo.people import Person
from bot.demo.responses import ResponseUrls, Triggers
from bot.demo.socket_mode import Redelivery, SocketMode
from bot.demo.streams import Streams
from bot.demo.views import Views
from bot.demo.workspace import Change, Json, Workspace

if TYPE_CHECKING:
    from bot.demo.app import App


class Slack:
    """One workspace with one installed app; `url` is set once the server listens."""

    def __init__(self, app: App, redelivery: Redelivery) -> None:
        self.app = app
        self.url = ""
        self.faults = Faults()
        self.workspace = Workspace(Person(app.user_id, app.user_name, app.name, "bot"))
        self.socket = SocketMode(app.id, self.faults, redelivery)
        self.socket.when_connected = self._tell_presence
        self.events = Events(self.workspace, app, self.socket)
        self.views = Views(self.workspace, app.id, app.bot_id)
        self.streams = Streams()
        self.triggers = Triggers()
        self.responses = ResponseUrls(self.workspace, self.author())

    def _tell_presence(self, connected: bool) -> None:
        self.workspace.tell(Change("connected", {"connected": connected}))

    def listen_at(self, url: str) -> None:
        """Take the address at which the server answers."""
        self.url = self.responses.base = url

    def author(self) -> Json:
        """Return the fields that mark a message as the app's own."""
        app = self.app
        profile = {"id": app.bot_id, "app_id": app.id, "name": app.name, "team_id": self.workspace.team_id}
        return {"user": app.user_id, "bot_id": app.bot_id, "app_id": app.id, "bot_profile": profile}
