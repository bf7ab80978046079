"""A question that mentions the bot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handlers.events import asked, by_person

if TYPE_CHECKING:
    from slack_bolt.async_app import AsyncApp
    from slack_bolt.context.async_context import AsyncBoltContext

    from handlers.services import Services


def join(app: AsyncApp, services: Services) -> None:
    """Record each mention; an edited one comes again, and is known by its key."""

    @app.event("app_mention")
    async def mentioned(event: dict[str, Any], context: AsyncBoltContext) -> None:
        if by_person(event):
            await services.record_question(asked(event, context, "mention"))
