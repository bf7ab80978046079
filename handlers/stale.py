"""The mark under an answer whose quotes are gone from their documents, and the button that asks again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slack_sdk.errors import SlackApiError

from handlers.ask import acknowledge
from handlers.blocks import answer_messages
from handlers.errors import guarded, hopeless, report, whisper
from handlers.message import Message
from handlers.thread_reader import metadata

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from slack_bolt.async_app import AsyncApp
    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.rich import Block
    from handlers.services import Services
    from knowledge.conversations import Question
    from knowledge.stale import StaleQuote

ASK_AGAIN = "ask_again"
CHANGED = "The source changed since: {} no longer in the documents."
ASK_AGAIN_LABEL = "Ask again"
ASKING = "I'm looking at the documents as they are now; the answer above will change in a moment."
TOO_LATE = "That question is gone, so there is nothing to ask again."


def join(app: AsyncApp, services: Services) -> None:
    """Answer a question anew where somebody asks for it."""

    async def ask_again(body: dict[str, Any], client: AsyncWebClient) -> None:
        asked = await services.ask_again(int(body["actions"][0]["value"]))
        await whisper(body, client, ASKING if asked else TOO_LATE)

    app.action(ASK_AGAIN)(ack=acknowledge, lazy=[guarded(ask_again)])


class Marking:
    """Brings the mark under an answer into the state that its quotes are in, however often it is tried."""

    def __init__(
        self,
        client: AsyncWebClient,
        services: Services,
        stale_quotes: Callable[[int], Awaitable[Sequence[StaleQuote]]],
    ) -> None:
        self._client, self._services, self._stale_quotes = client, services, stale_quotes

    async def mark(self, question_id: int) -> None:
        """Show under the answer which of its quotes are gone; where none is, show it as it was.

        Raises:
            SlackApiError: Slack refused; another attempt may succeed.
        """
        question = await self._services.find_question(question_id)
        if question is None or not _is_shown(question):
            return
        message = marked_message(question, await self._stale_quotes(question_id))
        part = max(question.replies)
        try:
            await self._client.chat_update(
                channel=question.key.channel,
                ts=question.replies[part],
                text=message.text,
                blocks=message.blocks,
                metadata=metadata(question, part, asks=False),
            )
        except SlackApiError as error:
            if not hopeless(error):
                raise
            report(error, f"Marking the answer to question {question_id}")


def _is_shown(question: Question) -> bool:
    """Whether the thread shows this answer: what only one person saw cannot be changed."""
    in_thread = question.surface != "command" and bool(question.replies)
    return in_thread and question.settled and not question.retracted and question.answer is not None


def marked_message(question: Question, stale: Sequence[StaleQuote]) -> Message:
    """Return the last message of an answer, with a mark for the quotes that are gone."""
    assert question.answer is not None
    last = answer_messages(question.id, question.answer)[-1]
    if not stale:
        return last
    markers = ", ".join(f"[{quote.marker}]" for quote in stale)
    said = CHANGED.format(f"{markers} {'is' if len(stale) == 1 else 'are'}")
    return Message(f"{last.text}\n{said}", [*last.blocks, *_mark(question.id, said)])


def _mark(question_id: int, said: str) -> list[Block]:
    words = {"type": "plain_text", "text": f"\N{WARNING SIGN} {said}", "emoji": True}
    label = {"type": "plain_text", "text": ASK_AGAIN_LABEL}
    button = {"type": "button", "action_id": ASK_AGAIN, "text": label, "value": str(question_id)}
    return [{"type": "context", "elements": [words]}, {"type": "actions", "elements": [button]}]
