"""Block Kit: what a `rich_text` block may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.demo.rules import items, kind_of, required, rule, short, unknown_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.demo.workspace import Json

MAX_INDENT = 8
MAX_LINK = 3000
MAX_RUN = 40_000  # no limit of a run's own is documented: the message's applies
STYLES = {"bold", "italic", "strike", "code", "underline", "highlight", "client_highlight", "unlink"}
LEAVES: dict[str, tuple[str, set[str]]] = {
    "text": ("text", set()),
    "link": ("url", {"text", "unsafe"}),
    "emoji": ("name", {"unicode", "url"}),
    "user": ("user_id", set()),
    "usergroup": ("usergroup_id", set()),
    "channel": ("channel_id", set()),
    "broadcast": ("range", set()),
    "color": ("value", set()),
    "date": ("format", {"timestamp", "url", "fallback"}),
}
GROUPS = {
    "rich_text_section": {"type", "elements"},
    "rich_text_preformatted": {"type", "elements", "border", "language"},
    "rich_text_quote": {"type", "elements", "border"},
    "rich_text_list": {"type", "elements", "style", "indent", "offset", "border"},
}


def rich_text_problems(block: Json, pointer: str) -> Iterator[str]:
    """Yield what is wrong with a `rich_text` block."""
    fine = isinstance(block.get("elements"), list)
    yield from rule(fine, "missing required field: elements", pointer)
    for group, place in items(block, "elements", pointer):
        yield from _group(group, place)


def letters(block: Json) -> int:
    """Return how many characters of text a rich_text block (or any part of one) holds."""
    if isinstance(block.get("elements"), list):
        return sum(letters(part) for part in block["elements"])
    return len(block.get("text") or block.get("url") or "")


def _group(group: Any, pointer: str) -> Iterator[str]:
    kind = kind_of(group)
    if kind not in GROUPS:
        yield f"unsupported type: {kind} [json-pointer:{pointer}/type]"
        return
    yield from unknown_fields(group, GROUPS[kind], pointer)
    yield from rule(isinstance(group.get("elements"), list), "missing required field: elements", pointer)
    if kind == "rich_text_list":
        yield from _list(group, pointer)
    else:
        for leaf, place in items(group, "elements", pointer):
            yield from _leaf(leaf, place)


def _list(group: Json, pointer: str) -> Iterator[str]:
    fine = group.get("style") in {"bullet", "ordered"}
    yield from rule(fine, "must be one of: bullet, ordered", f"{pointer}/style")
    indent = group.get("indent", 0)
    fine = isinstance(indent, int) and 0 <= indent <= MAX_INDENT
    yield from rule(fine, f"must be between 0 and {MAX_INDENT}", f"{pointer}/indent")
    for section, place in items(group, "elements", pointer):
        inside = kind_of(section) == "rich_text_section"
        yield from rule(inside, "must be a rich_text_section", f"{place}/type")
        if inside:
            yield from _group(section, place)


def _leaf(leaf: Any, pointer: str) -> Iterator[str]:
    kind = kind_of(leaf)
    if kind not in LEAVES:
        yield f"unsupported type: {kind} [json-pointer:{pointer}/type]"
        return
    needed, others = LEAVES[kind]
    yield from unknown_fields(leaf, {"type", "style", needed} | others, pointer)
    yield from required(leaf, needed, MAX_LINK if kind == "link" else MAX_RUN, pointer)
    if kind == "link":
        yield from short(leaf, "text", MAX_RUN, pointer)
    style = leaf.get("style", {})
    fine = isinstance(style, dict) and style.keys() <= STYLES
    yield from rule(fine, "invalid style", f"{pointer}/style")
