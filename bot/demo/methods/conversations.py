"""conversations.*: channels, their members, their messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.demo.errors import ApiError
from bot.demo.methods.method import Method, channel_of, message_of, page, readable

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.demo.slack import Slack
    from bot.demo.workspace import Channel, Json

TYPES = {"channel": "public_channel", "group": "private_channel"}


def describe(slack: Slack, channel: Channel) -> Json:
    """Return the channel object of Slack's API."""
    row: dict[str, Any] = {
        "id": channel.id,
        "is_channel": channel.kind == "channel",
        "is_group": channel.kind == "group",
        "is_im": channel.kind == "im",
        "is_mpim": channel.kind == "mpim",
        "is_private": channel.kind != "channel",
        "is_archived": False,
        "is_general": channel.name == "general",
        "is_shared": False,
        "is_ext_shared": False,
        "context_team_id": slack.workspace.team_id,
    }
    if channel.kind == "im":
        return row | {"user": next(one for one in channel.members if one != slack.app.user_id)}
    inside = slack.app.user_id in channel.members
    about = {"value": channel.topic, "creator": "", "last_set": 0}
    members = {"is_member": inside, "num_members": len(channel.members)}
    return row | {"name": channel.name, "topic": about, "purpose": about} | members


def conversations_list(slack: Slack, given: Json) -> Json:
    wanted = set((given.get("types") or "public_channel").split(","))
    seen = [
        describe(slack, channel)
        for channel in slack.workspace.channels.values()
        if TYPES.get(channel.kind, channel.kind) in wanted
        and (channel.kind == "channel" or slack.app.user_id in channel.members)
    ]
    rows, following = page(seen, given)
    return {"channels": rows, **following}


def info(slack: Slack, given: Json) -> Json:
    return {"channel": describe(slack, readable(slack, given, "read"))}


def members(slack: Slack, given: Json) -> Json:
    rows, following = page(readable(slack, given, "read").members, given)
    return {"members": rows, **following}


def _between(given: Json) -> Callable[[Json], bool]:
    oldest, latest = str(given.get("oldest") or "0"), str(given.get("latest") or "9" * 10)
    inclusive = str(given.get("inclusive", "")).lower() in {"1", "true"}

    def within(row: Json) -> bool:
        ts = float(row["ts"])
        strict = float(oldest) < ts < float(latest)
        return strict or (inclusive and ts in {float(oldest), float(latest)})

    return within


def _bare(row: Json, given: Json) -> Json:
    """Leave the metadata out, unless asked for: Slack does not send it by itself."""
    keep = str(given.get("include_all_metadata", "")).lower() in {"1", "true"}
    return row if keep else {key: value for key, value in row.items() if key != "metadata"}


def history(slack: Slack, given: Json) -> Json:
    channel = readable(slack, given, "history")
    broadcast = [row for row in channel.messages.values() if row.get("subtype") == "thread_broadcast"]
    rows = sorted((*channel.top_level(), *broadcast), key=lambda row: row["ts"], reverse=True)
    found, following = page([_bare(row, given) for row in rows if _between(given)(row)], given)
    return {"messages": found, **following}


def replies(slack: Slack, given: Json) -> Json:
    channel = readable(slack, given, "history")
    message = channel.messages.get(given["ts"])
    if message is None:
        raise ApiError("thread_not_found")
    parent, *others = channel.thread(message.get("thread_ts") or message["ts"])
    kept = [_bare(row, given) for row in (parent, *filter(_between(given), others))]
    found, following = page(kept, given)
    return {"messages": found, **following}


def open_direct(slack: Slack, given: Json) -> Json:
    if given.get("channel"):
        return {"channel": describe(slack, channel_of(slack, given["channel"]))}
    users = given["users"].split(",") if isinstance(given["users"], str) else given["users"]
    if len(users) != 1 or users[0] not in slack.workspace.people:
        raise ApiError("user_not_found")
    return {"channel": describe(slack, slack.workspace.direct(users[0]))}


def join(slack: Slack, given: Json) -> Json:
    channel = channel_of(slack, given["channel"], joined=False)
    slack.workspace.move(channel, slack.app.user_id, join=True)
    return {"channel": describe(slack, channel)}


def mark_read(slack: Slack, given: Json) -> Json:
    message_of(channel_of(slack, given["channel"]), given["ts"])
    return {}


METHODS = {
    "conversations.list": Method(conversations_list, "channels:read"),
    "conversations.info": Method(info),
    "conversations.members": Method(members),
    "conversations.history": Method(history),
    "conversations.replies": Method(replies),
    "conversations.open": Method(open_direct, "im:write"),
    "conversations.join": Method(join, "channels:join"),
    "conversations.mark": Method(mark_read, "channels:manage"),
}
