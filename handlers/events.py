"""Slack's message events, read into what the bot keeps."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from handlers.text import plain
from knowledge.conversations import Asked, MessageKey

if TYPE_CHECKING:
    from slack_bolt.context.async_context import AsyncBoltContext

    from knowledge.conversations import Surface

SLACKBOT = "USLACKBOT"
# What a person says; every other subtype is a note of Slack's about the channel.
SPOKEN = (None, "file_share", "thread_broadcast", "me_message")


def key_of(event: dict[str, Any], context: AsyncBoltContext, ts: str | None = None) -> MessageKey:
    """Return the key of the event's message, or of another one in its channel."""
    return MessageKey(context.team_id or event.get("team") or "", event["channel"], ts or event["ts"])


def asked(event: dict[str, Any], context: AsyncBoltContext, surface: Surface) -> Asked:
    """Return the question that a message event asks; its answer goes to the message's thread."""
    return Asked(
        key=key_of(event, context),
        asker=event["user"],
        text=plain(event.get("text") or "", context.bot_user_id),
        surface=surface,
        thread_ts=event.get("thread_ts") or event["ts"],
        edited_at=edited_at(event),
    )


def edited_at(message: dict[str, Any]) -> Decimal:
    """Return when a message was last edited, 0 for never."""
    try:
        return Decimal((message.get("edited") or {}).get("ts") or 0)
    except InvalidOperation:
        return Decimal(0)


def by_person(event: dict[str, Any]) -> bool:
    """Whether a person said it, and not a bot, a workflow or Slack itself."""
    spoken = event.get("subtype") in SPOKEN and not event.get("bot_id")
    return spoken and event.get("user") not in {None, "", SLACKBOT}


def mentions(event: dict[str, Any], user: str | None) -> bool:
    """Whether the message mentions a user."""
    return bool(user) and f"<@{user}" in (event.get("text") or "")
