"""`/extract schemas`: what records can be made, and a team's own schemas."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slack_sdk.errors import SlackApiError

from grammars.extraction.check import SchemaRefused, parse_schema
from grammars.extraction.fields import read_fields
from grammars.extraction.record import ExtractionError
from handlers.errors import code, guarded, report, whisper
from handlers.extract_files import fetched, files_of
from handlers.extract_views import VALUE
from handlers.rich import bullets, rich_text, section, text
from handlers.schema_modal_blocks import label_of
from handlers.text import clean, clip
from knowledge.schemas import check_name, schema_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slack_bolt.async_app import AsyncApp
    from slack_bolt.context.ack.async_ack import AsyncAck
    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.extract_services import ExtractServices
    from handlers.rich import Block
    from knowledge.schemas import Schema

SUBMIT_SCHEMA = "extract_schema_add"
NAME_BLOCK, FILE_BLOCK, PARTS = "name", "file", ("definition", "definition_2", "definition_3")

TITLE = "Add a schema"
ADD = "Add"
CLOSE = "Close"
NAME = "Name"
NAME_HINT = "What people type after /extract: a-z, 0-9, - and _."
FILE = "JSON Schema, as a file"
DEFINITION = "JSON Schema, pasted"
CONTINUED = "JSON Schema, continued"
PLACEHOLDER = '{"title": "…", "type": "object", "properties": {…}}'
CONTINUE_HINT = "An input takes 3,000 characters. A longer schema goes on in the next, or is given as a file."
NEITHER = "Paste a JSON Schema, or give it as a file above."
BOTH = "Give the schema either as a file or pasted, not both."
CHECKING = "Checking {}… This takes up to a quarter of a minute."
ADDED = "{} is there, as version {}. Use it with `/extract {}`."
VALIDATED = " These keywords are checked after reading, not while: {}."
KNOWN = "Records that I can make"
NONE = "There are no schemas yet. Add one with `/extract schemas add`."
USAGE = "Type `/extract schemas`, `/extract schemas add` or `/extract schemas show NAME`."

LONGEST_SHOWN = 2_800
MOST_LISTED = 60

log = logging.getLogger(__name__)


def join(app: AsyncApp, services: ExtractServices) -> None:
    """Take a new schema."""

    async def add(body: dict[str, Any], client: AsyncWebClient) -> None:
        await _add(body["view"], client, services)

    app.view_submission(SUBMIT_SCHEMA)(ack=_take, lazy=[guarded(add)])


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
    shown = {"type": "rich_text_preformatted", "elements": [text(written)]}
    return [rich_text(head, section(text(clip(f"{schema.description} Fields: {named}.", 1_500))), shown)]


def add_view(place: dict[str, str], typed: Mapping[str, str] | None = None, sorry: str = "") -> Block:
    """Return the modal that takes a schema: a file, or as many inputs as Slack makes necessary.

    Args:
        place: where it was asked for.
        typed: what stood in the inputs, by their blocks.
        sorry: what is wrong with that.
    """
    held = typed or {}
    blocks = [rich_text(section(_emoji("warning"), text(f" {clip(clean(sorry), 1_000)}")))] if sorry else []
    blocks.append(_input(NAME_BLOCK, NAME, _typed(held.get(NAME_BLOCK)), hint=NAME_HINT))
    file = {"type": "file_input", "filetypes": ["json"], "max_files": 1}
    blocks.append(_input(FILE_BLOCK, FILE, file) | {"optional": True})
    for number, part in enumerate(PARTS):
        pasted = _typed(held.get(part)) | {"multiline": True}
        if number == 0:
            pasted["placeholder"] = _plain(PLACEHOLDER)
        words, hint = (CONTINUED, None) if number else (DEFINITION, CONTINUE_HINT)
        blocks.append(_input(part, words, pasted, hint=hint) | {"optional": True})
    shell = {"type": "modal", "callback_id": SUBMIT_SCHEMA, "private_metadata": json.dumps(place)}
    return shell | {"title": _plain(TITLE), "submit": _plain(ADD), "close": _plain(CLOSE), "blocks": blocks}


def _typed(initial: str | None) -> Block:
    return {"type": "plain_text_input"} | ({"initial_value": initial} if initial else {})


def _input(block_id: str, label: str, element: Block, *, hint: str | None = None) -> Block:
    held = element | {"action_id": VALUE}
    block: Block = {"type": "input", "block_id": block_id, "label": _plain(label), "element": held}
    return block | ({"hint": _plain(hint)} if hint else {})


async def _take(ack: AsyncAck, view: dict[str, Any]) -> None:
    """Say what is wrong at first sight at its input; what is not is being checked, which takes its time."""
    given = _given(view)
    if wrong := _objections(given):
        await ack(response_action="errors", errors={at: clip(clean(said), 300) for at, said in wrong.items()})
        return
    waiting = section(_emoji("hourglass_flowing_sand"), text(f" {CHECKING.format(given.name)}"))
    await ack(response_action="update", view=_last_view(waiting))


async def _add(view: dict[str, Any], client: AsyncWebClient, services: ExtractServices) -> None:
    """Check and keep the schema, and show how that went; what was typed comes back where it is refused."""
    given = _given(view)
    if _objections(given):
        return
    place = json.loads(view["private_metadata"])
    try:
        written = given.pasted
        for file in given.files:
            written = schema_text(await fetched(client, file), file["name"])
        shown = _added_view(await services.add_schema(given.name, parse_schema(written)))
    except ExtractionError as error:
        shown = add_view(place, given.typed, str(error))
    except Exception as error:  # noqa: BLE001 - the edge: the modal would wait for ever
        shown = add_view(place, given.typed, report(error, f"Adding the schema {given.name}"))
    await _show(client, view["id"], shown)


@dataclass(frozen=True, slots=True)
class _Given:
    """What the modal holds: `typed` by block, and `files` as `files_of` gives them."""

    typed: dict[str, str]
    files: Sequence[Mapping[str, str]]

    @property
    def name(self) -> str:
        return self.typed[NAME_BLOCK].strip()

    @property
    def pasted(self) -> str:
        return "".join(self.typed[part] for part in PARTS)


def _given(view: dict[str, Any]) -> _Given:
    values = view["state"]["values"]
    typed = {block: values[block][VALUE]["value"] or "" for block in (NAME_BLOCK, *PARTS)}
    return _Given(typed, files_of(values[FILE_BLOCK][VALUE]))


def _objections(given: _Given) -> dict[str, str]:
    """Return what can be said at once, by the input that it is about."""
    wrong, pasted = {}, given.pasted
    try:
        check_name(given.name)
    except SchemaRefused as error:
        wrong[NAME_BLOCK] = str(error)
    if given.files and pasted.strip():
        wrong[FILE_BLOCK] = BOTH
    elif not given.files:
        try:
            parse_schema(pasted)
        except SchemaRefused as error:
            wrong[PARTS[0]] = str(error) if pasted.strip() else NEITHER
    return wrong


async def _show(client: AsyncWebClient, view_id: str, view: Block) -> None:
    """Show how it went, where the modal is still on the screen."""
    try:
        await client.views_update(view_id=view_id, view=view)
    except SlackApiError as error:
        if code(error) not in {"not_found", "view_not_found"}:
            raise
        log.info("The modal of a new schema is closed.")


def _added_view(schema: Schema) -> Block:
    words = ADDED.format(schema.title, schema.version, schema.name)
    if validated := schema.report.get("validated"):
        words += VALIDATED.format(clip(", ".join(map(str, validated)), 500))
    return _last_view(section(text(words)))


def _last_view(shown: Block) -> Block:
    return {"type": "modal", "title": _plain(TITLE), "close": _plain(CLOSE), "blocks": [rich_text(shown)]}


def _emoji(name: str) -> Block:
    return {"type": "emoji", "name": name}


def _plain(words: str) -> Block:
    return {"type": "plain_text", "text": words}
