"""`/extract` and its message shortcuts: the modal is on the screen before anything is read."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from grammars.extraction.record import ExtractionError
from handlers import extract_batch, extract_channel, extract_schemas
from handlers.ask import acknowledge
from handlers.errors import guarded, whisper
from handlers.extract_files import files_of
from handlers.extract_views import (
    SCHEMA_BLOCK,
    SUBMIT_TEXT,
    TEXT_BLOCK,
    VALUE,
    choosing_view,
    reading_view,
    text_view,
)
from handlers.text import plain
from knowledge.drafts import Draft, Piece
from knowledge.schemas import SchemaUnknown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from slack_bolt.async_app import AsyncApp
    from slack_bolt.context.ack.async_ack import AsyncAck
    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.audience import Audiences
    from handlers.extract_services import ExtractServices

    Verb = Callable[[dict[str, Any], AsyncWebClient, ExtractServices, str], Awaitable[None]]

COMMAND = "/extract"
FROM_MESSAGE = "extract_from_message"
FROM_THREAD = "extract_from_thread"
HELP = (
    "`/extract` asks for a text and makes a record of it; `/extract SCHEMA text…` does at once.\n"
    "`/extract schemas` lists the schemas, `/extract schemas show NAME` shows one, `/extract schemas add`"
    " takes a new one.\n"
    "`/extract batch SCHEMA [N]` reads this channel's last messages; with a link in place of N, a thread's.\n"
    "In a message's menu: *Extract from this message* and *Extract from this thread*."
)
NO_TEXT = "This message holds neither text nor a file that I can read."


def join(app: AsyncApp, services: ExtractServices, audiences: Audiences) -> None:
    """Listen to the command, the shortcuts and the pasted text; `audiences` knows who administers."""
    verbs: Mapping[str, Verb] = {
        "schemas": extract_schemas.run,
        "batch": extract_batch.run,
        "channel": partial(extract_channel.run, audiences=audiences),
    }

    async def command(body: dict[str, Any], client: AsyncWebClient) -> None:
        try:
            await _run(body, client, services, verbs)
        except (SchemaUnknown, ExtractionError) as error:
            await whisper(body, client, str(error))

    async def message(body: dict[str, Any], client: AsyncWebClient) -> None:
        await _from_shortcut(body, client, services, whole_thread=False)

    async def thread(body: dict[str, Any], client: AsyncWebClient) -> None:
        await _from_shortcut(body, client, services, whole_thread=True)

    async def pasted(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any]) -> None:
        await _from_paste(ack, body, view, services)

    app.command(COMMAND)(ack=acknowledge, lazy=[guarded(command)])
    app.shortcut(FROM_MESSAGE)(ack=acknowledge, lazy=[guarded(message)])
    app.shortcut(FROM_THREAD)(ack=acknowledge, lazy=[guarded(thread)])
    app.view(SUBMIT_TEXT)(pasted)


async def _run(
    body: dict[str, Any], client: AsyncWebClient, services: ExtractServices, verbs: Mapping[str, Verb]
) -> None:
    """Do what the words behind `/extract` ask for."""
    first, rest = (*plain(body.get("text") or "").split(maxsplit=1), "", "")[:2]
    if first == "help":
        await whisper(body, client, HELP)
    elif first in verbs:
        await verbs[first](body, client, services, rest.strip())
    elif first and rest.strip():
        schema = await services.find_schema(first)
        await begin(_draft(body, text=rest.strip()), schema.name, body, client, services)
    else:
        chosen = (await services.find_schema(first)).name if first else None
        place = {"channel": body["channel_id"]}
        view = text_view(await services.schemas(), chosen, place)
        await client.views_open(trigger_id=body["trigger_id"], view=view)


async def _from_shortcut(
    body: dict[str, Any], client: AsyncWebClient, services: ExtractServices, *, whole_thread: bool
) -> None:
    message, channel = body["message"], body["channel"]["id"]
    first = message.get("thread_ts") or message["ts"]
    text, files = plain(message.get("text") or ""), files_of(message)
    if not (text or files or whole_thread):
        await whisper(body, client, NO_TEXT)
        return
    draft = _draft(
        body,
        text="" if whole_thread else text,
        thread_ts=first,
        messages=(Piece(first if whole_thread else message["ts"], 0, 0 if whole_thread else len(text)),),
        files=() if whole_thread else files,
        whole_thread=whole_thread,
    )
    last = await services.drafts.last_schema(draft.team, channel)
    await begin(draft, last, body, client, services)


async def begin(
    draft: Draft, schema: str | None, body: dict[str, Any], client: AsyncWebClient, services: ExtractServices
) -> None:
    """Put the modal on the screen while the trigger is good, and only then have the draft read."""
    schemas = await services.schemas()
    await services.drafts.begin(draft)
    if schema in {one.name for one in schemas}:
        view = reading_view(replace(draft, schema_name=schema), schemas)
        await client.views_open(trigger_id=body["trigger_id"], view=view)
        await services.drafts.choose(draft.id, str(schema))
    else:
        await client.views_open(trigger_id=body["trigger_id"], view=choosing_view(draft, schemas))


async def _from_paste(
    ack: AsyncAck, body: dict[str, Any], view: dict[str, Any], services: ExtractServices
) -> None:
    values, place = view["state"]["values"], json.loads(view["private_metadata"])
    text = (values[TEXT_BLOCK][VALUE]["value"] or "").strip()
    chosen = values[SCHEMA_BLOCK][VALUE]["selected_option"]["value"]
    draft = replace(_draft(body | {"channel_id": place["channel"]}, text=text), schema_name=chosen)
    await services.drafts.begin(draft)
    await ack(response_action="update", view=reading_view(draft, await services.schemas()))
    await services.drafts.choose(draft.id, chosen)


def _draft(body: dict[str, Any], **fields: Any) -> Draft:
    """Return a new draft for whoever is behind a request, and the place that they were at."""
    team = body.get("team_id") or body["team"]["id"]
    channel = body.get("channel_id") or body["channel"]["id"]
    asker = body.get("user_id") or body["user"]["id"]
    return Draft(uuid4(), team, channel, asker, **fields)
