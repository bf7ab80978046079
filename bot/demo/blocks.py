"""Block Kit: the limits of each block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.demo.elements import element_problems
from bot.demo.rich_text import rich_text_problems
from bot.demo.rules import (
    PLAIN,
    counted,
    items,
    kind_of,
    optional_text,
    required,
    rule,
    text_problems,
    unknown_fields,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.demo.workspace import Json

SELECTS = {
    f"{prefix}{kind}_select"
    for prefix in ("", "multi_")
    for kind in ("static", "users", "channels", "conversations", "external")
}
PICKERS = {"checkboxes", "radio_buttons", "datepicker", "timepicker"}
ACTIONS = SELECTS | PICKERS | {"button", "overflow", "datetimepicker", "workflow_button"}
ACCESSORIES = (ACTIONS - {"datetimepicker"}) | {"image"}
TYPED = {"plain_text_input", "number_input", "email_text_input", "url_text_input", "rich_text_input"}
INPUTS = SELECTS | PICKERS | TYPED | {"datetimepicker", "file_input"}
CONTEXT_ACTIONS = {"feedback_buttons", "icon_button"}

MESSAGE_ONLY = {"markdown", "table", "context_actions", "file"}
MAX_ROWS = 100
MAX_CELLS = 20
MAX_TABLE_CHARACTERS = 10_000

FIELDS: dict[str, set[str]] = {
    "section": {"text", "fields", "accessory", "expand"},
    "header": {"text"},
    "divider": set(),
    "context": {"elements"},
    "actions": {"elements"},
    "context_actions": {"elements"},
    "image": {"image_url", "slack_file", "alt_text", "title"},
    "input": {"label", "element", "hint", "optional", "dispatch_action"},
    "markdown": {"text"},
    "rich_text": {"elements"},
    "table": {"rows", "column_settings"},
    "file": {"external_id", "source", "file_id", "file"},
}


def blocks_problems(blocks: Any, surface: str, limit: int, pointer: str = "/blocks") -> Iterator[str]:
    """Yield what Slack would object to, each with its JSON pointer.

    Args:
        blocks: The list of blocks, from an app and so of any shape.
        surface: `message`, `modal` or `home`.
        limit: How many blocks the surface holds.
        pointer: Where the list stands in the request.
    """
    if not isinstance(blocks, list):
        yield f"must be an array [json-pointer:{pointer}]"
        return
    yield from rule(len(blocks) <= limit, f"no more than {limit} items allowed", pointer)
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        yield from _block(block, f"{pointer}/{index}", surface, seen)
    tables = sum(kind_of(block) == "table" for block in blocks)
    yield from rule(tables <= 1, "only one table allowed per message", pointer)


def _block(block: Any, pointer: str, surface: str, seen: set[str]) -> Iterator[str]:
    kind = kind_of(block)
    if kind not in FIELDS or (surface != "message" and kind in MESSAGE_ONLY):
        yield f"unsupported type: {kind} [json-pointer:{pointer}/type]"
        return
    yield from unknown_fields(block, FIELDS[kind] | {"type", "block_id"}, pointer)
    if block.get("block_id") is not None:
        yield from required(block, "block_id", 255, pointer)
        name = str(block["block_id"])
        yield from rule(name not in seen, "`block_id` must be unique", f"{pointer}/block_id")
        seen.add(name)
    yield from BLOCKS[kind](block, pointer)


def _section(block: Json, pointer: str) -> Iterator[str]:
    fine = block.get("text") is not None or bool(block.get("fields"))
    yield from rule(fine, "missing required field: text", pointer)
    yield from optional_text(block, "text", pointer, 3000)
    if block.get("fields") is not None:
        yield from counted(block, "fields", 10, pointer)
        for field, place in items(block, "fields", pointer):
            yield from text_problems(field, place, 2000)
    if block.get("accessory") is not None:
        yield from element_problems(block["accessory"], f"{pointer}/accessory", ACCESSORIES)


def _header(block: Json, pointer: str) -> Iterator[str]:
    yield from text_problems(block.get("text"), f"{pointer}/text", 150, kinds=PLAIN)


def _nothing(_block: Json, _pointer: str) -> Iterator[str]:
    yield from ()


def _context(block: Json, pointer: str) -> Iterator[str]:
    yield from counted(block, "elements", 10, pointer)
    for element, place in items(block, "elements", pointer):
        if kind_of(element) == "image":
            yield from element_problems(element, place, {"image"})
        else:
            yield from text_problems(element, place, 3000)


def _interactive(allowed: set[str], limit: int) -> Callable[[Json, str], Iterator[str]]:
    def check(block: Json, pointer: str) -> Iterator[str]:
        yield from counted(block, "elements", limit, pointer)
        seen: set[str] = set()
        for element, place in items(block, "elements", pointer):
            yield from element_problems(element, place, allowed)
            action = element.get("action_id") if isinstance(element, dict) else None
            yield from rule(action not in seen, "`action_id` must be unique", f"{place}/action_id")
            if isinstance(action, str):
                seen.add(action)

    return check


def _image(block: Json, pointer: str) -> Iterator[str]:
    if block.get("slack_file") is None:
        yield from required(block, "image_url", 3000, pointer)
    yield from required(block, "alt_text", 2000, pointer)
    yield from optional_text(block, "title", pointer, 2000, kinds=PLAIN)


def _input(block: Json, pointer: str) -> Iterator[str]:
    yield from text_problems(block.get("label"), f"{pointer}/label", 2000, kinds=PLAIN)
    yield from optional_text(block, "hint", pointer, 2000, kinds=PLAIN)
    yield from element_problems(block.get("element"), f"{pointer}/element", INPUTS)


def _markdown(block: Json, pointer: str) -> Iterator[str]:
    yield from required(block, "text", 12_000, pointer)


def _table(block: Json, pointer: str) -> Iterator[str]:
    yield from counted(block, "rows", MAX_ROWS, pointer)
    characters = 0
    for row, place in items(block, "rows", pointer):
        fine = isinstance(row, list) and 0 < len(row) <= MAX_CELLS
        yield from rule(fine, f"must have between 1 and {MAX_CELLS} items", place)
        for index, cell in enumerate(row if isinstance(row, list) else []):
            yield from _cell(cell, f"{place}/{index}")
            characters += len(str(cell.get("text", "")) if isinstance(cell, dict) else "")
    fine = characters <= MAX_TABLE_CHARACTERS
    yield from rule(fine, f"must be less than {MAX_TABLE_CHARACTERS + 1} characters", f"{pointer}/rows")
    if block.get("column_settings"):
        yield from counted(block, "column_settings", MAX_CELLS, pointer)


def _cell(cell: Any, pointer: str) -> Iterator[str]:
    kind = kind_of(cell)
    if kind == "rich_text":
        yield from rich_text_problems(cell, pointer)
    elif kind == "raw_text":
        yield from unknown_fields(cell, {"type", "text"}, pointer)
        yield from required(cell, "text", MAX_TABLE_CHARACTERS, pointer)
    else:
        yield from rule(kind == "raw_number", f"unsupported type: {kind}", f"{pointer}/type")


BLOCKS: dict[str, Callable[[Json, str], Iterator[str]]] = {
    "section": _section,
    "header": _header,
    "divider": _nothing,
    "context": _context,
    "actions": _interactive(ACTIONS, 25),
    "context_actions": _interactive(CONTEXT_ACTIONS, 5),
    "image": _image,
    "input": _input,
    "markdown": _markdown,
    "rich_text": rich_text_problems,
    "table": _table,
    "file": _nothing,
}
