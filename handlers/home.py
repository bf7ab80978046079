"""The App Home: what the bot knows, how to ask it, and to administrators how it is doing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handlers.ask import acknowledge
from handlers.errors import guarded
from handlers.kb_admins import administers
from handlers.kb_pages import ADD, REINDEX, button, context, status_blocks
from handlers.rich import bullets, rich_text, section, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slack_bolt.async_app import AsyncApp
    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.audience import Audiences
    from handlers.kb_services import KbServices
    from handlers.rich import Block
    from handlers.services import Known, Services
    from knowledge.status import Status

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
MOST_STATUS = 15
MORE = "… and {} more: /kb status"
REINDEX_ALL, ADD_SOURCE = "Look for changes", "Add a source"


def join(app: AsyncApp, services: Services, audiences: Audiences, kb: KbServices | None) -> None:
    """Show the home tab to whoever opens it: what they may read, and to administrators the status of all."""

    async def show(body: dict[str, Any], client: AsyncWebClient) -> None:
        event = body["event"]
        if event.get("tab") != "home":
            return
        readers = await audiences.of_person(event["user"])
        known = await services.reading.known(readers.audience)
        status = None
        if kb and await administers(event["user"], kb.admins, audiences):
            status = await kb.status()
        await client.views_publish(user_id=event["user"], view=home_view(known, status))

    app.event("app_home_opened")(ack=acknowledge, lazy=[guarded(show)])


def home_view(known: Sequence[Known], status: Status | None = None) -> Block:
    """Return the home tab that lists the sources; `status` is for administrators."""
    blocks = [_header(TITLE), _sources(known), _header(HOW), _ways()]
    return {"type": "home", "blocks": blocks + (_administration(status) if status else [])}


def _administration(status: Status) -> list[Block]:
    more = len(status.sources) - MOST_STATUS
    buttons = [button(REINDEX_ALL, REINDEX, " "), button(ADD_SOURCE, ADD, " ")]
    return [
        {"type": "divider"},
        *status_blocks(status, status.sources[:MOST_STATUS]),
        *([context(MORE.format(more))] if more > 0 else []),
        {"type": "actions", "elements": buttons},
    ]


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
