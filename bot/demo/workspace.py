"""The workspace's state: channels, messages, views; whoever watches is told of each change."""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from bot.demo.people import CAST, CHANNELS, GROUPS, GUEST_CHANNELS, TEAM_ID, TEAM_NAME, Person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened; `user`, where set, is the only person who may see it."""

    kind: str
    data: Json
    channel: str | None = None
    user: str | None = None


@dataclass(slots=True)
class Channel:
    """A conversation; `kind` is `channel`, `group` (private), `im` or `mpim`, as in Slack's events.

    `messages` are Slack's own message objects by ts, oldest first; `ephemeral` ones are not of the history.
    """

    id: str
    name: str
    kind: str = "channel"
    topic: str = ""
    members: list[str] = field(default_factory=list)
    messages: dict[str, Json] = field(default_factory=dict)
    ephemeral: dict[str, Json] = field(default_factory=dict)

    def thread(self, ts: str) -> list[Json]:
        """Return the parent message and its replies, oldest first."""
        return [row for row in self.messages.values() if ts in {row["ts"], row.get("thread_ts")}]

    def top_level(self) -> list[Json]:
        """Return the messages that stand in the channel itself, oldest first."""
        return [row for row in self.messages.values() if row.get("thread_ts", row["ts"]) == row["ts"]]


def new_id(prefix: str) -> str:
    """Return an id in the shape of Slack's: a letter and ten upper-case characters."""
    return prefix + secrets.token_hex(5).upper()


def _tombstone(message: Json) -> Json:
    kept = ("type", "ts", "thread_ts", "reply_count", "reply_users", "latest_reply")
    stone = {key: message[key] for key in kept} | {"subtype": "tombstone", "user": "USLACKBOT"}
    return stone | {"text": "This message was deleted.", "hidden": True}


class Workspace:
    """One team with its people, channels and messages, held in memory."""

    def __init__(self, bot: Person) -> None:
        self.team_id = TEAM_ID
        self.team_name = TEAM_NAME
        self.bot = bot
        self.people: dict[str, Person] = {person.id: person for person in (*CAST, bot)}
        self.channels: dict[str, Channel] = {}
        self.groups: list[Json] = [dict(group) for group in GROUPS]
        self.files: dict[str, Json] = {}
        self.homes: dict[str, Json] = {}
        self.statuses: dict[tuple[str, str], str] = {}
        self.prompts: dict[str, Json] = {}
        self.watchers: list[Callable[[Change], None]] = []
        self._last_ts = 0
        self._found()

    def _found(self) -> None:
        everyone = list(self.people)
        staff = [person.id for person in self.people.values() if person.kind != "guest"]
        for channel_id, name, topic in CHANNELS:
            members = everyone if name in GUEST_CHANNELS else staff
            self.channels[channel_id] = Channel(channel_id, name, topic=topic, members=list(members))
        for person in CAST:
            self.direct(person.id)

    # -- who and where --

    def direct(self, user: str) -> Channel:
        """Return the direct conversation of a person with the bot."""
        channel_id = "D" + user[1:]
        if channel_id not in self.channels:
            self.channels[channel_id] = Channel(channel_id, user, "im", members=[user, self.bot.id])
        return self.channels[channel_id]

    def create_channel(self, name: str, members: list[str], *, private: bool = False) -> Channel:
        """Return a new channel with these members."""
        channel = Channel(new_id("C"), name, "group" if private else "channel", members=list(members))
        self.channels[channel.id] = channel
        self.tell(Change("channel_created", {"channel": channel.id}, channel.id))
        return channel

    def visible_to(self, user: str) -> Iterator[Channel]:
        """Yield the conversations that a person is a member of."""
        return (channel for channel in self.channels.values() if user in channel.members)

    def find_channel(self, name: str) -> Channel | None:
        """Return the channel with this id or name (with or without `#`), or a person's DM by user id."""
        if name in self.people and name != self.bot.id:
            return self.direct(name)
        by_name = (
            one for one in self.channels.values() if one.kind != "im" and one.name == name.removeprefix("#")
        )
        return self.channels.get(name) or next(by_name, None)

    def find_person(self, name: str) -> Person | None:
        """Return the person with this id or user name."""
        by_name = (person for person in self.people.values() if person.name == name.removeprefix("@"))
        return self.people.get(name) or next(by_name, None)

    # -- messages --

    def timestamp(self) -> str:
        """Return a new message ts: seconds with six decimals, always greater than the one before."""
        self._last_ts = max(self._last_ts + 1, time.time_ns() // 1000)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def post(self, channel: Channel, message: Json) -> Json:
        """Add a message, give it its ts, and count it at its thread's parent."""
        message = {"type": "message", **message, "ts": self.timestamp(), "team": self.team_id}
        parent = channel.messages.get(message.get("thread_ts", ""))
        if parent is not None:
            message["parent_user_id"] = parent.get("user")
        channel.messages[message["ts"]] = message
        self.tell(Change("message_posted", {"message": message}, channel.id))
        if parent is not None:
            self._count_replies(channel, parent)
        return message

    def change(self, channel: Channel, ts: str, **fields: Any) -> Json:
        """Replace fields of a message; a field set to None goes."""
        before = channel.messages[ts]
        after = {key: value for key, value in (before | fields).items() if value is not None}
        channel.messages[ts] = after
        self.tell(Change("message_changed", {"message": after, "previous": before}, channel.id))
        return after

    def delete(self, channel: Channel, ts: str) -> None:
        """Remove a message; a parent with replies leaves a tombstone, as in Slack."""
        before = channel.messages[ts]
        tombstone = _tombstone(before) if before.get("reply_count") else None
        gone = {"ts": ts, "previous": before, "tombstone": tombstone, "at": self.timestamp()}
        if tombstone:
            channel.messages[ts] = tombstone
        else:
            del channel.messages[ts]
        self.tell(Change("message_deleted", gone, channel.id))
        parent = channel.messages.get(before.get("thread_ts", ""))
        if parent is not None and parent["ts"] != ts:
            self._count_replies(channel, parent)

    def _count_replies(self, channel: Channel, parent: Json) -> None:
        replies = channel.thread(parent["ts"])[1:]
        users = list(dict.fromkeys(row["user"] for row in replies))
        counted = {"reply_count": len(replies), "reply_users": users, "reply_users_count": len(users)}
        latest = {"thread_ts": parent["ts"], "latest_reply": replies[-1]["ts"]} if replies else {}
        channel.messages[parent["ts"]] = parent | counted | latest
        self.tell(Change("thread_counted", {"message": channel.messages[parent["ts"]]}, channel.id))

    def react(self, channel: Channel, ts: str, user: str, name: str, *, add: bool) -> bool:
        """Add or remove a reaction; False where nothing changed."""
        message = channel.messages[ts]
        reactions = {row["name"]: list(row["users"]) for row in message.get("reactions", [])}
        users = reactions.setdefault(name, [])
        if add == (user in users):
            return False
        (users.append if add else users.remove)(user)
        message["reactions"] = [
            {"name": key, "users": who, "count": len(who)} for key, who in reactions.items() if who
        ]
        kind = "reaction_added" if add else "reaction_removed"
        self.tell(Change(kind, {"message": message, "reaction": name, "by": user}, channel.id))
        return True

    # -- what only one person sees, and the rest --

    def whisper(self, channel: Channel, user: str, message: Json) -> Json:
        """Add an ephemeral message that only `user` sees."""
        message = {"type": "message", **message, "ts": self.timestamp(), "is_ephemeral": True, "to": user}
        channel.ephemeral[message["ts"]] = message
        self.tell(Change("ephemeral_posted", {"message": message}, channel.id, user))
        return message

    def change_ephemeral(self, channel: Channel, ts: str, fields: Json | None) -> None:
        """Replace fields of an ephemeral message; None removes it."""
        before = channel.ephemeral.pop(ts)
        if fields is not None:
            channel.ephemeral[ts] = before | fields
        kind = "ephemeral_deleted" if fields is None else "ephemeral_changed"
        self.tell(Change(kind, {"message": before | (fields or {})}, channel.id, before["to"]))

    def set_status(self, channel: Channel, thread_ts: str, status: str) -> None:
        """Show a status line in a thread; an empty one clears it."""
        self.statuses.pop((channel.id, thread_ts), None)
        if status:
            self.statuses[channel.id, thread_ts] = status
        self.tell(Change("status", {"thread_ts": thread_ts, "status": status}, channel.id))

    def move(self, channel: Channel, user: str, *, join: bool) -> None:
        """Make a person join or leave a channel."""
        if join == (user in channel.members):
            return
        (channel.members.append if join else channel.members.remove)(user)
        kind = "member_joined" if join else "member_left"
        self.tell(Change(kind, {"user": user, "members": list(channel.members)}, channel.id))

    def tell(self, change: Change) -> None:
        """Pass a change on to whoever watches."""
        for watcher in tuple(self.watchers):
            watcher(change)

    # -- to and from a file --

    def as_json(self) -> Json:
        """Return what a restart must find again."""
        channels = [asdict(channel) for channel in self.channels.values()]
        return {"channels": channels, "files": self.files, "homes": self.homes, "prompts": self.prompts}

    def restore(self, saved: Json) -> None:
        """Take over what `as_json` returned."""
        channels = [Channel(**row) for row in saved["channels"]]
        for message in (message for channel in channels for message in channel.messages.values()):
            message.pop("streaming", None)  # a stream does not outlive the server
        self.files, self.homes, self.prompts = saved["files"], saved["homes"], saved["prompts"]
        self.channels |= {channel.id: channel for channel in channels}
