"""Putting an answer's messages into a thread: posted once, updated in place, taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slack_sdk.errors import SlackApiError

from handlers.errors import code
from handlers.thread_reader import metadata

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.message import Message
    from handlers.services import Services
    from handlers.thread_reader import Posted
    from knowledge.conversations import Question

GONE = frozenset({"message_not_found", "thread_not_found", "channel_not_found"})


async def publish(
    client: AsyncWebClient,
    services: Services,
    question: Question,
    messages: Sequence[Message],
    posted: Mapping[int, Posted],
    *,
    asks: bool = False,
) -> None:
    """Make the thread show exactly these messages, given the parts that it shows already."""
    for part, message in enumerate(messages, 1):
        ts = await _show(client, question, part, message, posted.get(part), asks=asks)
        await services.record_reply(question.id, part, ts)
    for part in sorted(posted.keys() - range(1, len(messages) + 1)):
        await _take_back(client, services, question, part, posted[part].ts)


async def retract(
    client: AsyncWebClient, services: Services, question: Question, posted: Mapping[int, Posted]
) -> None:
    """Delete every part that the thread shows."""
    for part, message in sorted(posted.items()):
        await _take_back(client, services, question, part, message.ts)


async def _show(
    client: AsyncWebClient,
    question: Question,
    part: int,
    message: Message,
    posted: Posted | None,
    *,
    asks: bool,
) -> str:
    """Post a part, or update the one that is there; return its ts."""
    if posted and posted.revision == question.revision:
        return posted.ts
    marked = metadata(question, part, asks=asks)
    if posted and await _update(client, question.key.channel, posted.ts, message, marked):
        return posted.ts
    answer = await client.chat_postMessage(
        channel=question.key.channel,
        thread_ts=question.thread_ts,
        text=message.text,
        blocks=message.blocks,
        metadata=marked,
        unfurl_links=False,
        unfurl_media=False,
    )
    return str(answer["ts"])


async def _update(
    client: AsyncWebClient, channel: str, ts: str, message: Message, marked: dict[str, object]
) -> bool:
    """Update a message; False where somebody deleted it."""
    try:
        await client.chat_update(
            channel=channel, ts=ts, text=message.text, blocks=message.blocks, metadata=marked
        )
    except SlackApiError as error:
        if code(error) != "message_not_found":
            raise
        return False
    return True


async def _take_back(
    client: AsyncWebClient, services: Services, question: Question, part: int, ts: str
) -> None:
    try:
        await client.chat_delete(channel=question.key.channel, ts=ts)
    except SlackApiError as error:
        if code(error) not in GONE:
            raise
    await services.forget_reply(question.id, part)
