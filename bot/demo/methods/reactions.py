"""reactions.add, remove and get."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.demo.errors import ApiError
from bot.demo.methods.method import Method, channel_of, message_of

if TYPE_CHECKING:
    from bot.demo.slack import Slack
    from bot.demo.workspace import Json

NAME = re.compile(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?")


def add(slack: Slack, given: Json) -> Json:
    if not _react(slack, given, add=True):
        raise ApiError("already_reacted")
    return {}


def remove(slack: Slack, given: Json) -> Json:
    if not _react(slack, given, add=False):
        raise ApiError("no_reaction")
    return {}


def _react(slack: Slack, given: Json, *, add: bool) -> bool:
    name = given["name"].strip(":")
    if not NAME.fullmatch(name):
        raise ApiError("invalid_name")
    channel = channel_of(slack, given["channel"])
    message_of(channel, given["timestamp"])
    return slack.workspace.react(channel, given["timestamp"], slack.app.user_id, name, add=add)


def get(slack: Slack, given: Json) -> Json:
    channel = channel_of(slack, given["channel"])
    return {"type": "message", "channel": channel.id, "message": message_of(channel, given["timestamp"])}


METHODS = {
    "reactions.add": Method(add, "reactions:write"),
    "reactions.remove": Method(remove, "reactions:write"),
    "reactions.get": Method(get, "reactions:read"),
}
