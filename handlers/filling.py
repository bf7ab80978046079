"""A message that fills while its answer is written: whole quotes first, then what they support.

It is posted as any part of an answer is, with the question's key, but as of revision 0: whoever finds it
after a crash knows that it is unfinished, and the finished answer takes its place.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from aiohttp import ClientError
from slack_sdk.errors import SlackApiError

from handlers.blocks import unfinished_message
from handlers.errors import code
from handlers.thread_reader import metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.services import Services
    from knowledge.answers import Answer
    from knowledge.conversations import Question

PATIENCE = (
    2.0  # seconds; an answer that is there sooner, as the embedded model's is, is posted once and whole
)
INTERVAL = 1.2  # seconds between two updates of whatever message: Slack takes some 50 a minute

log = logging.getLogger(__name__)


class Pace:
    """Takes turns over all that one client fills, `interval` seconds apart."""

    def __init__(self, interval: float = INTERVAL, patience: float = PATIENCE) -> None:
        self.patience = patience
        self._interval = interval
        self._next = 0.0

    def wait(self) -> float:
        """Take the next turn; return in how many seconds it is."""
        now = time.monotonic()
        turn = max(now, self._next)
        self._next = turn + self._interval
        return turn - now


class Filling:
    """One answer in the making, and the message that shows what stands of it.

    Attributes:
        begun: something was shown, or may have been.
        ts: the message's, once it is there.
        unsure: a message may have been posted, and nobody knows its ts but the thread.
    """

    def __init__(
        self, client: AsyncWebClient, services: Services, question: Question, ts: str | None
    ) -> None:
        self._client = client
        self._services = services
        self._question = question
        self._answer: Answer | None = None
        self._more = asyncio.Event()
        self._done = asyncio.Event()
        self.begun = False
        self.ts = ts
        self.unsure = False

    def show(self, answer: Answer) -> None:
        """Take what stands of the answer; it is shown when its turn comes, unless there is more by then."""
        self._answer = answer
        self._more.set()

    def finish(self) -> None:
        """Show nothing more."""
        self._done.set()
        self._more.set()

    async def run(self, pace: Pace) -> None:
        """Show what there is, turn by turn, until finished; a refusal only ends the filling."""
        try:
            await self._pause(pace.patience)
            while await self._something() and await self._allowed():
                await self._show()
                await self._pause(pace.wait())
        except SlackApiError as error:
            log.info("Slack refused a message that fills: %s", code(error))
        except (ClientError, TimeoutError):
            self.unsure = self.ts is None
            log.info("A message that fills may not have reached Slack.")

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._done.wait(), seconds)

    async def _something(self) -> bool:
        """Wait for more to show; False once finished."""
        await self._more.wait()
        self._more.clear()
        return not self._done.is_set()

    async def _allowed(self) -> bool:
        """Note that a message may stand in the thread; False where the question changed meanwhile."""
        self.begun = self.begun or await self._services.begin_posting(self._question, None)
        return self.begun

    async def _show(self) -> None:
        assert self._answer is not None
        message = unfinished_message(self._answer)
        marked = metadata(replace(self._question, revision=0), 1, asks=False)
        channel = self._question.key.channel
        if self.ts:
            await self._client.chat_update(
                channel=channel, ts=self.ts, text=message.text, blocks=message.blocks, metadata=marked
            )
            return
        posted = await self._client.chat_postMessage(
            channel=channel,
            thread_ts=self._question.thread_ts,
            text=message.text,
            blocks=message.blocks,
            metadata=marked,
            unfurl_links=False,
            unfurl_media=False,
        )
        self.ts = str(posted["ts"])
        await self._services.record_reply(self._question.id, 1, self.ts)


@asynccontextmanager
async def filling(
    client: AsyncWebClient, services: Services, question: Question, ts: str | None, pace: Pace
) -> AsyncIterator[Filling]:
    """Fill a message while the block runs, the one at `ts` where there is one.

    At the block's end nothing is under way any more: what is posted then comes last.
    """
    one = Filling(client, services, question, ts)
    running = asyncio.create_task(one.run(pace))
    try:
        yield one
    finally:
        one.finish()
        await running
