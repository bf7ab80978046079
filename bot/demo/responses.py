"""Response URLs and trigger ids: what an interaction allows an app to do afterwards, and for how long."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.demo import validate
from bot.demo.errors import ApiError

if TYPE_CHECKING:
    from bot.demo.workspace import Channel, Json, Workspace

URL_USES = 5  # "up to 5 times within 30 minutes of receiving the payload"
URL_LIFETIME_S = 1800.0
TRIGGER_LIFETIME_S = 3.0


@dataclass(slots=True)
class Response:
    """What a response_url stands for; `ts` is the message it came from, None for a slash command."""

    channel: Channel
    user: str
    ts: str | None = None
    uses: int = 0
    born: float = field(default_factory=time.monotonic)


class ResponseUrls:
    """The response URLs given out so far."""

    def __init__(self, workspace: Workspace, author: Json) -> None:
        self.workspace = workspace
        self.author = author
        self.base = ""
        self._given: dict[str, Response] = {}

    def issue(self, channel: Channel, user: str, ts: str | None = None) -> str:
        """Return a new address."""
        token = secrets.token_urlsafe(18)
        self._given[token] = Response(channel, user, ts)
        return f"{self.base}/response/{token}"

    def respond(self, token: str, body: Json) -> None:
        """Do what the app asks through a response_url.

        Raises:
            ApiError: `used_url`, `expired_url`, or what is wrong with the message.
        """
        response = self._given.get(token)
        if response is None or time.monotonic() - response.born > URL_LIFETIME_S:
            raise ApiError("expired_url")
        if response.uses >= URL_USES:
            raise ApiError("used_url")
        response.uses += 1
        self.show(response, body)

    def show(self, response: Response, body: Json) -> None:
        """Post, replace or delete, as `response_type`, `replace_original` and `delete_original` say."""
        if body.get("delete_original"):
            return self._replace(response, None)
        message = self._message(body)
        if body.get("replace_original") and response.ts is not None:
            return self._replace(response, message)
        if body.get("thread_ts"):
            message["thread_ts"] = body["thread_ts"]
        if body.get("response_type") == "in_channel":
            self.workspace.post(response.channel, message)
        else:
            self.workspace.whisper(response.channel, response.user, message)
        return None

    def _message(self, body: Json) -> Json:
        validate.message(body)
        blocks = validate.with_ids(body.get("blocks") or [])
        return self.author | {"text": body.get("text", "")} | ({"blocks": blocks} if blocks else {})

    def _replace(self, response: Response, message: Json | None) -> None:
        channel, ts = response.channel, response.ts or ""
        if ts in channel.ephemeral:
            self.workspace.change_ephemeral(channel, ts, message)
        elif ts not in channel.messages:
            raise ApiError("message_not_found")
        elif message is None:
            self.workspace.delete(channel, ts)
        else:
            self.workspace.change(channel, ts, text=message["text"], blocks=message.get("blocks"))


class Triggers:
    """The trigger ids given out so far: each opens one view, for a few seconds."""

    def __init__(self, lifetime: float = TRIGGER_LIFETIME_S) -> None:
        self.lifetime = lifetime
        self._given: dict[str, tuple[str, float]] = {}
        self._used: set[str] = set()

    def issue(self, user: str) -> str:
        """Return a new trigger id for what a person just did."""
        trigger = f"{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._given[trigger] = user, time.monotonic()
        return trigger

    def redeem(self, trigger: str) -> str:
        """Return whose trigger it is, and use it up.

        Raises:
            ApiError: `invalid_trigger_id`, `exchanged_trigger_id` (used before) or `expired_trigger_id`.
        """
        if trigger not in self._given:
            raise ApiError("invalid_trigger_id")
        if trigger in self._used:
            raise ApiError("exchanged_trigger_id")
        user, born = self._given[trigger]
        if time.monotonic() - born > self.lifetime:
            raise ApiError("expired_trigger_id")
        self._used.add(trigger)
        return user
