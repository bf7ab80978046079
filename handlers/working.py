"""Showing that an answer is on its way: a status in the thread, else a reaction on the question."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from aiohttp import ClientError
from slack_sdk.errors import SlackApiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from slack_sdk.web.async_client import AsyncWebClient

    from knowledge.conversations import Question

STATUS = "is looking through the documents…"
REACTION = "hourglass_flowing_sand"
REFRESH = 90  # seconds; Slack clears a status after two minutes

REFUSED = (SlackApiError, ClientError, TimeoutError)

log = logging.getLogger(__name__)


@asynccontextmanager
async def working(client: AsyncWebClient, question: Question) -> AsyncIterator[None]:
    """Show it while the block runs, and take it away at its end, however it ends."""
    done = asyncio.Event()
    showing = asyncio.create_task(_show(client, question, done))
    try:
        yield
    finally:
        done.set()
        reacted = await showing
        await clear(client, question, reacted=reacted)


async def _show(client: AsyncWebClient, question: Question, done: asyncio.Event) -> bool:
    """Keep the status up until `done`; return whether a reaction had to stand in for it."""
    while not done.is_set():
        try:
            await _set_status(client, question, STATUS)
        except REFUSED:
            return await _react(client, question)
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), REFRESH)
    return False


async def _react(client: AsyncWebClient, question: Question) -> bool:
    with suppress(*REFUSED):
        await client.reactions_add(channel=question.key.channel, timestamp=question.key.ts, name=REACTION)
    return True


async def clear(client: AsyncWebClient, question: Question, *, reacted: bool = True) -> None:
    """Take the status away, and the reaction where there may be one."""
    with suppress(*REFUSED):
        await _set_status(client, question, "")
    if reacted:
        with suppress(*REFUSED):
            await client.reactions_remove(
                channel=question.key.channel, timestamp=question.key.ts, name=REACTION
            )


async def _set_status(client: AsyncWebClient, question: Question, status: str) -> None:
    thread_ts = question.thread_ts or question.key.ts
    await client.assistant_threads_setStatus(
        channel_id=question.key.channel, thread_ts=thread_ts, status=status
    )
