"""The modal in which a record is corrected, made from its schema; and what a person made of it. Pure.

A block's id holds the revision of its form: what was typed into another form is never taken for this one's.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from handlers.schema_modal_blocks import button_block, group_block, input_block, kept_block
from handlers.schema_modal_controls import EntryError, read_entry, read_json
from handlers.schema_modal_form import FOLDS, Entry, entries, place, pointer_of
from handlers.text import clip

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from handlers.rich import Block

SUBMIT_RECORD = "extract_submit"
VALUE = "value"  # the action id of every input
TITLE = "Check the record"
POST = "Post"
CANCEL = "Cancel"
TOO_LARGE = "This record is too large to be edited here. It is posted as it was extracted."

MOST_BLOCKS = 96  # a view takes 100, the heading's among them
MOST_BYTES = 200_000  # a view takes 250,000


@dataclass(frozen=True, slots=True)
class Form:
    """What a view is made from.

    Attributes:
        definition: the JSON Schema.
        record: as it is to be shown, without what is missing.
        evidence: quotes by JSON pointer.
        unsure: pointers of choices that were nearly made otherwise.
        revision: counts the forms of one draft.
    """

    definition: Any
    record: Any
    evidence: Mapping[str, str] = field(default_factory=dict)
    unsure: frozenset[str] = frozenset()
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Edited:
    """What a person made of a record; `problems` by block id, where an entry cannot be read."""

    record: Any
    problems: dict[str, str] = field(default_factory=dict)


def edit_view(form: Form, heading: Sequence[Block], metadata: Mapping[str, Any]) -> Block:
    """Return the modal; `metadata` comes back with everything that is done in it.

    Args:
        form: what is edited.
        heading: up to four blocks above it.
        metadata: at most 3,000 characters as JSON.
    """
    lines = shown_entries(form)
    blocks = _blocks(form, lines) if lines else [kept_block(TOO_LARGE)]
    return {
        "type": "modal",
        "callback_id": SUBMIT_RECORD,
        "private_metadata": json.dumps(metadata),
        "title": _plain(TITLE),
        "submit": _plain(POST),
        "close": _plain(CANCEL),
        "blocks": [*heading, *blocks],
    }


def read_form(form: Form, values: Mapping[str, Any]) -> Edited:
    """Return the record that the inputs of `edit_view` now say.

    Args:
        form: the form that the view was made from.
        values: `view["state"]["values"]`, as Slack sends them.
    """
    lines = shown_entries(form)
    record, problems = deepcopy(form.record), {}
    if lines and lines[0].control == "part":
        return _read_parts(form, lines, values)
    for number, entry in enumerate(lines):
        block = block_id(form, number)
        if entry.control in {"group", "add", "kept"} or block not in values:
            continue
        try:
            record = place(record, entry.at, _read(entry, values[block][VALUE]))
        except EntryError as error:
            problems[block] = str(error)
    return Edited(record, problems)


def shown_entries(form: Form) -> list[Entry]:
    """Return the lines that `edit_view` shows; none where the record is too large for any."""
    for lines in _plans(form):
        if fits(list(_blocks(form, lines))):
            return lines
    return []


def block_id(form: Form, number: int) -> str:
    """Return the id of the block that shows the form's line of this number."""
    return f"{form.revision}.{number}"


def fits(blocks: Sequence[Block]) -> bool:
    """Whether Slack takes a view with these blocks under a heading."""
    return 0 < len(blocks) <= MOST_BLOCKS and len(json.dumps(blocks)) <= MOST_BYTES


def _plans(form: Form) -> Iterator[list[Entry]]:
    """Yield the ways to show a form, the most convenient first."""
    for fold in FOLDS:
        yield entries(form.definition, form.record, fold)


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": clip(text, 24)}


def _blocks(form: Form, lines: Sequence[Entry]) -> Iterator[Block]:
    for number, entry in enumerate(lines):
        name = {"block_id": block_id(form, number)}
        if entry.control == "group":
            yield name | group_block(entry)
        elif entry.control == "add":
            yield name | button_block(entry)
        else:
            at = pointer_of(entry)
            yield name | input_block(entry, form.evidence.get(at), VALUE, unsure=at in form.unsure)


def _read(entry: Entry, state: Mapping[str, Any]) -> Any:
    """Return the value that an input's state stands for."""
    if entry.control in {"select", "radio"}:
        return _picked(entry, state.get("selected_option"))
    if entry.control == "checkbox":
        return bool(state.get("selected_options"))
    if entry.control == "choices":
        return _several(entry, state.get("selected_options") or [])
    text = state.get("selected_date") if entry.control == "date" else state.get("value")
    return read_entry(entry.control, entry.field, entry.value, text)


def _picked(entry: Entry, option: Mapping[str, Any] | None) -> Any:
    if option is None or option["value"] == "none":
        return read_entry(entry.control, entry.field, entry.value, None)
    if entry.control == "radio":
        return bool(option["value"] == "yes")
    return entry.field.options[int(option["value"])]


def _several(entry: Entry, options: Sequence[Mapping[str, Any]]) -> Any:
    assert entry.field.items is not None
    picked = [entry.field.items.options[int(option["value"])] for option in options]
    if not picked:
        return read_entry(entry.control, entry.field, entry.value, None)
    held = entry.value if isinstance(entry.value, list) else []
    return held if sorted(map(repr, picked)) == sorted(map(repr, held)) else picked


def _read_parts(form: Form, lines: Sequence[Entry], values: Mapping[str, Any]) -> Edited:
    """Read a record that was edited as JSON, in as many inputs as that needs."""
    names = [block_id(form, number) for number in range(len(lines))]
    parts = []
    for name, entry in zip(names, lines, strict=True):
        text = values[name][VALUE].get("value") or ""
        parts.append(entry.value if text.strip() == entry.value.strip() else text)
    try:
        return Edited(read_json("".join(parts)))
    except EntryError as error:
        return Edited(form.record, {names[0]: str(error)})
