"""The blocks of a form: one for each of its lines, within Block Kit's limits. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from grammars.extraction.question import leaf_question, words
from handlers.schema_modal_controls import ABSENT, LONGEST_LINE, same, shown
from handlers.schema_modal_form import pointer_of
from handlers.text import clean, clip, clip_escaped

if TYPE_CHECKING:
    from collections.abc import Callable

    from grammars.extraction.fields import Field
    from handlers.rich import Block
    from handlers.schema_modal_form import Entry, Path

ADD_GROUP = "extract_add"
REMOVE_GROUP = "extract_remove"

FOUND = "From the text: “{}”"
UNSURE = "Another value is nearly as likely: please check."
NOT_STATED = "The text does not say."
DEMANDED = "The text does not say. Please fill it in."
AS_LINES = "One on each line."
AS_JSON = "As JSON."
KEPT = "{}: {} (as extracted)"
YES, NO, NONE = "Yes", "No", "Not stated"
ADD = "Add: {}"
REMOVE = "Remove"
RECORD = "Record (JSON)"
MORE = "Record, continued"
UNNAMED = "(no name)"

_PICKED = frozenset({"select", "radio", "checkbox"})  # their values are told apart by likelihood

LONGEST_LABEL = 150
LONGEST_OPTION = 75
LONGEST_QUOTE = 300
LONGEST_PLACEHOLDER = 150
LONGEST_POINTER = 2_000  # a button's value


def label_of(field: Field) -> str:
    """Return what people call a field: its title, else its name in words."""
    title = field.schema.get("title")
    if isinstance(title, str) and title.strip():
        return clip(clean(title.strip()), LONGEST_LABEL)
    spoken = words(clean(field.name)) or clean(field.name).strip()
    return clip(spoken[:1].upper() + spoken[1:], LONGEST_LABEL) or UNNAMED


def heading_of(entry: Entry) -> str:
    """Return a group's heading: its own label, and which of several it is."""
    numbers = [step + 1 for step in entry.at if isinstance(step, int)]
    return f"{label_of(entry.field)} {numbers[-1]}" if _is_item(entry.at) else label_of(entry.field)


def group_block(entry: Entry) -> Block:
    """Return a heading, with a button that takes the group out where it may be."""
    name = clip_escaped(heading_of(entry).replace("*", ""), LONGEST_LABEL)
    block: Block = {"type": "section", "text": {"type": "mrkdwn", "text": f"*{name}*", "verbatim": True}}
    pointer = pointer_of(entry)
    if entry.removable and len(pointer) <= LONGEST_POINTER:
        block["accessory"] = _button(REMOVE_GROUP, REMOVE, pointer)
    return block


def button_block(entry: Entry) -> Block:
    """Return the button that adds a group."""
    offer = ADD.format(label_of(entry.field))
    pointer = pointer_of(entry)
    if len(pointer) > LONGEST_POINTER:
        return kept_block(clip(offer, LONGEST_LABEL))
    return {"type": "actions", "elements": [_button(ADD_GROUP, offer, pointer)]}


def kept_block(sentence: str) -> Block:
    """Return a line that is read only."""
    return {"type": "context", "elements": [{"type": "plain_text", "text": sentence, "emoji": False}]}


def input_block(entry: Entry, quote: str | None, action: str, *, unsure: bool = False) -> Block:
    """Return the input of a line, with its evidence underneath.

    Args:
        entry: the line.
        quote: the verbatim piece of the text that it came from.
        action: the input's action id.
        unsure: whether another value was nearly as likely.
    """
    if entry.control == "kept":
        value = json.dumps(entry.value, ensure_ascii=False)
        return kept_block(KEPT.format(label_of(entry.field), clip(clean(value), LONGEST_QUOTE)))
    if entry.control == "part":
        label, optional, hint = (MORE if entry.at[0] else RECORD), True, ""
    else:
        label, optional, hint = (
            label_of(entry.field),
            _may_be_empty(entry),
            _hint(entry, quote, unsure=unsure),
        )
    block: Block = {
        "type": "input",
        "label": _plain(label, LONGEST_LABEL),
        "element": {"action_id": action} | _ELEMENTS[entry.control](entry),
        "optional": optional,
    }
    return block | ({"hint": _plain(hint, 2 * LONGEST_QUOTE)} if hint else {})


def _may_be_empty(entry: Entry) -> bool:
    """Whether the client lets the input stay empty; a list may be, and a box is never 'filled in'."""
    return not entry.demanded or entry.control in {"checkbox", "choices", "lines"}


def _hint(entry: Entry, quote: str | None, *, unsure: bool) -> str:
    said = []
    if quote and quote.strip():
        said.append(FOUND.format(clip(" ".join(clean(quote).split()), LONGEST_QUOTE)))
        said += [UNSURE] * (unsure and entry.control in _PICKED)
    elif entry.value is ABSENT or entry.value is None:
        said.append(DEMANDED if entry.demanded else NOT_STATED)
    said += [AS_LINES] * (entry.control == "lines") + [AS_JSON] * (entry.control == "json")
    return " ".join(said)


def _text(entry: Entry) -> Block:
    held = shown(entry.control, entry.value)
    long = entry.control in {"lines", "json"} or len(held) > LONGEST_LINE or "\n" in held
    element: Block = {"type": "plain_text_input", "multiline": long}
    return element | ({"initial_value": held} if held else {}) | _placeholder(entry.field)


def _number(entry: Entry) -> Block:
    held = shown("number", entry.value)
    element: Block = {"type": "number_input", "is_decimal_allowed": entry.field.kind != "integer"}
    return element | ({"initial_value": held} if held else {}) | _placeholder(entry.field)


def _date(entry: Entry) -> Block:
    initial = {"initial_date": entry.value} if isinstance(entry.value, str) and entry.value else {}
    return {"type": "datepicker"} | initial


def _checkbox(entry: Entry) -> Block:
    option = _option(YES, "yes")
    return {"type": "checkboxes", "options": [option]} | (
        {"initial_options": [option]} if entry.value else {}
    )


def _radio(entry: Entry) -> Block:
    options = [_option(YES, "yes"), _option(NO, "no")]
    options += [] if entry.demanded else [_option(NONE, "none")]
    chosen = {True: 0, False: 1}.get(entry.value) if isinstance(entry.value, bool) else None
    if chosen is None and not entry.demanded:
        chosen = 2
    return {"type": "radio_buttons", "options": options} | _initial(options, chosen)


def _select(entry: Entry) -> Block:
    options = [_option(_say(value), str(number)) for number, value in enumerate(entry.field.options)]
    chosen = next((n for n, value in enumerate(entry.field.options) if same(value, entry.value)), None)
    if not entry.demanded:
        options.append(_option(NONE, "none"))
        chosen = len(options) - 1 if chosen is None else chosen
    return {"type": "static_select", "options": options} | _initial(options, chosen)


def _choices(entry: Entry) -> Block:
    assert entry.field.items is not None
    offered = entry.field.items.options
    options = [_option(_say(value), str(number)) for number, value in enumerate(offered)]
    held = entry.value if isinstance(entry.value, list) else []
    chosen = [options[next(n for n, value in enumerate(offered) if same(value, item))] for item in held]
    element: Block = {"type": "multi_static_select", "options": options}
    return element | ({"initial_options": chosen} if chosen else {})


def _initial(options: list[Block], chosen: int | None) -> Block:
    return {} if chosen is None else {"initial_option": options[chosen]}


def _say(value: Any) -> str:
    return value if isinstance(value, str) and value.strip() else json.dumps(value, ensure_ascii=False)


def _option(said: str, value: str) -> Block:
    return {"text": _plain(said, LONGEST_OPTION), "value": value}


def _placeholder(field: Field) -> Block:
    told = clip(leaf_question("", (), clean(field.description)), LONGEST_PLACEHOLDER)
    return {"placeholder": _plain(told, LONGEST_PLACEHOLDER)} if told else {}


def _plain(said: str, limit: int) -> Block:
    return {"type": "plain_text", "text": clip(clean(said), limit) or UNNAMED}


def _button(action: str, said: str, value: str) -> Block:
    return {"type": "button", "action_id": action, "text": _plain(said, LONGEST_OPTION), "value": value}


def _is_item(at: Path) -> bool:
    return bool(at) and isinstance(at[-1], int)


def _part(entry: Entry) -> Block:
    return {"type": "plain_text_input", "multiline": True, "initial_value": clean(entry.value)}


_ELEMENTS: dict[str, Callable[[Entry], Block]] = {
    "text": _text,
    "lines": _text,
    "json": _text,
    "part": _part,
    "number": _number,
    "date": _date,
    "checkbox": _checkbox,
    "radio": _radio,
    "select": _select,
    "choices": _choices,
}
