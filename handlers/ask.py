"""`/ask`: an answer that only the asker sees, with a button that shares it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handlers.blocks import SHARE, shared_messages
from handlers.errors import guarded, whisper
from handlers.publish import publish
from handlers.text import plain
from knowledge.conversations import Asked, MessageKey

if TYPE_CHECKING:
    from slack_bolt.async_app import AsyncApp
    from slack_bolt.context.ack.async_ack import AsyncAck
    from slack_bolt.context.async_context import AsyncBoltContext
    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.audience import Audiences
    from handlers.services import Services
    from knowledge.answers import Answer
    from knowledge.audience import Audience

COMMAND = "/ask"
LOOKING = "Looking that up. Only you will see the answer."
USAGE = "What would you like to know? Type your question after `/ask`."
SHARED = "This answer is in the channel already."
UNREADABLE = "Not everyone here may read the documents behind this answer, so I can't share it here."
GONE = "A document behind this answer is gone, so I can't share it any more. Please ask again."


def join(app: AsyncApp, services: Services, audiences: Audiences) -> None:
    """Record what is asked with `/ask`, and share its answer where its asker wants that."""

    @app.command(COMMAND)
    async def ask(ack: AsyncAck, command: dict[str, Any], context: AsyncBoltContext) -> None:
        question = _asked(command, context)
        if question.text:
            await services.record_question(question)
        await ack(LOOKING if question.text else USAGE)

    async def share(body: dict[str, Any], client: AsyncWebClient) -> None:
        question_id = int(body["actions"][0]["value"])
        if not await services.claim_share(question_id):
            await whisper(body, client, SHARED)
            return
        try:
            refusal = await _share(client, services, audiences, question_id)
        except BaseException:
            await services.release_share(question_id)
            raise
        if refusal:
            await services.release_share(question_id)
            await whisper(body, client, refusal)

    app.action(SHARE)(ack=acknowledge, lazy=[guarded(share)])


async def acknowledge(ack: AsyncAck) -> None:
    """Acknowledge at once; the rest is done by lazy listeners."""
    await ack()


def _asked(command: dict[str, Any], context: AsyncBoltContext) -> Asked:
    """Return the question; a command is no message, so its trigger id stands for the ts."""
    key = MessageKey(context.team_id or command["team_id"], command["channel_id"], command["trigger_id"])
    text = plain(command.get("text") or "", context.bot_user_id)
    return Asked(key, command["user_id"], text, "command", response_url=command.get("response_url"))


async def _share(
    client: AsyncWebClient, services: Services, audiences: Audiences, question_id: int
) -> str | None:
    """Show the channel an answer; return why not, where not all of its members may read what it says."""
    question = await services.find_question(question_id)
    if question is None or question.answer is None:
        return None
    readers = await audiences.in_channel(question.key.channel)
    if refusal := await _refusal(services, readers.audience, question.answer):
        return refusal
    messages = shared_messages(question_id, question.answer, question.asker)
    await publish(client, services, question, messages, posted={})
    return None


async def _refusal(services: Services, audience: Audience, answer: Answer) -> str | None:
    """Every passage that the model read counts: any of them may have shaped what it wrote."""
    places = {passage.place for passage in answer.retrieved}
    if places <= await services.reading.readable_documents(audience, places):
        return None
    there = await services.reading.readable_documents(None, places)
    return UNREADABLE if places <= there else GONE
