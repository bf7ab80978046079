"""What speaks for a phrase being a string leaf's value: its form, its position, its role."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from grammars.extraction.candidates import LONGEST_PHRASE
from grammars.extraction.layout import STOP_WORDS, share, stems

if TYPE_CHECKING:
    from grammars.extraction.asked import Asked, Rows
    from grammars.extraction.candidates import Candidate
    from grammars.extraction.layout import Layout, Line, Span

_PERSON = re.compile(
    r"\b(?:who|whom|person|names?|by|contact|customer|owner|manager|people|reporter|assignee|author|participants?"
    r"|attendees?|role|claimant|approver)\b",
    re.IGNORECASE,
)
_BLANK = re.compile(r"^\W*$|^\W*(?:n/?a|none|open|unknown|tbd|tba|\?)\W*$", re.IGNORECASE)
_PLACE = re.compile(
    r"\b(?:place|where|town|city|country|location|venue|address|destination|origin|site|room|office|region|street)\b",
    re.IGNORECASE,
)
_BODY = re.compile(
    r"\b(?:company|supplier|employer|vendor|carrier|organi[sz]ation|firm|seller|buyer|party|product|system|service"
    r"|title|customer|department|team)\b",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"\b(?:hi|hello|dear|hey|to:?|@|thanks,?|morning)\W*$", re.IGNORECASE)
_LAST_WORD = re.compile(r"([^\W_]+)['\u2019]?\s$")
_QUOTES = frozenset("\"'`\u201c\u201d")
_TOLD = re.compile(
    r"\b(?:that|because|since|due to|says|said|caused by|cause is|cause was)\W+$|:\s+$", re.IGNORECASE
)
_FIRST_WORD = re.compile(r"\s([^\W_]+)")
_PREPOSITION = re.compile(
    r"\b(at|in|from|to|by|for|with|of|on|is|was|are|called|named|about)\s+(?:the\s+|an?\s+)?$", re.IGNORECASE
)


def string_features(asked: Asked, layout: Layout, candidate: Candidate, vectors: Rows) -> list[float]:
    """Return the features of a string's candidate."""
    span, text = candidate.span, layout.text
    piece, line = text[slice(*span)], layout.lines[layout.line(span[0])]
    person, place, body = _sought(asked.wording)
    proper = all(part[:1].isupper() for part in piece.split())
    alike = float(vectors[piece] @ vectors[asked.called])
    return [
        *_form(piece, layout, span, proper=proper),
        *_position(piece, layout, span, line),
        *_role(piece, layout, span, line, person=person, place=place),
        float(bool(candidate.unit)),
        float(proper and person),
        float(not proper and person),
        float(proper and place),
        float(proper and body),
        float(proper and not (person or place or body)),
        float(proper and person and len(piece.split()) == 2),  # noqa: PLR2004 - first name and surname
        share(stems(piece), asked.name | asked.told),
        alike,
        float(vectors[piece] @ vectors[asked.question]),
        alike * person,
        alike * proper,
    ]


@lru_cache(maxsize=1_000)
def _sought(wording: str) -> tuple[bool, bool, bool]:
    """Return whether a leaf asks for a person, a place, a body or thing with a name."""
    return bool(_PERSON.search(wording)), bool(_PLACE.search(wording)), bool(_BODY.search(wording))


def _form(piece: str, layout: Layout, span: Span, *, proper: bool) -> list[float]:
    """Say what a phrase looks like, and whether it ends where phrases end."""
    text, parts = layout.text, piece.split()
    before, after = text[: span[0]][-30:], text[span[1] :][:30]
    left, right = _LAST_WORD.search(before), _FIRST_WORD.match(after)
    opens = left is None or left[1].lower() in STOP_WORDS
    closes = right is None or right[1].lower() in STOP_WORDS
    return [
        float(proper),
        float(any(char.isdigit() for char in piece)),
        len(parts) / 8,
        float(len(parts) == 1),
        float(len(parts) == 1 and not proper),
        float(bool(_BLANK.match(piece))),
        float(opens),
        float(closes),
        float(opens and closes),
        float(proper and left is not None and left[1][:1].isupper() and left[1].lower() not in STOP_WORDS),
        float(proper and right is not None and right[1][:1].isupper()),
        float(":" in piece),
        float(bool(_TOLD.search(before))),
        float(text[span[0] - 1 : span[0]] in _QUOTES and after[:1] in _QUOTES and bool(after)),
        float(len(parts) > LONGEST_PHRASE),
        float(parts[0].lower() in STOP_WORDS),
    ]


def _position(piece: str, layout: Layout, span: Span, line: Line) -> list[float]:
    """Say where a phrase stands: in its sentence, line and text."""
    text = layout.text
    sentence = layout.within(span, layout.sentences)
    value = bool(line.label) and span[0] == line.value
    return [
        float(span[0] == sentence[0]),
        float(text[slice(*line.span)].strip() == piece),
        float(value),
        float(value and piece == text[line.value : line.span[1]].strip(" .")),
        float(bool(line.label) and span[1] <= line.value),
        float(span == layout.within(span, layout.clauses)),
        float(span[1] == layout.within(span, layout.clauses)[1]),
        float(text[span[1] : sentence[1]].strip(" .!?") == ""),
        float(not text[: span[0]].strip()),
        float(line.span[0] == 0),
        float(not text[line.span[1] :].strip()),
    ]


def _role(piece: str, layout: Layout, span: Span, line: Line, *, person: bool, place: bool) -> list[float]:
    """Say what a phrase is to its sentence: who speaks, is spoken to, signs; where, from where."""
    before = layout.text[line.span[0] : span[0]]
    lead = _PREPOSITION.search(before)
    word = lead[1].lower() if lead else ""
    speaks = line.label == piece and piece.lower() in layout.speakers
    addressed = bool(_ADDRESS.search(before))
    signs = layout.text[slice(*line.span)].strip() == piece and layout.line(span[0]) >= len(layout.lines) - 4
    where = word in ("at", "in", "to", "from")
    return [
        float(speaks),
        float(speaks and person),
        float(addressed),
        float(signs),
        float(signs and person),
        float(bool(lead)),
        float(where and place),
        float(where and not place),
        float(word in ("by", "with") and person),
        float(word == "for"),
        float(word in ("is", "was", "are", "called", "named")),
        float(before.lower().rstrip().endswith((" the", " a", " an", " our", " my"))),
    ]
