"""The App Home: what the bot knows, and how to ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handlers.ask import acknowledge
from handlers.errors import guarded
from handlers.rich import bullets, rich_text, section, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slack_bolt.async_app import AsyncApp
    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.audience import Audiences
    from handlers.rich import Block
    from handlers.services import Known, Services

TITLE = "What I know"
EMPTY = "No documents yet. An administrator can add some with `almanac sources add`."
HOW = "How to ask"
WAYS = (
    "Mention me in a channel: I answer in the thread, and you can go on asking there.",
    "Write to me directly.",
    "Type /ask for an answer that only you can see.",
)
PROMISE = "Every answer quotes the documents word for word. Where they don't say, I tell you so."

MOST_SOURCES = 80


def join(app: AsyncApp, services: Services, audiences: Audiences) -> None:
    """Show the home tab to whoever opens it."""

    async def show(body: dict[str, Any], client: AsyncWebClient) -> None:
        event = body["event"]
        if event.get("tab") == "home":
            readers = await audiences.of_person(event["user"])
            known = await services.reading.known(readers.audience)
            await client.views_publish(user_id=event["user"], view=home_view(known))

    app.event("app_home_opened")(ack=acknowledge, lazy=[guarded(show)])


def home_view(known: Sequence[Known]) -> Block:
    """Return the home tab that lists the sources."""
    return {
        "type": "home",
        "blocks": [_header(TITLE), _sources(known), _header(HOW), _ways()],
    }


def _header(words: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": words}}


def _sources(known: Sequence[Known]) -> Block:
    if not known:
        return rich_text(section(text(EMPTY)))
    return rich_text(bullets(*map(_source, known[:MOST_SOURCES])))


def _source(source: Known) -> Block:
    count = "1 document" if source.documents == 1 else f"{source.documents:,} documents"
    runs = [text(source.name, bold=True), text(f": {count}")]
    if source.updated is not None:
        ago = {"type": "date", "timestamp": source.updated, "format": "{date_short_pretty} at {time}"}
        runs += [text(", updated "), ago | {"fallback": "recently"}]
    return section(*runs)


def _ways() -> Block:
    return rich_text(bullets(*(section(text(way)) for way in WAYS)), section(text(PROMISE)))
