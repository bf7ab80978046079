"""What a method is, and the look-ups that methods share."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.demo.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.demo.slack import Slack
    from bot.demo.workspace import Channel, Json

MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Method:
    """A method; `scope` is what the bot token needs, `app_level` asks for the app token instead."""

    run: Callable[[Slack, Json], Json]
    scope: str | None = None
    app_level: bool = False


def channel_of(slack: Slack, name: str, *, joined: bool = True) -> Channel:
    """Return the conversation with this id or name.

    Raises:
        ApiError: `channel_not_found`, also where it is private and the app is not in it; `not_in_channel`.
    """
    channel = slack.workspace.find_channel(name)
    inside = channel is not None and slack.app.user_id in channel.members
    if channel is None or (channel.kind != "channel" and not inside):
        raise ApiError("channel_not_found")
    if joined and not inside:
        raise ApiError("not_in_channel")
    return channel


def readable(slack: Slack, given: Json, right: str) -> Channel:
    """Return the conversation, where the app has the scope for its kind, such as `im:history`.

    Raises:
        ApiError: `missing_scope`, or as `channel_of`.
    """
    channel = channel_of(slack, given["channel"], joined=right == "history")
    kind = {"channel": "channels", "group": "groups"}.get(channel.kind, channel.kind)
    allow(slack, f"{kind}:{right}")
    return channel


def allow(slack: Slack, scope: str | None) -> None:
    """Raise ApiError `missing_scope` where the app was not granted a scope."""
    if not slack.app.may(scope):
        raise ApiError("missing_scope", needed=scope, provided=",".join(sorted(slack.app.scopes or ())))


def message_of(channel: Channel, ts: str) -> Json:
    """Return a message of the history; an ephemeral one is not part of it."""
    if ts not in channel.messages:
        raise ApiError("message_not_found")
    return channel.messages[ts]


def page(rows: list[Any], given: Json) -> tuple[list[Any], Json]:
    """Return the part of `rows` that `limit` and `cursor` ask for, and the fields that lead to the next."""
    limit = min(int(given.get("limit") or 100), MAX_PAGE)
    start = int(base64.b64decode(given["cursor"])) if given.get("cursor") else 0
    more = start + limit < len(rows)
    cursor = base64.b64encode(str(start + limit).encode()).decode() if more else ""
    return rows[start : start + limit], {"has_more": more, "response_metadata": {"next_cursor": cursor}}
