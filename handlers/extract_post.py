"""Posting a confirmed record: the card once, its JSON beside it, however often it is tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handlers.extract_card import SHORT_JSON, card_messages, json_of
from handlers.extract_source import around, piece_at
from handlers.schema_modal_controls import same
from handlers.schema_modal_form import find, steps
from handlers.thread_reader import PAGE

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.message import Message
    from knowledge.drafts import Draft
    from knowledge.schemas import Schema

RECORD_EVENT = "almanac_record"  # the metadata's event_type on every card


async def post_record(client: AsyncWebClient, draft: Draft, schema: Schema, standing: str | None) -> str:
    """Post the card, or only what is lacking under it; return its ts.

    Args:
        client: the bot's.
        draft: confirmed.
        schema: by which it was made.
        standing: the ts of the card, where an earlier attempt came as far.

    Raises:
        SlackApiError: Slack refused.
    """
    ts = standing
    if ts is None:
        for message in await _card(client, draft, schema):
            answer = await _post(client, draft, message)
            ts = ts or answer
    assert ts is not None
    written = json_of(draft.record)
    if len(written) > SHORT_JSON and not (standing and await _has_file(client, draft, ts)):
        await _upload(client, draft, written, draft.thread_ts or ts)
    return ts


async def _card(client: AsyncWebClient, draft: Draft, schema: Schema) -> list[Message]:
    links = await _links(client, draft)
    first = draft.messages[0].ts if draft.messages else None
    return card_messages(
        schema.definition,
        draft.record,
        title=schema.title,
        quotes=_quotes(draft, links),
        person=draft.confirmed_by,
        link_to=links.get(first) if first else None,
        model=str((draft.extraction or {}).get("model", "")).rpartition("#")[2],
    )


async def _links(client: AsyncWebClient, draft: Draft) -> dict[str, str]:
    """Return a link to each message that something is quoted from, and to the first."""
    spans = (draft.extraction or {}).get("evidence", {}).values()
    cited = {piece.ts for span in spans if (piece := piece_at(draft.messages, span["start"]))}
    wanted = cited | {piece.ts for piece in draft.messages[:1]}
    found = {}
    for ts in sorted(wanted):
        answer = await client.chat_getPermalink(channel=draft.channel, message_ts=ts)
        found[ts] = str(answer["permalink"])
    return found


def _quotes(draft: Draft, links: dict[str, str]) -> dict[str, tuple[str, str | None]]:
    """Return the evidence of what was left as it was read, each quote with its sentence."""
    extraction = draft.extraction or {}
    quotes = {}
    for at, span in extraction.get("evidence", {}).items():
        path = steps(at)
        if same(find(draft.record, path), find(extraction["record"], path)):
            piece = piece_at(draft.messages, span["start"])
            words = around(draft.text, span["start"], span["end"])
            quotes[at] = (words, links.get(piece.ts) if piece else None)
    return quotes


async def _post(client: AsyncWebClient, draft: Draft, message: Message) -> str:
    answer = await client.chat_postMessage(
        channel=draft.channel,
        thread_ts=draft.thread_ts,
        reply_broadcast=bool(draft.thread_ts) or None,
        text=message.text,
        blocks=message.blocks,
        metadata={"event_type": RECORD_EVENT, "event_payload": {"draft": str(draft.id)}},
        unfurl_links=False,
        unfurl_media=False,
    )
    return str(answer["ts"])


async def _upload(client: AsyncWebClient, draft: Draft, written: str, thread_ts: str) -> None:
    await client.files_upload_v2(
        channel=draft.channel,
        thread_ts=thread_ts,
        filename=_file_name(draft),
        title=_file_name(draft),
        content=written,
    )


def _file_name(draft: Draft) -> str:
    return f"{draft.schema_name}-{str(draft.id)[:8]}.json"


async def standing_card(client: AsyncWebClient, draft: Draft, bot_user: str) -> str | None:
    """Return the ts of the draft's card where it is in Slack already: an attempt may have died after it."""
    if draft.thread_ts:
        answer = await client.conversations_replies(
            channel=draft.channel, ts=draft.thread_ts, limit=PAGE, include_all_metadata=True
        )
    else:
        oldest = str(draft.confirmed_at.timestamp() - 60) if draft.confirmed_at else "0"
        answer = await client.conversations_history(
            channel=draft.channel, oldest=oldest, limit=PAGE, include_all_metadata=True
        )
    ours = [
        one for one in answer["messages"] if one.get("user") == bot_user and _draft_of(one) == str(draft.id)
    ]
    return min((str(one["ts"]) for one in ours), default=None)


def _draft_of(message: dict[str, Any]) -> str | None:
    found = message.get("metadata") or {}
    return found.get("event_payload", {}).get("draft") if found.get("event_type") == RECORD_EVENT else None


async def _has_file(client: AsyncWebClient, draft: Draft, ts: str) -> bool:
    answer = await client.conversations_replies(channel=draft.channel, ts=draft.thread_ts or ts, limit=PAGE)
    files = (file for message in answer["messages"] for file in message.get("files") or ())
    return any(file.get("title") == _file_name(draft) for file in files)
