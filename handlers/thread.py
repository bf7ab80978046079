"""A follow-up without a mention, in a thread that the bot takes part in.

Whether it is meant for the bot is decided by the worker (`handlers.addressing`), with the thread at hand.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from handlers.events import asked, by_person

if TYPE_CHECKING:
    from slack_bolt.async_app import AsyncApp
    from slack_bolt.context.async_context import AsyncBoltContext

    from handlers.services import Services

_MENTION = re.compile(r"<[@!]")


def join(app: AsyncApp, services: Services) -> None:
    """Record each message in a thread that mentions nobody; mentions of the bot are events of their own."""

    async def follows_up(event: dict[str, Any]) -> bool:
        in_thread = event.get("thread_ts", event.get("ts")) != event.get("ts")
        return in_thread and by_person(event) and not _MENTION.search(event.get("text") or "")

    @app.event("message", matchers=[follows_up])
    async def followed_up(event: dict[str, Any], context: AsyncBoltContext) -> None:
        await services.record_question(asked(event, context, "follow_up"))
