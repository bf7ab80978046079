"""Where in a text the leaves of a record stand that a model wrote at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from grammars.extraction.candidates import candidates
from grammars.extraction.constants import free_strings
from grammars.extraction.fields import read_fields
from grammars.extraction.layout import Layout
from grammars.extraction.record import Evidence, pointer
from grammars.extraction.record_grammar import leaves_of

if TYPE_CHECKING:
    from datetime import date

    from grammars.extraction.fields import Field
    from grammars.extraction.layout import Span
    from grammars.extraction.record import Path


def find_evidence(
    definition: Any, value: Any, text: str, reference: date
) -> tuple[dict[str, Evidence], list[Path]]:
    """Return the span of each leaf that has one, and the strings that should have one and have none.

    A string stands in the text as it is, white space aside; a date or a number by what it says. A boolean,
    and an option that the text does not name, has no span. Every string should have one that the schema does
    not name itself, wherever it stands.
    """
    layout = Layout.of(text)
    spans = {
        path: _span(leaf, _at(value, path), layout, reference)
        for path, leaf in leaves_of(read_fields(definition), value)
    }
    free = list(free_strings(definition, value))
    spans |= {path: _verbatim(told, layout.text) for path, told in free if not spans.get(path)}
    found = {pointer(path): Evidence(text[slice(*span)], *span) for path, span in spans.items() if span}
    return found, [path for path, _ in free if not spans[path]]


def _span(leaf: Field, value: Any, layout: Layout, reference: date) -> Span | None:
    if leaf.kind in ("integer", "number") or leaf.schema.get("format") in ("date", "date-time"):
        like = (one for one in candidates(leaf, layout, reference) if one.value == value)
        return next((one.span for one in like), None)
    if leaf.kind == "choice" and isinstance(value, str):
        return _verbatim(value.replace("_", " "), layout.text, re.IGNORECASE)
    return None


def _verbatim(told: str, text: str, flags: int = 0) -> Span | None:
    words = map(re.escape, told.split())
    match = re.search(r"\s+".join(words), text, flags) if told.strip() else None
    return match.span() if match else None


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value
