"""A thread as Slack tells it: what was said before a question, and which messages answer it already."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from slack_sdk.errors import SlackApiError

from grammars.engine.protocol import Turn
from handlers.text import clip, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slack_sdk.web.async_client import AsyncWebClient

    from knowledge.conversations import Question

ANSWER_EVENT = "almanac_answer"  # the metadata's event_type on everything that we post
PAGE = 200  # messages; Slack takes up to 1,000 and recommends no more than 200
MOST_TURNS = 10
LONGEST_TURN = 1_000  # characters

log = logging.getLogger(__name__)

Said = dict[str, Any]
"""One message of a thread, as conversations.replies gives it."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A part of an answer that stands in the thread; `revision` is 0 where only its ts is known."""

    ts: str
    revision: int = 0


def metadata(question: Question, part: int, *, asks: bool) -> dict[str, Any]:
    """Return the metadata of a part of an answer; `asks` marks what expects a reply."""
    payload = {
        "question": str(question.key),
        "part": part,
        "revision": question.revision,
        "asker": question.asker,
        "asks": asks,
    }
    return {"event_type": ANSWER_EVENT, "event_payload": payload}


def payload_of(message: Said) -> dict[str, Any]:
    """Return what `metadata` put on a message, empty for anybody else's."""
    found = message.get("metadata") or {}
    return found.get("event_payload") or {} if found.get("event_type") == ANSWER_EVENT else {}


async def read_thread(client: AsyncWebClient, channel: str, thread_ts: str) -> list[Said]:
    """Return the thread's messages, oldest first; none where the bot may not read them.

    Raises:
        SlackApiError: Slack refused for another reason.
    """
    messages: list[Said] = []
    try:
        pages = await client.conversations_replies(
            channel=channel, ts=thread_ts, limit=PAGE, include_all_metadata=True
        )
        async for page in pages:
            messages.extend(page["messages"])
    except SlackApiError as error:
        if error.response.get("error") != "missing_scope":
            raise
        log.warning("The app lacks the scope to read threads: %s", error.response.get("needed"))
    return messages


def before(messages: Sequence[Said], ts: str) -> list[Said]:
    """Return the messages that were there before `ts`."""
    return [message for message in messages if Decimal(message["ts"]) < Decimal(ts)]


def posted_parts(messages: Sequence[Said], question: Question, bot_user: str) -> dict[int, Posted]:
    """Return the parts of the question's answer that stand in the thread, by part."""
    ours = ((message["ts"], payload_of(message)) for message in messages if message.get("user") == bot_user)
    return {
        payload["part"]: Posted(ts, payload["revision"])
        for ts, payload in ours
        if payload.get("question") == str(question.key)
    }


def turns(messages: Sequence[Said], bot_user: str) -> tuple[Turn, ...]:
    """Return what people and the bot said, other bots left out."""
    said = [_turn(message, bot_user) for message in messages if _speaks(message, bot_user)]
    return tuple(turn for turn in said if turn.text)[-MOST_TURNS:]


def _speaks(message: Said, bot_user: str) -> bool:
    return message.get("user") == bot_user or not (message.get("bot_id") or message.get("hidden"))


def _turn(message: Said, bot_user: str) -> Turn:
    text = plain(message.get("text") or "", bot_user)
    if message.get("user") == bot_user:
        return Turn("assistant", clip(text.split("\n[1] ", 1)[0], LONGEST_TURN))
    return Turn("user", clip(text, LONGEST_TURN))
