"""The Slack app that is installed in the workspace: its bot user, its tokens, what it may do."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ANY_COMMAND = ("/ask", "/extract")


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command, as the composer completes it."""

    name: str
    description: str = ""
    usage: str = ""
    escape: bool = False  # whether people, channels and links in its text are marked


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A shortcut; `kind` is `message` or `global`."""

    name: str
    callback_id: str
    kind: str = "message"


def _token(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(16)}"


@dataclass(frozen=True, slots=True)
class App:
    """An installed app.

    `scopes` and `events` are what its manifest asks for; None checks nothing, so that a bot without a
    manifest receives every event and may call every method.
    """

    name: str = "Almanac"
    user_name: str = "almanac"
    id: str = "A0ALMANAC1"
    bot_id: str = "B0ALMANAC1"
    user_id: str = "U0ALMANAC1"
    commands: tuple[Command, ...] = tuple(Command(name) for name in ANY_COMMAND)
    shortcuts: tuple[Shortcut, ...] = ()
    scopes: frozenset[str] | None = None
    events: frozenset[str] | None = None
    bot_token: str = field(default_factory=lambda: _token("xoxb"), repr=False)
    app_token: str = field(default_factory=lambda: _token("xapp"), repr=False)
    signing_secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any], **fixed: Any) -> App:
        """Return the app that a Slack app manifest (parsed from its YAML or JSON) describes.

        Args:
            manifest: The manifest.
            fixed: Fields to set by hand, such as tokens.
        """
        features = manifest.get("features", {})
        bot = features.get("bot_user", {}).get("display_name", "Almanac")
        scopes = manifest.get("oauth_config", {}).get("scopes", {}).get("bot")
        events = manifest.get("settings", {}).get("event_subscriptions", {}).get("bot_events")
        described: dict[str, Any] = {
            "name": manifest["display_information"]["name"],
            "user_name": bot.lower(),
            "commands": tuple(map(_command, features.get("slash_commands", []))),
            "shortcuts": tuple(map(_shortcut, features.get("shortcuts", []))),
            "scopes": None if scopes is None else frozenset(scopes),
            "events": None if events is None else frozenset(events),
        }
        return cls(**(described | fixed))

    def may(self, scope: str | None) -> bool:
        """Return whether the app was granted `scope`."""
        return scope is None or self.scopes is None or scope in self.scopes

    def hears(self, event: str) -> bool:
        """Return whether the app subscribed to `event`, such as `message.channels`."""
        return self.events is None or event in self.events


def _command(row: Mapping[str, Any]) -> Command:
    about = row.get("description", ""), row.get("usage_hint", "")
    return Command(row["command"], *about, escape=bool(row.get("should_escape")))


def _shortcut(row: Mapping[str, Any]) -> Shortcut:
    return Shortcut(row["name"], row["callback_id"], row["type"])
