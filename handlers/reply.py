"""The worker's side: brings a question's thread into the state that was asked for, however often it is tried.

A question is settled by the same steps whether it is new, edited or deleted, tried for the first time or
after a crash. Between posting and recording, only the thread itself knows what was posted: each message
carries its question's key, and where an attempt may have posted, it is looked for there before anything is
posted again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from slack_sdk.errors import SlackApiError
from slack_sdk.webhook.async_client import AsyncWebhookClient

from handlers.addressing import addressed
from handlers.audience import Audiences
from handlers.blocks import HELP, answer_messages, notice, private_messages
from handlers.errors import hopeless, report
from handlers.filling import Pace, filling
from handlers.publish import publish, retract
from handlers.thread_reader import Posted, before, posted_parts, read_thread, turns
from handlers.working import clear, working

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from slack_sdk.web.async_client import AsyncWebClient

    from grammars.engine.protocol import Turn
    from handlers.filling import Filling
    from handlers.message import Message
    from handlers.services import Services
    from handlers.thread_reader import Said
    from knowledge.answers import Answer
    from knowledge.conversations import Question

APOLOGISE_AT = 2  # the attempt (from 0) at which a failing answer becomes an apology
SKIP_AT = 12  # the attempt at which a question is not tried any more: it may be what kills its workers

log = logging.getLogger(__name__)


class TriedTooOftenError(Exception):
    """Answering this question was tried again and again without coming to an end."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the thread is to show; `asks` where it expects a reply."""

    messages: list[Message] = field(default_factory=list)
    answer: Answer | None = None
    asks: bool = False


class Delivery:
    """Settles questions through a client whose bot user is `bot_user`."""

    def __init__(self, client: AsyncWebClient, services: Services, bot_user: str) -> None:
        self.client = client
        self.services = services
        self.bot_user = bot_user
        self.audiences = Audiences(client, services.reading)
        self.pace = Pace()

    async def settle(self, question_id: int, *, attempt: int) -> None:
        """Do what the question's current revision calls for; `attempt` counts from 0.

        Raises:
            QuestionBusyError: another worker is at it.
            SlackApiError: Slack refused; another attempt may succeed.
        """
        async with self.services.holding(question_id):
            question = await self.services.find_question(question_id)
            if question is None:
                return
            try:
                await self._settle(question, attempt)
            except SlackApiError as error:
                if not hopeless(error):
                    raise
                report(error, f"Posting the answer to question {question_id}")
                await self.services.settle_question(question)

    async def _settle(self, question: Question, attempt: int) -> None:
        if question.settled:
            if attempt and question.thread_ts:  # the process died after settling, maybe before this
                await clear(self.client, question)
        elif question.retracted:
            await self._retract(question)
        elif question.surface == "command":
            await self._answer_privately(question, attempt)
        else:
            await self._answer_in_thread(question, attempt)

    async def _answer_in_thread(self, question: Question, attempt: int) -> None:
        thread = await self._read(question)
        if question.surface == "follow_up" and not self._is_addressed(question, thread):
            await self.services.ignore_question(question)
            return
        posted = self._posted(question, thread)
        shown = posted[1].ts if 1 in posted else None
        async with working(self.client, question):
            history = turns(before(thread, question.key.ts), self.bot_user)
            async with filling(self.client, self.services, question, shown, self.pace) as filled:
                outcome = await self._outcome(question, history, attempt, filled.show)
            if not await self.services.begin_posting(question, outcome.answer):
                return  # edited or deleted meanwhile: that has a job of its own
            posted |= await self._unfinished(question, filled)
            await publish(self.client, self.services, question, outcome.messages, posted, asks=outcome.asks)
            await self.services.settle_question(question)

    async def _unfinished(self, question: Question, filled: Filling) -> dict[int, Posted]:
        """Return the message that filled, which is to be updated whatever it shows."""
        if filled.unsure:
            return self._posted(question, await self._read(replace(question, posting=True)))
        return {1: Posted(filled.ts)} if filled.begun and filled.ts else {}

    async def _read(self, question: Question) -> list[Said]:
        """Read the thread where there is something before the question in it, or maybe an answer."""
        thread_ts = question.thread_ts or question.key.ts
        if thread_ts == question.key.ts and not question.posting:
            return []
        return await read_thread(self.client, question.key.channel, thread_ts)

    def _is_addressed(self, question: Question, thread: Sequence[Said]) -> bool:
        return bool(question.replies) or question.posting or addressed(question, thread, self.bot_user)

    def _posted(self, question: Question, thread: Sequence[Said]) -> dict[int, Posted]:
        recorded = {part: Posted(ts) for part, ts in question.replies.items()}
        return recorded | posted_parts(thread, question, self.bot_user)

    async def _outcome(
        self,
        question: Question,
        history: tuple[Turn, ...],
        attempt: int,
        on_progress: Callable[[Answer], None] | None = None,
    ) -> Outcome:
        """Return what to post: an answer, a hint how to ask, or an apology once trying again did not help."""
        if question.answer is None and not question.text:
            return Outcome(notice(HELP), asks=True)
        try:
            answer = question.answer or await self._answer(question, history, attempt, on_progress)
        except Exception as error:
            if attempt < APOLOGISE_AT:
                raise
            return Outcome(notice(report(error, f"Answering question {question.id}")))
        private = question.surface == "command"
        render = private_messages if private else answer_messages
        return Outcome(render(question.id, answer), answer)

    async def _answer(
        self,
        question: Question,
        history: tuple[Turn, ...],
        attempt: int,
        on_progress: Callable[[Answer], None] | None,
    ) -> Answer:
        if attempt >= SKIP_AT:
            raise TriedTooOftenError
        readers = await self.audiences.of(question)
        answer = await self.services.answer(
            question.text, history=history, audience=readers.audience, on_progress=on_progress
        )
        return readers.noted(answer)

    async def _answer_privately(self, question: Question, attempt: int) -> None:
        """Answer a slash command; after a crash maybe twice: what only one person sees can't be looked up."""
        outcome = await self._outcome(question, (), attempt)
        if not await self.services.begin_posting(question, outcome.answer):
            return
        for message in outcome.messages:
            await self._whisper(question, message)
        await self.services.settle_question(question)

    async def _whisper(self, question: Question, message: Message) -> None:
        """Send through the response URL, which works wherever the command was typed, while it is valid."""
        if question.response_url:
            answer = await AsyncWebhookClient(
                question.response_url, retry_handlers=self.client.retry_handlers
            ).send(text=message.text, blocks=message.blocks, response_type="ephemeral")
            if answer.status_code == 200:  # noqa: PLR2004 - HTTP's own number
                return
        await self.client.chat_postEphemeral(
            channel=question.key.channel, user=question.asker, text=message.text, blocks=message.blocks
        )

    async def _retract(self, question: Question) -> None:
        thread = await self._read(question)
        await retract(self.client, self.services, question, self._posted(question, thread))
        await self.services.settle_question(question)
