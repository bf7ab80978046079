"""`/kb search`: what would be retrieved for a person or in a channel, and why; done where the embedder is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from slack_sdk.webhook.async_client import AsyncWebhookClient

from handlers.kb_pages import context, header
from handlers.retrieved import passage_blocks
from handlers.rich import rich_text, section, text
from handlers.text import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handlers.audience import Audiences
    from handlers.kb_services import Search
    from handlers.rich import Block
    from handlers.services import Services
    from knowledge.answers import Retrieved
    from knowledge.audience import Audience, Place

TITLE = "What would be retrieved"
NOTHING = "Nothing that they all may read."
HIDDEN = "{rank}. A passage of {source}, which you may not read yourself. {scores}"
LONGEST = 600  # characters of a passage

# Slack escapes what is typed: `--as <@U024BE7LH|maya>`.
_AS = re.compile(r"--as\s+<?[@#]?(?P<id>[UWCGD][A-Z0-9]{2,})(?:\|[^>]*)?>?\s*(?P<question>.*)", re.DOTALL)


def read_search(words: str) -> tuple[str | None, str]:
    """Return whom or where to search as, None for whoever asks, and the question; empty where unclear."""
    match = _AS.match(words)
    if match:
        return match["id"], match["question"]
    return None, "" if words.startswith("--as") else words


class Searching:
    """Searches for an administrator and tells them alone."""

    def __init__(self, services: Services, audiences: Audiences, search: Search) -> None:
        self._services, self._audiences, self._search = services, audiences, search

    async def run(self, question: str, place: str, person: str, response_url: str) -> None:
        """Search as for `place`, a user's or channel's id, and tell `person` through the response URL."""
        ask = self._audiences.of_person if place[0] in "UW" else self._audiences.in_channel
        readers = await ask(place)
        found = await self._search(question, audience=readers.audience)
        own = await self._audiences.of_person(person)
        places = {passage.place for passage in found}
        readable = await self._services.reading.readable_documents(own.audience, places)
        blocks = search_blocks(question, place, readers.audience, found, readable)
        await AsyncWebhookClient(response_url).send(
            text=escape(f"{TITLE}: {question}"), blocks=blocks, response_type="ephemeral"
        )


def search_blocks(
    question: str, place: str, audience: Audience, found: Sequence[Retrieved], readable: frozenset[Place]
) -> list[Block]:
    """Return the passages with their scores; those that the administrator may not read are only named."""
    reader = {"type": "user", "user_id": place}
    if place[0] not in "UW":
        reader = {"type": "channel", "channel_id": place}
    who = "; ".join(", ".join(names) or "somebody whom nothing lists" for names in audience.as_json())
    blocks = [
        header(TITLE),
        rich_text(section(text(question, bold=True), text("  for "), reader)),
        context(f"Those who would read it, by the names under which sources list them: {who}"),
    ]
    if not found:
        return [*blocks, rich_text(section(text(NOTHING)))]
    for passage in found:
        blocks.append({"type": "divider"})
        if passage.place in readable:
            blocks += passage_blocks(passage, LONGEST)
        else:
            scores = ", ".join(f"{stage} {score:.3g}" for stage, score in sorted(passage.scores.items()))
            words = HIDDEN.format(rank=passage.rank, source=passage.source, scores=scores)
            blocks.append(context(words))
    return blocks
