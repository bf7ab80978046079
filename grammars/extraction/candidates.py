"""What a leaf's value may be: spans of the text that fit its type, each with the value it stands for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grammars.extraction.dates import find_dates
from grammars.extraction.layout import STOP_WORDS
from grammars.extraction.moments import find_moments
from grammars.extraction.numbers import SECONDS, find_numbers, singular
from grammars.extraction.question import words
from grammars.extraction.typed import find, shapes_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from grammars.extraction.fields import Field
    from grammars.extraction.layout import Layout, Span

LONGEST_PHRASE = 8  # words
MOST = 1_000  # candidates of one leaf; no text that anyone wrote has more in what is read of it
_TRIM = " \t\r\n.,;:!?\"'()[]*_\u201c\u201d\u2018\u2019-"
_JOINING = frozenset(("of", "the", "for", "in", "and", "de", "la", "von", "van", "at", "to", "on"))
_NUMERIC = ("integer", "number")
STRICT = frozenset({"email", "idn-email", "uri", "iri", "uuid", "ipv4", "ipv6", "hostname", "time"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """One possible value and the span it comes from.

    `unit` is a number's; `option` is the place of a choice's option, or the truth of a boolean.
    """

    start: int
    end: int
    value: Any
    unit: str = ""

    @property
    def span(self) -> Span:
        """Its offsets."""
        return self.start, self.end


def candidates(leaf: Field, layout: Layout, reference: date) -> list[Candidate]:
    """Return what may be the value of a leaf that is neither an object nor an array."""
    found: dict[str, Candidate] = {}
    for one in _of_kind(leaf, layout, reference):
        found.setdefault(json.dumps([one.start, one.end, one.value, one.unit]), one)
        if len(found) == MOST:
            break
    return list(found.values())


def group(leaf: Field) -> str:
    """Return which kind of candidates a leaf has: date, number, boolean, choice, shaped or free."""
    if leaf.kind in _NUMERIC:
        return "number"
    if leaf.kind in ("boolean", "choice"):
        return leaf.kind
    if leaf.schema.get("format") in ("date", "date-time"):
        return "date"
    return "shaped" if _shapes(leaf) else "free"


def _of_kind(leaf: Field, layout: Layout, reference: date) -> Iterator[Candidate]:
    match group(leaf):
        case "number":
            yield from _numbers(leaf, layout, reference)
        case "boolean":
            yield from (Candidate(*clause, truth) for clause in layout.clauses for truth in (True, False))
        case "choice":
            yield from (Candidate(*clause, option) for clause in layout.clauses for option in leaf.options)
        case "date":
            yield from _dates(leaf, layout, reference)
        case _:
            yield from _strings(leaf, layout)


def _strings(leaf: Field, layout: Layout) -> Iterator[Candidate]:
    """Yield what names something, and what has the shape that the leaf asks for: `unit` says which."""
    shaped = {span: shape for shape in reversed(_shapes(leaf)) for span in find(shape, layout.text)}
    if leaf.schema.get("format") not in STRICT:
        yield from (
            Candidate(*span, layout.text[slice(*span)]) for span in phrases(layout) if span not in shaped
        )
    yield from (Candidate(*span, layout.text[slice(*span)], shape) for span, shape in shaped.items())


def _shapes(leaf: Field) -> tuple[str, ...]:
    return shapes_of(words(leaf.name), leaf.description, leaf.schema.get("format"))


def _dates(leaf: Field, layout: Layout, reference: date) -> Iterator[Candidate]:
    if leaf.schema.get("format") == "date-time":
        yield from (Candidate(one.start, one.end, one.value) for one in find_moments(layout.text, reference))
    else:
        for found in find_dates(layout.text, reference):
            yield Candidate(found.start, found.end, found.value.isoformat())


def _numbers(leaf: Field, layout: Layout, reference: date) -> Iterator[Candidate]:
    dates = [(found.start, found.end) for found in find_dates(layout.text, reference)]
    taken = [*dates, *find("time", layout.text), *find("ipv4", layout.text), *find("email", layout.text)]
    wanted = _seconds(words(leaf.name) + " " + leaf.description)
    for found in find_numbers(layout.text):
        if any(start <= found.start < end for start, end in taken):
            continue
        value = found.value
        if wanted and found.unit in SECONDS:
            value = value * SECONDS[found.unit] / wanted
        if leaf.kind == "number" or value == value.to_integral_value():
            plain = int(value) if value == value.to_integral_value() else float(value)
            yield Candidate(found.start, found.end, plain, found.unit)


def _seconds(told: str) -> int | None:
    """Return the length in seconds of the unit of time that a leaf names first; None where it names none."""
    named = (singular(word.lower()) for word in re.findall(r"[^\W\d_]+", told))
    return next((SECONDS[word] for word in named if word in SECONDS and len(word) > 1), None)


def phrases(layout: Layout) -> list[Span]:
    """Return spans that may name something: runs of telling words, what follows a label, whole clauses."""
    found: dict[Span, None] = {}
    for line in layout.lines:
        if line.label:
            _add(found, layout.text, line.value, line.span[1])
            _add(found, layout.text, layout.text.find(line.label, line.span[0]), line.value)
    for clause in layout.clauses:
        _add(found, layout.text, *clause)
        for span in _runs(layout, clause):
            _add(found, layout.text, *span)
    return sorted(found)


def _runs(layout: Layout, clause: Span) -> Iterator[Span]:
    """Yield the runs of words of a clause that neither begin nor end with a function word."""
    inside = [word for word in layout.words if clause[0] <= word[0] and word[1] <= clause[1]]
    plain = [layout.text[slice(*word)].lower() for word in inside]
    for first in range(len(inside)):
        if plain[first] in STOP_WORDS:
            continue
        for last in range(first, min(first + LONGEST_PHRASE, len(inside))):
            if plain[last] in STOP_WORDS:
                if plain[last] not in _JOINING:
                    break
                continue
            yield inside[first][0], inside[last][1]


def _add(found: dict[Span, None], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    if len(stripped := piece.strip(_TRIM)) > 0:
        begin = start + piece.index(stripped)
        found[begin, begin + len(stripped)] = None
