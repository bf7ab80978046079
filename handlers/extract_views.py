"""The modals around a record: choosing a schema, pasting a text, reading, and what went wrong. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from handlers.extract_source import around
from handlers.rich import quote, rich_text, section, text
from handlers.schema_modal import Form, edit_view
from handlers.text import clean, clip

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from handlers.rich import Block
    from knowledge.drafts import Draft
    from knowledge.schemas import Schema

CHOOSE_SCHEMA = "extract_schema"
SUBMIT_TEXT = "extract_text"
DRAFT_VIEW = "extract_draft"

TITLE = "Extract a record"
READ = "Read"
CLOSE = "Close"
SCHEMA = "Schema"
TEXT = "Text"
PASTE = "Paste what the record is to be made from."
READING = "Reading… This takes a few seconds."
CHOOSE = "Which record is to be made of it?"
CHOOSE_ONE = "Choose a schema"
NO_SCHEMAS = "There are no schemas yet. Add one with `/extract schemas add`."
POSTED = "This record was complete, and this channel posts such records by itself: it is posted."
TOO_LATE = "This record was posted already, or closed elsewhere."

LONGEST_PREVIEW = 300
MOST_SCHEMAS = 100
UNSURE_BELOW = 0.2  # margin, between 0 and 1, of a choice that a person should look at
SCHEMA_BLOCK = "schema"
TEXT_BLOCK = "text"
VALUE = "value"


def choosing_view(draft: Draft, schemas: Sequence[Schema]) -> Block:
    """Return the modal that asks by which schema a message is to be read."""
    return _view(draft, [*heading(draft, schemas), *_preview(draft)])


def reading_view(draft: Draft, schemas: Sequence[Schema]) -> Block:
    """Return the modal that is up while the model reads."""
    waiting = rich_text(section({"type": "emoji", "name": "hourglass_flowing_sand"}, text(f" {READING}")))
    return _view(draft, [*heading(draft, schemas), waiting, *_preview(draft)])


def sorry_view(draft: Draft, schemas: Sequence[Schema], sentence: str) -> Block:
    """Return the modal that says why there is no record; another schema may be chosen."""
    said = rich_text(section({"type": "emoji", "name": "warning"}, text(f" {sentence}")))
    return _view(draft, [*heading(draft, schemas), said, *_preview(draft)])


def last_view(draft: Draft, sentence: str) -> Block:
    """Return the modal that says how it ended."""
    return _view(draft, [rich_text(section(text(sentence)))])


def record_view(draft: Draft, schema: Schema, schemas: Sequence[Schema]) -> Block:
    """Return the modal in which the draft's record is corrected."""
    metadata = {"draft": str(draft.id), "revision": draft.revision}
    view = edit_view(form_of(draft, schema), heading(draft, schemas), metadata)
    return view | {"external_id": external_id(draft), "notify_on_close": True}


def form_of(draft: Draft, schema: Schema) -> Form:
    """Return what the draft's modal is made from."""
    made = draft.extraction or {}
    spans, margins = made.get("evidence", {}), made.get("margins", {})
    quotes = {at: around(draft.text, span["start"], span["end"]) for at, span in spans.items()}
    unsure = frozenset(at for at, margin in margins.items() if margin < UNSURE_BELOW)
    return Form(schema.definition, draft.record, quotes, unsure, draft.revision)


def text_view(
    schemas: Sequence[Schema], chosen: str | None, metadata: Mapping[str, Any], initial: str = ""
) -> Block:
    """Return the modal in which a schema is chosen and a text pasted."""
    if not schemas:
        return _modal([rich_text(section(text(NO_SCHEMAS)))])
    typed: Block = {"type": "plain_text_input", "action_id": VALUE, "multiline": True}
    typed |= {"placeholder": _plain(PASTE)} | ({"initial_value": initial} if initial else {})
    blocks = [
        _input(SCHEMA_BLOCK, SCHEMA, _select(schemas, chosen) | {"action_id": VALUE}),
        _input(TEXT_BLOCK, TEXT, typed),
    ]
    asked = {"callback_id": SUBMIT_TEXT, "submit": _plain(READ), "private_metadata": json.dumps(metadata)}
    return _modal(blocks) | asked


def heading(draft: Draft, schemas: Sequence[Schema]) -> list[Block]:
    """Return what stands above every form of a draft: the schema, which may be changed."""
    if not schemas:
        return [rich_text(section(text(NO_SCHEMAS)))]
    asked = CHOOSE if draft.schema_name is None else "*Schema*"
    picker = _select(schemas, draft.schema_name) | {"action_id": CHOOSE_SCHEMA}
    block_id = f"schema.{draft.revision}"
    shown = {"type": "mrkdwn", "text": asked}
    return [{"type": "section", "block_id": block_id, "text": shown, "accessory": picker}]


def external_id(draft: Draft) -> str:
    """Return the name by which a draft's modal is found again."""
    return f"draft-{draft.id}"


def _preview(draft: Draft) -> list[Block]:
    words = clip(draft.text.strip(), LONGEST_PREVIEW)
    return [rich_text(*quote(words))] if words else []


def _view(draft: Draft, blocks: Sequence[Block]) -> Block:
    metadata = json.dumps({"draft": str(draft.id), "revision": draft.revision})
    names = {"callback_id": DRAFT_VIEW, "external_id": external_id(draft), "private_metadata": metadata}
    return _modal(blocks) | names | {"notify_on_close": True}


def _modal(blocks: Sequence[Block]) -> Block:
    return {"type": "modal", "title": _plain(TITLE), "close": _plain(CLOSE), "blocks": list(blocks)}


def _input(block_id: str, label: str, element: Block) -> Block:
    return {"type": "input", "block_id": block_id, "label": _plain(label), "element": element}


def _select(schemas: Sequence[Schema], chosen: str | None) -> Block:
    options = [_option(schema) for schema in schemas[:MOST_SCHEMAS]]
    initial = next((option for option in options if option["value"] == chosen), None)
    select: Block = {"type": "static_select", "options": options, "placeholder": _plain(CHOOSE_ONE)}
    return select | ({"initial_option": initial} if initial else {})


def _option(schema: Schema) -> Block:
    return {"text": _plain(clip(clean(schema.title), 75) or schema.name), "value": schema.name}


def _plain(words: str) -> Block:
    return {"type": "plain_text", "text": words}
