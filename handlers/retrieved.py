"""*Show what was retrieved*: the passages behind an answer, with each stage's score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handlers.ask import acknowledge
from handlers.blocks import SHOW_RETRIEVED, label
from handlers.errors import guarded
from handlers.rich import link, quote, rich_text, section, text
from handlers.text import clip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slack_bolt.async_app import AsyncApp
    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.rich import Block
    from handlers.services import Services
    from knowledge.answers import Answer, Retrieved

TITLE = "What was retrieved"
CLOSE = "Close"
INTRODUCTION = "The passages I looked at, best first. Their scores say how well each stage thought they fit:"
GONE = "This question was edited or deleted, so there is nothing to show here any more."
NONE = "Nothing was found for this question."

MOST_PASSAGES = 20
LONGEST_PASSAGE = 2_000


def join(app: AsyncApp, services: Services) -> None:
    """Open a view with the passages when the button is pressed."""

    async def show(body: dict[str, Any], client: AsyncWebClient) -> None:
        question = await services.find_question(int(body["actions"][0]["value"]))
        answer = question.answer if question else None
        await client.views_open(trigger_id=body["trigger_id"], view=retrieved_view(answer))

    app.action(SHOW_RETRIEVED)(ack=acknowledge, lazy=[guarded(show)])


def retrieved_view(answer: Answer | None) -> Block:
    """Return the modal that shows an answer's passages; None is an answer that is gone."""
    return {
        "type": "modal",
        "title": {"type": "plain_text", "text": TITLE},
        "close": {"type": "plain_text", "text": CLOSE},
        "blocks": list(_blocks(answer)),
    }


def _blocks(answer: Answer | None) -> Iterator[Block]:
    if answer is None or not answer.retrieved:
        yield rich_text(section(text(GONE if answer is None else NONE)))
        return
    yield rich_text(section(text(answer.question, bold=True)), section(text(INTRODUCTION)))
    for passage in answer.retrieved[:MOST_PASSAGES]:
        yield {"type": "divider"}
        yield from _passage(passage)


def _passage(passage: Retrieved) -> Iterator[Block]:
    place = link(passage.link, label(passage.title, passage.heading))
    head = section(text(f"{passage.rank}. ", bold=True), place)
    yield rich_text(head, *quote(clip(passage.text, LONGEST_PASSAGE)))
    scores = " · ".join(f"{stage} {score:.3g}" for stage, score in sorted(passage.scores.items()))
    shown = f"{scores} · from {passage.source}" if scores else f"from {passage.source}"
    yield {"type": "context", "elements": [{"type": "plain_text", "text": clip(shown, 300), "emoji": False}]}
