"""Posting a confirmed record: the card once, its JSON beside it, however often it is tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handlers.extract_card import SHORT_JSON, card_messages, json_of
from handlers.extract_source import around, piece_at
from handlers.schema_modal_controls import same
from handlers.schema_modal_form import find, steps
from handlers.thread_reader import PAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.message import Message
    from handlers.thread_reader import Said
    from knowledge.drafts import Draft
    from knowledge.schemas import Schema

RECORD_EVENT = "almanac_record"  # the metadata's event_type on every card
SLACK = 60  # seconds that Slack's clock and ours may differ by


async def post_record(
    client: AsyncWebClient, draft: Draft, schema: Schema, standing: Mapping[int, str]
) -> str:
    """Post the card, or only what is lacking of it; return its ts.

    Args:
        client: the bot's.
        draft: confirmed.
        schema: by which it was made.
        standing: the ts of each part of the card that an earlier attempt posted, by its number from 0.

    Raises:
        SlackApiError: Slack refused.
    """
    posted = dict(standing)
    for part, message in enumerate(await _card(client, draft, schema)):
        if part not in posted:
            posted[part] = await _post(client, draft, message, part)
    ts = posted[0]
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
    """Return what each leaf is based on, each quote with its sentence and a link to its message."""
    quotes = {}
    for at, span in evidence_of(draft).items():
        piece = piece_at(draft.messages, span["start"])
        words = around(draft.text, span["start"], span["end"])
        quotes[at] = (words, links.get(piece.ts) if piece else None)
    return quotes


def evidence_of(draft: Draft) -> dict[str, dict[str, Any]]:
    """Return the spans, by JSON pointer, of what was left as it was read: a correction has no evidence."""
    extraction = draft.extraction or {}
    spans, read = extraction.get("evidence") or {}, extraction.get("record")
    return {
        at: span for at, span in spans.items() if same(find(draft.record, steps(at)), find(read, steps(at)))
    }


async def _post(client: AsyncWebClient, draft: Draft, message: Message, part: int) -> str:
    asked_for = bool(draft.thread_ts) and not draft.triage  # what nobody asked for stays in its thread
    answer = await client.chat_postMessage(
        channel=draft.channel,
        thread_ts=draft.thread_ts,
        reply_broadcast=asked_for or None,
        text=message.text,
        blocks=message.blocks,
        metadata={"event_type": RECORD_EVENT, "event_payload": {"draft": str(draft.id), "part": part}},
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


async def standing_parts(client: AsyncWebClient, draft: Draft, bot_user: str) -> dict[int, str]:
    """Return the ts of each part of the card that is in Slack: an attempt may have died after it."""
    ours = [one for one in await _since(client, draft, draft.thread_ts) if one.get("user") == bot_user]
    parts = ((_payload_of(one), str(one["ts"])) for one in sorted(ours, key=lambda one: float(one["ts"])))
    found: dict[int, str] = {}
    for payload, ts in parts:
        if payload.get("draft") == str(draft.id):
            found.setdefault(int(payload.get("part", 0)), ts)
    return found


def _payload_of(message: Said) -> dict[str, Any]:
    found = message.get("metadata") or {}
    return found.get("event_payload") or {} if found.get("event_type") == RECORD_EVENT else {}


async def _has_file(client: AsyncWebClient, draft: Draft, ts: str) -> bool:
    messages = await _since(client, draft, draft.thread_ts or ts)
    files = (file for message in messages for file in message.get("files") or ())
    return any(file.get("title") == _file_name(draft) for file in files)


async def _since(client: AsyncWebClient, draft: Draft, thread_ts: str | None) -> list[Said]:
    """Return what was said in a thread, or in the channel itself, since the record was confirmed."""
    oldest = str(draft.confirmed_at.timestamp() - SLACK) if draft.confirmed_at else "0"
    asked: dict[str, Any] = {"channel": draft.channel, "oldest": oldest, "limit": PAGE}
    asked["include_all_metadata"] = True
    if thread_ts:
        pages = await client.conversations_replies(ts=thread_ts, **asked)
    else:
        pages = await client.conversations_history(**asked)
    return [message async for page in pages for message in page["messages"]]
