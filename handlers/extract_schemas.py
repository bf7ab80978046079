"""`/extract schemas`: what records can be made, and a team's own schemas."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from grammars.extraction.check import SchemaRefused, parse_schema
from grammars.extraction.fields import read_fields
from handlers.errors import whisper
from handlers.extract_views import VALUE
from handlers.rich import bullets, rich_text, section, text
from handlers.schema_modal_blocks import label_of
from handlers.text import clean, clip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slack_bolt.async_app import AsyncApp
    from slack_bolt.context.ack.async_ack import AsyncAck
    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.extract_services import ExtractServices
    from handlers.rich import Block
    from knowledge.schemas import Schema

SUBMIT_SCHEMA = "extract_schema_add"
NAME_BLOCK, PARTS = "name", ("definition", "definition_2", "definition_3")

TITLE = "Add a schema"
ADD = "Add"
CLOSE = "Close"
NAME = "Name"
NAME_HINT = "What people type after /extract: a-z, 0-9, - and _."
DEFINITION = "JSON Schema"
CONTINUED = "JSON Schema, continued"
PLACEHOLDER = '{"title": "…", "type": "object", "properties": {…}}'
CONTINUE_HINT = "An input takes 3,000 characters. A longer schema goes on in the next."
ADDED = "{} is there, as version {}. Use it with `/extract {}`."
VALIDATED = " These keywords are checked after reading, not while: {}."
KNOWN = "Records that I can make"
NONE = "There are no schemas yet. Add one with `/extract schemas add`."
USAGE = "Type `/extract schemas`, `/extract schemas add` or `/extract schemas show NAME`."

LONGEST_SHOWN = 2_800
MOST_LISTED = 60


def join(app: AsyncApp, services: ExtractServices) -> None:
    """Take a new schema."""

    async def submit(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any]) -> None:
        await _add(ack, body, view, services)

    app.view_submission(SUBMIT_SCHEMA)(submit)


async def run(body: dict[str, Any], client: AsyncWebClient, services: ExtractServices, words: str) -> None:
    """Do what the words behind `/extract schemas` ask for.

    Raises:
        SchemaUnknown: there is no such schema to be shown.
    """
    verb, _, name = words.partition(" ")
    if verb in {"", "list"}:
        await _tell(body, client, NONE, listing(await services.schemas()))
    elif verb == "show" and name.strip():
        schema = await services.find_schema(name.strip())
        await _tell(body, client, schema.title, details(schema))
    elif verb == "add":
        place = {"channel": body["channel_id"]}
        await client.views_open(trigger_id=body["trigger_id"], view=add_view(place))
    else:
        await whisper(body, client, USAGE)


async def _tell(body: dict[str, Any], client: AsyncWebClient, words: str, blocks: list[Block]) -> None:
    await client.chat_postEphemeral(
        channel=body["channel_id"], user=body["user_id"], text=clean(words), blocks=blocks
    )


def listing(schemas: Sequence[Schema]) -> list[Block]:
    """Return the schemas with what each is for."""
    if not schemas:
        return [rich_text(section(text(NONE)))]
    lines = [_line(schema) for schema in schemas[:MOST_LISTED]]
    return [rich_text(section(text(KNOWN, bold=True)), bullets(*lines))]


def _line(schema: Schema) -> Block:
    told = f": {clip(schema.description, 200)}" if schema.description else ""
    return section(text(schema.name, code=True), text(" "), text(schema.title, bold=True), text(told or " "))


def details(schema: Schema) -> list[Block]:
    """Return a schema's fields as people read them, and its JSON."""
    fields = read_fields(schema.definition).members.values()
    named = ", ".join(label_of(field) for field in fields) or "-"
    head = section(text(f"{schema.title} (version {schema.version})", bold=True))
    written = clip(json.dumps(schema.definition, ensure_ascii=False, indent=2), LONGEST_SHOWN)
    code = {"type": "rich_text_preformatted", "elements": [text(written)]}
    return [rich_text(head, section(text(clip(f"{schema.description} Fields: {named}.", 1_500))), code)]


def add_view(place: dict[str, str]) -> Block:
    """Return the modal that takes a schema, in as many inputs as Slack makes necessary."""
    blocks = [_input(NAME_BLOCK, NAME, {}, hint=NAME_HINT)]
    for number, part in enumerate(PARTS):
        typed: Block = {"multiline": True}
        if number == 0:
            typed["placeholder"] = _plain(PLACEHOLDER)
        words, hint = (CONTINUED, None) if number else (DEFINITION, CONTINUE_HINT)
        blocks.append(_input(part, words, typed, hint=hint) | {"optional": bool(number)})
    shell = {"type": "modal", "callback_id": SUBMIT_SCHEMA, "private_metadata": json.dumps(place)}
    return shell | {"title": _plain(TITLE), "submit": _plain(ADD), "close": _plain(CLOSE), "blocks": blocks}


def _input(block_id: str, label: str, element: Block, *, hint: str | None) -> Block:
    typed = {"type": "plain_text_input", "action_id": VALUE} | element
    block: Block = {"type": "input", "block_id": block_id, "label": _plain(label), "element": typed}
    return block | ({"hint": _plain(hint)} if hint else {})


async def _add(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any], services: ExtractServices) -> None:
    """Check and keep the schema; what is wrong with it is said at the input that it stands in."""
    values = view["state"]["values"]
    name = (values[NAME_BLOCK][VALUE]["value"] or "").strip()
    pasted = "".join(values[part][VALUE]["value"] or "" for part in PARTS)
    try:
        schema = await services.add_schema(name, parse_schema(pasted))
    except SchemaRefused as error:
        block = NAME_BLOCK if "name for a schema" in str(error) else PARTS[0]
        await ack(response_action="errors", errors={block: clip(clean(str(error)), 300)})
        return
    await ack(response_action="update", view=_added_view(schema))


def _added_view(schema: Schema) -> Block:
    words = ADDED.format(schema.title, schema.version, schema.name)
    if validated := schema.report.get("validated"):
        words += VALIDATED.format(clip(", ".join(map(str, validated)), 500))
    shown = [rich_text(section(text(words)))]
    return {"type": "modal", "title": _plain(TITLE), "close": _plain(CLOSE), "blocks": shown}


def _plain(words: str) -> Block:
    return {"type": "plain_text", "text": words}
