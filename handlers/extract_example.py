"""What a person corrected, as a training case in the form that grammars/tuning/fields.py reads. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from grammars.extraction.record import pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knowledge.drafts import Draft


def example_of(draft: Draft, definition: Any, record: Any) -> dict[str, Any] | None:
    """Return the case that a correction gives; None where nothing was changed.

    The evidence of a corrected leaf is its own text, where that stands in the message.
    """
    extraction = draft.extraction or {}
    before = dict(_leaves(extraction.get("record"), ()))
    after = dict(_leaves(record, ()))
    if before == after:
        return None
    quotes = extraction.get("evidence", {})
    evidence = {}
    for at, value in after.items():
        quote = quotes[at]["quote"] if at in quotes and before.get(at) == value else _found(value, draft.text)
        if quote:
            evidence[at] = quote
    return {"schema": definition, "text": draft.text, "expected": record, "evidence": evidence}


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _leaves(member, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _leaves(item, (*path, number))
    else:
        yield pointer(path), value


def _found(value: Any, text: str) -> str | None:
    """Return the piece of the text that states a value as it is written, case aside."""
    if isinstance(value, bool) or value is None or not str(value).strip():
        return None
    match = re.search(re.escape(str(value)), text, re.IGNORECASE)
    return match[0] if match else None
