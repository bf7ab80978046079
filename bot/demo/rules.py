"""The rules that Block Kit's blocks and elements share; each yields sentences with a JSON pointer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.demo.workspace import Json

PLAIN = ("plain_text",)
ANY_TEXT = ("plain_text", "mrkdwn")
TEXT_FIELDS = {"plain_text": {"type", "text", "emoji"}, "mrkdwn": {"type", "text", "verbatim"}}


def rule(fine: bool, sentence: str, pointer: str) -> Iterator[str]:
    """Yield the sentence with its pointer where something is not fine."""
    if not fine:
        yield f"{sentence} [json-pointer:{pointer}]"


def kind_of(thing: Any) -> str | None:
    """Return the `type` of what may be anything."""
    kind = thing.get("type") if isinstance(thing, dict) else None
    return kind if isinstance(kind, str) else None


def unknown_fields(thing: Json, known: set[str], pointer: str) -> Iterator[str]:
    """Yield a problem for each field that Slack does not know."""
    for name in thing.keys() - known:
        yield f"invalid additional property: {name} [json-pointer:{pointer}]"


def short(thing: Json, name: str, limit: int, pointer: str) -> Iterator[str]:
    """Yield a problem where a field, if there, is no text of at most `limit` characters."""
    value = thing.get(name)
    fine = value is None or (isinstance(value, str) and len(value) <= limit)
    yield from rule(fine, f"must be less than {limit + 1} characters", f"{pointer}/{name}")


def required(thing: Json, name: str, limit: int, pointer: str) -> Iterator[str]:
    """Yield a problem where a field is no text of 1 to `limit` characters."""
    yield from rule(bool(thing.get(name)), f"missing required field: {name}", pointer)
    yield from short(thing, name, limit, pointer)


def counted(thing: Json, name: str, limit: int, pointer: str) -> Iterator[str]:
    """Yield a problem where a field is no list of 1 to `limit` items."""
    items = thing.get(name)
    fine = isinstance(items, list) and 0 < len(items) <= limit
    yield from rule(fine, f"must have between 1 and {limit} items", f"{pointer}/{name}")


def items(thing: Json, name: str, pointer: str) -> Iterator[tuple[Any, str]]:
    """Yield a list's items, each with its pointer; nothing where there is no list."""
    listed = thing.get(name)
    rows = listed if isinstance(listed, list) else []
    return ((row, f"{pointer}/{name}/{index}") for index, row in enumerate(rows))


def text_problems(text: Any, pointer: str, limit: int, *, kinds: tuple[str, ...] = ANY_TEXT) -> Iterator[str]:
    """Yield what is wrong with a text object of 1 to `limit` characters."""
    kind = kind_of(text)
    if kind not in kinds:
        yield f"must be one of: {', '.join(kinds)} [json-pointer:{pointer}/type]"
        return
    yield from unknown_fields(text, TEXT_FIELDS[kind], pointer)
    if not isinstance(text.get("text"), str) or not text["text"]:
        yield f"must be more than 0 characters [json-pointer:{pointer}/text]"
    else:
        yield from short(text, "text", limit, pointer)


def optional_text(
    thing: Json, name: str, pointer: str, limit: int, *, kinds: tuple[str, ...] = ANY_TEXT
) -> Iterator[str]:
    """Yield what is wrong with a text object that may be absent."""
    if thing.get(name) is not None:
        yield from text_problems(thing[name], f"{pointer}/{name}", limit, kinds=kinds)
