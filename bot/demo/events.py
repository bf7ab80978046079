"""Events API: what the app is told when something happens in the workspace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from bot.demo.workspace import Change, Channel, Json, Workspace, new_id

if TYPE_CHECKING:
    from bot.demo.app import App
    from bot.demo.socket_mode import SocketMode

Described = Iterator[tuple[str, Json]]
"""Pairs of the subscription that an event needs, and the event."""


class Events:
    """Turns changes of the workspace into events, and delivers those that the app subscribed to."""

    def __init__(self, workspace: Workspace, app: App, socket: SocketMode) -> None:
        self.workspace = workspace
        self.app = app
        self.socket = socket
        workspace.watchers.append(self.watch)

    def watch(self, change: Change) -> None:
        """Deliver the events that a change gives rise to, where the app is a member."""
        channel = self.workspace.channels.get(change.channel or "")
        describe = DESCRIBE.get(change.kind)
        if describe is None or channel is None or self.app.user_id not in channel.members:
            return
        for subscription, event in describe(self.app, channel, change.data):
            self.deliver(subscription, event)

    def deliver(self, subscription: str, event: Json) -> None:
        """Send one event, where the app subscribed to it."""
        if self.app.hears(subscription):
            self.socket.post_event(self._callback(event))

    def _callback(self, event: Json) -> Json:
        event = {"event_ts": self.workspace.timestamp(), **event}
        authorization = {"team_id": self.workspace.team_id, "user_id": self.app.user_id, "is_bot": True}
        return {
            "type": "event_callback",
            "token": "unused",
            "team_id": self.workspace.team_id,
            "api_app_id": self.app.id,
            "event": event,
            "event_id": new_id("Ev"),
            "event_time": int(time.time()),
            "authorizations": [authorization | {"enterprise_id": None, "is_enterprise_install": False}],
            "is_ext_shared_channel": False,
        }


def _posted(app: App, channel: Channel, data: Json) -> Described:
    message = data["message"]
    place = {"channel": channel.id, "channel_type": channel.kind, "event_ts": message["ts"]}
    yield f"message.{_plural(channel)}", message | place
    yield from _mention(app, channel, message)


def _changed(app: App, channel: Channel, data: Json) -> Described:
    message, before = data["message"], data["previous"]
    yield (
        f"message.{_plural(channel)}",
        {
            "type": "message",
            "subtype": "message_changed",
            "hidden": True,
            "message": message,
            "previous_message": before,
            "channel": channel.id,
            "channel_type": channel.kind,
            "ts": message.get("edited", message)["ts"],
        },
    )
    if message.get("edited") != before.get("edited"):
        yield from _mention(app, channel, message)


def _deleted(app: App, channel: Channel, data: Json) -> Described:
    yield (
        f"message.{_plural(channel)}",
        {
            "type": "message",
            "subtype": "message_deleted",
            "hidden": True,
            "deleted_ts": data["ts"],
            "previous_message": data["previous"],
            "channel": channel.id,
            "channel_type": channel.kind,
            "ts": data["at"],
        },
    )


def _mention(app: App, channel: Channel, message: Json) -> Described:
    """Slack sends no app_mention in direct messages, nor for what the app itself wrote."""
    mentioned = f"<@{app.user_id}>" in message.get("text", "") and message.get("user") != app.user_id
    if mentioned and channel.kind != "im":
        copied = (
            "user",
            "text",
            "ts",
            "thread_ts",
            "team",
            "blocks",
            "files",
            "edited",
            "parent_user_id",
            "bot_id",
        )
        event = {key: message[key] for key in copied if key in message}
        yield (
            "app_mention",
            {"type": "app_mention", "channel": channel.id, "event_ts": message["ts"], **event},
        )


def _reaction(kind: str) -> Callable[[App, Channel, Json], Described]:
    def describe(_app: App, channel: Channel, data: Json) -> Described:
        item = {"type": "message", "channel": channel.id, "ts": data["message"]["ts"]}
        event = {"type": kind, "user": data["by"], "reaction": data["reaction"], "item": item}
        yield kind, event | {"item_user": data["message"].get("user")}

    return describe


def _membership(kind: str) -> Callable[[App, Channel, Json], Described]:
    def describe(_app: App, channel: Channel, data: Json) -> Described:
        letter = "G" if channel.kind == "group" else "C"
        yield kind, {"type": kind, "user": data["user"], "channel": channel.id, "channel_type": letter}

    return describe


def _plural(channel: Channel) -> str:
    return {"channel": "channels", "group": "groups"}.get(channel.kind, channel.kind)


DESCRIBE: dict[str, Callable[[App, Channel, Json], Described]] = {
    "message_posted": _posted,
    "message_changed": _changed,
    "message_deleted": _deleted,
    "reaction_added": _reaction("reaction_added"),
    "reaction_removed": _reaction("reaction_removed"),
    "member_joined": _membership("member_joined_channel"),
    "member_left": _membership("member_left_channel"),
}
