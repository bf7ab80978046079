"""Channel triage: every message of a channel read by a schema, where an administrator set that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from slack_sdk.errors import SlackApiError

from grammars.extraction.fields import read_fields
from handlers.errors import code
from handlers.events import by_person, mentions
from handlers.schema_modal_controls import same
from handlers.schema_modal_form import find
from handlers.text import plain
from knowledge.drafts import Draft, Piece

if TYPE_CHECKING:
    from slack_bolt.async_app import AsyncApp
    from slack_bolt.context.async_context import AsyncBoltContext
    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.extract_services import ExtractServices
    from knowledge.channels import Mode
    from knowledge.schemas import Schema

MOST_A_MINUTE = 20  # messages read in one channel; what comes on top is left alone
EMOJI = (
    "red_circle",
    "large_orange_circle",
    "large_yellow_circle",
    "large_green_circle",
    "large_blue_circle",
    "large_purple_circle",
    "large_brown_circle",
    "white_circle",
    "black_circle",
)
"""One for each option of the schema's first choice, in its order; later options get none."""


def join(app: AsyncApp, services: ExtractServices) -> None:
    """Listen to what people write in channels, outside of threads, to nobody in particular."""

    async def to_the_channel(event: dict[str, Any], context: AsyncBoltContext) -> bool:
        alone = event.get("thread_ts") is None and event.get("channel_type") in {"channel", "group"}
        return alone and by_person(event) and not mentions(event, context.bot_user_id)

    @app.event("message", matchers=[to_the_channel])
    async def written(event: dict[str, Any], context: AsyncBoltContext) -> None:
        team, channel, text = context.team_id or "", event["channel"], plain(event.get("text") or "")
        mode = await services.channels.mode(team, channel)
        if mode.triage_schema and text:
            await services.drafts.triage(_draft(team, event, text, mode.triage_schema), MOST_A_MINUTE)


def _draft(team: str, event: dict[str, Any], text: str, schema: str) -> Draft:
    """Return the message as a draft; its id says which message it is, so that a redelivery is known."""
    channel, ts = event["channel"], event["ts"]
    return Draft(
        uuid5(NAMESPACE_URL, f"slack:{team}:{channel}:{ts}"),
        team,
        channel,
        event["user"],
        thread_ts=ts,
        schema_name=schema,
        messages=(Piece(ts, 0, len(text)),),
        text=text,
        triage=True,
    )


async def sort_message(
    client: AsyncWebClient, services: ExtractServices, draft: Draft, schema: Schema, mode: Mode
) -> None:
    """Give a message the emoji of its class, or have its record posted under it.

    An incomplete record is not posted: there is nobody to complete it.
    """
    complete = not (draft.extraction or {}).get("missing")
    if mode.triage_schema and mode.triage_by == "reply":
        if complete:
            await services.drafts.confirm(draft, draft.record, None)
            return
    elif mode.triage_schema and (emoji := emoji_of(schema.definition, draft.record)):
        await _react(client, draft, emoji)
    await services.drafts.drop(draft.id)


def emoji_of(definition: Any, record: Any) -> str | None:
    """Return the emoji for the value of a schema's first choice; None where that is not stated."""
    choices = (leaf for leaf in read_fields(definition).leaves() if len(leaf.options) > 1)
    first = next(choices, None)
    if first is None:
        return None
    value = find(record, first.path)
    numbers = (number for number, option in enumerate(first.options) if same(option, value))
    number = next(numbers, len(EMOJI))
    return EMOJI[number] if number < len(EMOJI) else None


async def _react(client: AsyncWebClient, draft: Draft, emoji: str) -> None:
    try:
        await client.reactions_add(channel=draft.channel, timestamp=draft.messages[0].ts, name=emoji)
    except SlackApiError as error:
        if code(error) not in {"already_reacted", "message_not_found"}:
            raise
