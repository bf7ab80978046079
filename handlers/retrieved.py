"""*Show what was retrieved*: the passages behind an answer, with each stage's score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handlers.ask import acknowledge
from handlers.blocks import SHOW_RETRIEVED, label
from handlers.errors import guarded
from handlers.rich import link, quote, rich_text, section, text
from handlers.text import clip

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from slack_bolt.async_app import AsyncApp
    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.audience import Audiences
    from handlers.rich import Block
    from handlers.services import Services
    from knowledge.answers import Answer, Retrieved

TITLE = "What was retrieved"
CLOSE = "Close"
INTRODUCTION = "The passages I looked at, best first. Their scores say how well each stage thought they fit:"
GONE = "This question was edited or deleted, so there is nothing to show here any more."
NONE = "Nothing was found for this question."
HIDDEN_ONE = "One passage is not shown: you may not read it, or its document is gone."
HIDDEN = "{} passages are not shown: you may not read them, or their documents are gone."

MOST_PASSAGES = 20
LONGEST_PASSAGE = 2_000


def join(app: AsyncApp, services: Services, audiences: Audiences) -> None:
    """Open a view with the passages when the button is pressed."""

    async def show(body: dict[str, Any], client: AsyncWebClient) -> None:
        question = await services.find_question(int(body["actions"][0]["value"]))
        answer = question.answer if question else None
        readable = await _readable(services, audiences, answer, body["user"]["id"]) if answer else []
        await client.views_open(trigger_id=body["trigger_id"], view=retrieved_view(answer, readable))

    app.action(SHOW_RETRIEVED)(ack=acknowledge, lazy=[guarded(show)])


async def _readable(services: Services, audiences: Audiences, answer: Answer, person: str) -> list[Retrieved]:
    """Return the passages that a person may read, who may not have been in the channel at the time."""
    readers = await audiences.of_person(person)
    places = {passage.place for passage in answer.retrieved}
    readable = await services.reading.readable_documents(readers.audience, places)
    return [passage for passage in answer.retrieved if passage.place in readable]


def retrieved_view(answer: Answer | None, readable: Sequence[Retrieved]) -> Block:
    """Return the modal that shows the readable passages of an answer; None is an answer that is gone."""
    return {
        "type": "modal",
        "title": {"type": "plain_text", "text": TITLE},
        "close": {"type": "plain_text", "text": CLOSE},
        "blocks": list(_blocks(answer, readable)),
    }


def _blocks(answer: Answer | None, readable: Sequence[Retrieved]) -> Iterator[Block]:
    if answer is None or not answer.retrieved:
        yield rich_text(section(text(GONE if answer is None else NONE)))
        return
    yield rich_text(section(text(answer.question, bold=True)), section(text(INTRODUCTION)))
    for passage in readable[:MOST_PASSAGES]:
        yield {"type": "divider"}
        yield from passage_blocks(passage)
    if hidden := len(answer.retrieved) - len(readable):
        words = HIDDEN_ONE if hidden == 1 else HIDDEN.format(hidden)
        yield {"type": "context", "elements": [{"type": "plain_text", "text": words, "emoji": False}]}


def passage_blocks(passage: Retrieved, longest: int = LONGEST_PASSAGE) -> Iterator[Block]:
    """Yield a passage with its place, its text, and what each stage thought of it."""
    place = link(passage.link, label(passage.title, passage.heading))
    head = section(text(f"{passage.rank}. ", bold=True), place)
    yield rich_text(head, *quote(clip(passage.text, longest)))
    scores = " · ".join(f"{stage} {score:.3g}" for stage, score in sorted(passage.scores.items()))
    shown = f"{scores} · from {passage.source}" if scores else f"from {passage.source}"
    yield {"type": "context", "elements": [{"type": "plain_text", "text": clip(shown, 300), "emoji": False}]}
