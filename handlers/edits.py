"""An edited question gets its answer updated; a deleted one has it taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handlers.events import edited_at, key_of
from handlers.text import plain

if TYPE_CHECKING:
    from slack_bolt.async_app import AsyncApp
    from slack_bolt.context.async_context import AsyncBoltContext

    from handlers.services import Services


def join(app: AsyncApp, services: Services) -> None:
    """Listen to changes of messages; those of messages that asked nothing change nothing."""

    @app.event({"type": "message", "subtype": "message_changed"})
    async def changed(event: dict[str, Any], context: AsyncBoltContext) -> None:
        message = event["message"]
        key = key_of(event, context, message["ts"])
        if message.get("subtype") == "tombstone":  # what is left of a deleted message that has replies
            await services.retract_question(key)
        elif when := edited_at(message):  # without it, Slack only added a preview or a reply count
            await services.edit_question(key, plain(message.get("text") or "", context.bot_user_id), when)

    @app.event({"type": "message", "subtype": "message_deleted"})
    async def deleted(event: dict[str, Any], context: AsyncBoltContext) -> None:
        await services.retract_question(key_of(event, context, event["deleted_ts"]))
