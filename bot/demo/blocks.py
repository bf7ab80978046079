"""Block Kit: the limits of each block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.demo.elements import element_problems, rule, text_problems, unknown_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.demo.workspace import Json

__all__ = ["blocks_problems", "text_problems"]

ACCESSORIES = {
    "button", "checkboxes", "datepicker", "image", "multi_static_select", "multi_users_select", "multi_channels_select",
    "multi_conversations_select", "multi_external_select", "overflow", "radio_buttons", "static_select",
    "users_select", "channels_select", "conversations_select", "external_select", "timepicker", "workflow_button",
}  # fmt: skip
ACTIONS = (ACCESSORIES - {"image"}) | {"datetimepicker"}
INPUTS = {
    "plain_text_input", "number_input", "email_text_input", "url_text_input", "rich_text_input", "file_input",
    "checkboxes", "radio_buttons", "datepicker", "timepicker", "datetimepicker", "static_select", "users_select",
    "channels_select", "conversations_select", "external_select", "multi_static_select", "multi_users_select",
    "multi_channels_select", "multi_conversations_select", "multi_external_select",
}  # fmt: skip
CONTEXT_ACTIONS = {"feedback_buttons", "icon_button"}
RICH_TEXT = {"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"}

MESSAGE_ONLY = {"markdown", "table", "context_actions", "file"}
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
    if len(blocks) > limit:
        yield f"no more than {limit} items allowed [json-pointer:{pointer}]"
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        yield from _block(block, f"{pointer}/{index}", surface, seen)
    tables = [block for block in blocks if isinstance(block, dict) and block.get("type") == "table"]
    if len(tables) > 1:
        yield f"only one table allowed per message [json-pointer:{pointer}]"


def _block(block: Any, pointer: str, surface: str, seen: set[str]) -> Iterator[str]:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind not in FIELDS or (surface != "message" and kind in MESSAGE_ONLY):
        yield f"unsupported type: {kind} [json-pointer:{pointer}/type]"
        return
    yield from unknown_fields(block, FIELDS[kind] | {"type", "block_id"}, pointer)
    block_id = block.get("block_id")
    if block_id is not None:
        yield from rule(
            isinstance(block_id, str) and 0 < len(block_id) <= 255,
            "must be less than 256 characters",
            f"{pointer}/block_id",
        )
        yield from rule(block_id not in seen, "`block_id` must be unique", f"{pointer}/block_id")
        seen.add(str(block_id))
    yield from BLOCKS[kind](block, pointer)


def _section(block: Json, pointer: str) -> Iterator[str]:
    fields = block.get("fields")
    if block.get("text") is None and not fields:
        yield f"missing required field: text [json-pointer:{pointer}]"
    if block.get("text") is not None:
        yield from text_problems(block["text"], f"{pointer}/text", 3000)
    if fields is not None:
        yield from rule(
            isinstance(fields, list) and 0 < len(fields) <= 10,
            "no more than 10 items allowed",
            f"{pointer}/fields",
        )
        for index, field in enumerate(fields if isinstance(fields, list) else []):
            yield from text_problems(field, f"{pointer}/fields/{index}", 2000)
    if block.get("accessory") is not None:
        yield from element_problems(block["accessory"], f"{pointer}/accessory", ACCESSORIES)


def _header(block: Json, pointer: str) -> Iterator[str]:
    yield from text_problems(block.get("text"), f"{pointer}/text", 150, kinds=("plain_text",))


def _nothing(_block: Json, _pointer: str) -> Iterator[str]:
    yield from ()


def _elements(block: Json, pointer: str, limit: int) -> Iterator[tuple[Any, str]]:
    elements = block.get("elements")
    listed = elements if isinstance(elements, list) else []
    return ((element, f"{pointer}/elements/{index}") for index, element in enumerate(listed[:limit]))


def _count(block: Json, pointer: str, limit: int) -> Iterator[str]:
    elements = block.get("elements")
    fine = isinstance(elements, list) and 0 < len(elements) <= limit
    yield from rule(fine, f"must have between 1 and {limit} items", f"{pointer}/elements")


def _context(block: Json, pointer: str) -> Iterator[str]:
    yield from _count(block, pointer, 10)
    for element, place in _elements(block, pointer, 10):
        if isinstance(element, dict) and element.get("type") == "image":
            yield from element_problems(element, place, {"image"})
        else:
            yield from text_problems(element, place, 3000)


def _interactive(allowed: set[str], limit: int) -> Callable[[Json, str], Iterator[str]]:
    def check(block: Json, pointer: str) -> Iterator[str]:
        yield from _count(block, pointer, limit)
        seen: set[str] = set()
        for element, place in _elements(block, pointer, limit):
            yield from element_problems(element, place, allowed)
            action = element.get("action_id") if isinstance(element, dict) else None
            yield from rule(
                action is None or action not in seen, "`action_id` must be unique", f"{place}/action_id"
            )
            seen.add(str(action))

    return check


def _image(block: Json, pointer: str) -> Iterator[str]:
    address = block.get("image_url")
    if block.get("slack_file") is None:
        yield from rule(
            isinstance(address, str) and 0 < len(address) <= 3000,
            "must be a valid URL",
            f"{pointer}/image_url",
        )
    alternative = block.get("alt_text")
    yield from rule(
        isinstance(alternative, str) and len(alternative) <= 2000, "missing required field: alt_text", pointer
    )
    if block.get("title") is not None:
        yield from text_problems(block["title"], f"{pointer}/title", 2000, kinds=("plain_text",))


def _input(block: Json, pointer: str) -> Iterator[str]:
    yield from text_problems(block.get("label"), f"{pointer}/label", 2000, kinds=("plain_text",))
    if block.get("hint") is not None:
        yield from text_problems(block["hint"], f"{pointer}/hint", 2000, kinds=("plain_text",))
    yield from element_problems(block.get("element"), f"{pointer}/element", INPUTS)


def _markdown(block: Json, pointer: str) -> Iterator[str]:
    text = block.get("text")
    yield from rule(isinstance(text, str) and text != "", "missing required field: text", pointer)
    yield from rule(len(str(text)) <= 12_000, "must be less than 12001 characters", f"{pointer}/text")


def _rich_text(block: Json, pointer: str) -> Iterator[str]:
    elements = block.get("elements")
    yield from rule(isinstance(elements, list), "missing required field: elements", pointer)
    for element, place in _elements(block, pointer, 10_000):
        kind = element.get("type") if isinstance(element, dict) else None
        yield from rule(kind in RICH_TEXT, f"unsupported type: {kind}", f"{place}/type")


def _table(block: Json, pointer: str) -> Iterator[str]:
    rows = block.get("rows")
    if (
        not isinstance(rows, list)
        or not 0 < len(rows) <= 100
        or not all(isinstance(row, list) for row in rows)
    ):
        yield f"must have between 1 and 100 items [json-pointer:{pointer}/rows]"
        return
    for number, row in enumerate(rows):
        yield from rule(0 < len(row) <= 20, "must have between 1 and 20 items", f"{pointer}/rows/{number}")
        for place, cell in enumerate(row):
            kind = cell.get("type") if isinstance(cell, dict) else None
            fine = kind in {"raw_text", "raw_number", "rich_text"}
            yield from rule(fine, f"unsupported type: {kind}", f"{pointer}/rows/{number}/{place}/type")
    letters = sum(len(str(cell.get("text", cell))) for row in rows for cell in row if isinstance(cell, dict))
    yield from rule(
        letters <= MAX_TABLE_CHARACTERS, "tables must be less than 10001 characters", f"{pointer}/rows"
    )


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
    "rich_text": _rich_text,
    "table": _table,
    "file": _nothing,
}
