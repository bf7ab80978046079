"""Where in a text the leaves of a record stand that a model wrote at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from grammars.extraction.candidates import candidates
from grammars.extraction.layout import Layout
from grammars.extraction.record import Evidence, pointer
from grammars.extraction.record_grammar import leaves_of

if TYPE_CHECKING:
    from datetime import date

    from grammars.extraction.fields import Field
    from grammars.extraction.layout import Span

Path = tuple[str | int, ...]


def find_evidence(
    root: Field, value: Any, text: str, reference: date
) -> tuple[dict[str, Evidence], list[Path]]:
    """Return the span of each leaf that has one, and the strings that should have one and have none.

    A string stands in the text as it is, white space and case aside; a date or a number by what it says. A
    boolean, and an option that the text does not name, has no span.
    """
    layout = Layout.of(text)
    found: dict[str, Evidence] = {}
    invented: list[Path] = []
    for path, leaf in leaves_of(root, value):
        span = _span(leaf, _at(value, path), layout, reference)
        if span:
            found[pointer(path)] = Evidence(text[slice(*span)], *span)
        elif leaf.kind == "string":
            invented.append(path)
    return found, invented


def _span(leaf: Field, value: Any, layout: Layout, reference: date) -> Span | None:
    if leaf.kind in ("integer", "number") or leaf.schema.get("format") in ("date", "date-time"):
        like = (one for one in candidates(leaf, layout, reference) if one.value == value)
        return next((one.span for one in like), None)
    if leaf.kind in ("string", "choice") and isinstance(value, str) and value.strip():
        words = map(re.escape, value.replace("_", " ").split() if leaf.kind == "choice" else value.split())
        match = re.search(r"\s+".join(words), layout.text, re.IGNORECASE if leaf.kind == "choice" else 0)
        return match.span() if match else None
    return None


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value
