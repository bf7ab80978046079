"""A question in a direct message: always answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handlers.events import asked, by_person

if TYPE_CHECKING:
    from slack_bolt.async_app import AsyncApp
    from slack_bolt.context.async_context import AsyncBoltContext

    from handlers.services import Services


def join(app: AsyncApp, services: Services) -> None:
    """Record each direct message of a person."""

    async def direct(event: dict[str, Any]) -> bool:
        return event.get("channel_type") == "im" and by_person(event)

    @app.event("message", matchers=[direct])
    async def written_to(event: dict[str, Any], context: AsyncBoltContext) -> None:
        await services.record_question(asked(event, context, "direct"))
