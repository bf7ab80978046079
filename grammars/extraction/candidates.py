"""What a leaf's value may be: spans of the text that fit its type, each with the value it stands for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from grammars.extraction.dates import find_dates
from grammars.extraction.layout import STOP_WORDS
from grammars.extraction.moments import find_moments
from grammars.extraction.numbers import SECONDS, find_numbers, singular
from grammars.extraction.question import words
from grammars.extraction.typed import find, shapes_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from grammars.extraction.fields import Field
    from grammars.extraction.layout import Layout, Span

LONGEST_PHRASE = 8  # words
LONGEST_TOLD = 160  # characters of what is told over several clauses
MOST_TOLD = 4  # places in a clause where something that is told may begin, and where it may end
MOST = 1_000  # candidates of one leaf; no text that anyone wrote has more in what is read of it
_TRIM = " \t\r\n.,;:!?\"'()[]*_\u201c\u201d\u2018\u2019-"
_QUOTED = re.compile(
    r"(?<!\w)(?:\"[^\"\n]{2,200}\"|\u201c[^\u201d\n]{2,200}\u201d|`[^`\n]{2,200}`|'[^'\n]{2,200}')(?!\w)"
)
_LEAD = re.compile(
    r"\b(?:that|because|as|is|was|were|are|when|where|if|to|says|said|since|by|we|please|pls|after|due to|of"
    r"|from|just|it|looks like)\s+|:\s+",
    re.IGNORECASE,
)
_ADJUNCT = re.compile(
    r"\s(?=(?:since|on|with|at|from|for|in|until|when|whenever|as|instead|even|right|ahead|after|before|by|during"
    r"|which|where|who|has|does|keeps|again)\b)",
    re.IGNORECASE,
)
_JOINING = frozenset(("of", "the", "for", "in", "and", "de", "la", "von", "van", "at", "to", "on"))
_NUMERIC = ("integer", "number")
BEFORE = "before"
CLAUSES = ("boolean", "choice")  # groups whose candidates are whole clauses
STRICT = frozenset({"email", "idn-email", "uri", "iri", "uuid", "ipv4", "ipv6", "hostname", "time"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """One possible value and the span it comes from.

    `unit` is a number's, a string's shape, or `BEFORE` of a weekday's date that lies behind.
    """

    start: int
    end: int
    value: Any
    unit: str = ""

    @property
    def span(self) -> Span:
        """Its offsets."""
        return self.start, self.end


def candidates(leaf: Field, layout: Layout, reference: date, pointed: Sequence[Span] = ()) -> list[Candidate]:
    """Return what may be the value of a leaf that is neither an object nor an array.

    Args:
        leaf: what is asked for.
        layout: of the text.
        reference: the day that dates are counted from.
        pointed: spans that the engine points at, which are candidates too.
    """
    found: dict[str, Candidate] = {}
    more = (Candidate(*span, layout.text[slice(*span)]) for span in pointed)
    for one in chain(more, _of_kind(leaf, layout, reference)):
        found.setdefault(json.dumps([one.start, one.end, one.value, one.unit]), one)
        if len(found) == MOST:
            break
    return list(found.values())


def group(leaf: Field) -> str:
    """Return which kind of candidates a leaf has: date, number, boolean, choice, shaped or free."""
    if leaf.kind in _NUMERIC:
        return "number"
    if leaf.kind in CLAUSES:
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
        for moment in find_moments(layout.text, reference):
            yield Candidate(moment.start, moment.end, moment.value, BEFORE if moment.before else "")
    else:
        for found in find_dates(layout.text, reference):
            yield Candidate(found.start, found.end, found.value.isoformat())
            if found.before:
                yield Candidate(found.start, found.end, found.before.isoformat(), BEFORE)


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
    """Return spans that may name or tell something: runs of telling words, what follows a label, clauses.

    And what stands in quotation marks, whole sentences, and what of them begins at a clause or behind a word
    such as `because`.
    """
    found: dict[Span, None] = {}
    for line in layout.lines:
        if line.label:
            _add(found, layout.text, line.value, line.span[1])
            _add(found, layout.text, layout.text.find(line.label, line.span[0]), line.value)
    for match in _QUOTED.finditer(layout.text):
        _add(found, layout.text, match.start() + 1, match.end() - 1)
    for clause in layout.clauses:
        for span in (*_told(layout, clause), *_runs(layout, clause)):
            _add(found, layout.text, *span)
    return sorted(found)


def _told(layout: Layout, clause: Span) -> Iterator[Span]:
    """Yield what a clause may tell: from its start or a word that leads in, to an adjunct or its end."""
    text, value = layout.text, layout.lines[layout.line(clause[0])].value
    led = (match.end() for match in islice(_LEAD.finditer(text, *clause), MOST_TOLD))
    cuts = [match.start() for match in islice(_ADJUNCT.finditer(text, *clause), MOST_TOLD)]
    sentence = layout.within(clause, layout.sentences)
    for start in dict.fromkeys((clause[0], value if clause[0] < value < clause[1] else clause[0], *led)):
        yield from ((start, end) for end in (*cuts, clause[1]) if end > start)
        if clause[1] < sentence[1] <= start + LONGEST_TOLD:
            yield start, sentence[1]


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
    if span := trimmed(text, start, end):
        found[span] = None


def trimmed(text: str, start: int, end: int) -> Span | None:
    """Return a span without the punctuation around it; None where nothing is left."""
    piece = text[start:end]
    if not (stripped := piece.strip(_TRIM)):
        return None
    begin = start + piece.index(stripped)
    last = begin + len(stripped)
    if text[last : last + 1] == ")" and last < end and stripped.count("(") > stripped.count(")"):
        last += 1
    return begin, last
