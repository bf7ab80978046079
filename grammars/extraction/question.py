"""The question that a leaf of a schema asks of a text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 240  # characters; the embedded model reads some 96 tokens of a question

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
_FORMAT = re.compile(r"\s*\((?=[^)]*(?:YYYY|ISO|HH:MM|RFC|format))[^)]*\)", re.IGNORECASE)
_OTHERWISE = re.compile(
    r"\s*(?:[;,(.]|\bor\b)\s*(?:or\s+|else\s+|otherwise\s+)*"
    r"(?:null|none|empty (?:list|array|string|object)|omit(?:ted)?|leave (?:out|empty|blank))\b[^;.]*",
    re.IGNORECASE,
)


def leaf_question(schema_title: str, path: Sequence[str], description: str) -> str:
    """Return what a leaf asks, such as `expense claim: mileage: rate pence. Rate in pence per mile`.

    Args:
        schema_title: of the whole schema; may be empty.
        path: the properties' names from the root to the leaf, without the indices of arrays.
        description: the leaf's own; what it says of formats and of null is left out. May be empty.
    """
    subject = ": ".join(filter(None, [words(schema_title), *map(words, path)]))
    told = " ".join(_OTHERWISE.sub("", _FORMAT.sub("", description)).split()).strip(" .;,")
    return ". ".join(filter(None, [subject, told]))[:LONGEST].rstrip()


def words(name: str) -> str:
    """Return a name as people read it: `costCentre` and `cost_centre` are `cost centre`."""
    parts = _WORD.findall(name)
    return " ".join(part if part.isupper() and len(part) > 1 else part.lower() for part in parts)
