"""What speaks for a number, a date, a truth or an option being a leaf's value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from grammars.extraction.candidates import BEFORE
from grammars.extraction.layout import share, stems
from grammars.extraction.question import words

if TYPE_CHECKING:
    from grammars.extraction.asked import Asked, Rows
    from grammars.extraction.candidates import Candidate
    from grammars.extraction.layout import Layout

_NEGATION = re.compile(
    r"\b(?:not|no|none|never|nobody|nothing|neither|nor|without|cannot|unable|fail(?:s|ed)?|refus\w+|reject\w+"
    r"|den(?:y|ied)|pending|open|un\w+ed|yet to|rather not|nope|nah|false|hasn|isn)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
_YES = re.compile(r"^\W*(?:yes|yep|yeah|true|sure|of course|ok|fine|x|done)\b", re.IGNORECASE)
_NO = re.compile(r"^\W*(?:no|not|none|nope|nah|never|false|n/a|-+)(?=\W|$)", re.IGNORECASE)
_BEHIND = re.compile(
    r"\b(?:seen|noticed|detected|found|held|happened|began|started|occurred|reported|released|purchased|paid|sold"
    r"|bought|ordered|sent|made|done|produced|discovered|was|were|been|of the (?:accident|meeting))\b"
)
_SAID = re.compile(r"\b(?:was|were|had|did|came|went|got|since|\w+ed)\b[^.]*$")
_MONEY = re.compile(
    r"\b(?:amount|price|cost|total|fee|value|budget|salary|pay|refund|tax|net|gross|charge|currency)s?\b",
    re.IGNORECASE,
)
_MONIES = frozenset(
    """
    EUR USD GBP CHF JPY INR CNY SEK NOK DKK PLN CZK CAD AUD franc dollar euro pound
    """.split()  # noqa: SIM905 - a list of words reads best as words
)
_CURRENCY_SIGNS = {"GBP": "£", "EUR": "€", "USD": "$", "JPY": "¥", "INR": "₹"}


def number_features(asked: Asked, layout: Layout, candidate: Candidate, vectors: Rows) -> list[float]:
    """Return the features of a number."""
    wanted = asked.name | asked.told
    unit = stems(candidate.unit)
    money = bool(_MONEY.search(asked.wording))
    paid = candidate.unit in _MONIES
    big = isinstance(candidate.value, float) and candidate.value != int(candidate.value)
    return [
        float(bool(unit & wanted)),
        float(money and paid),
        float(paid and not money),
        float(money and not paid),
        float(bool(unit) and not unit & wanted and not paid),
        float(big),
        float(big and money),
        float(abs(candidate.value) <= 1),
        float(1900 <= candidate.value <= 2100),  # noqa: PLR2004 - a year
        float(candidate.unit == "%"),
    ]


def date_features(asked: Asked, layout: Layout, candidate: Candidate, vectors: Rows) -> list[float]:
    """Return the features of a date: whether it begins or ends something, and whether the leaf does."""
    first = layout.text[: candidate.start].strip() == ""
    lead = layout.text[max(candidate.start - 24, 0) : candidate.start].lower()
    told = asked.wording.lower()
    ending = bool(re.search(r"\b(end|due|until|last|return|closing|expir\w+|by|deadline|to)\b", told))
    until = bool(
        re.search(r"\b(until|till|to|by|before|due|latest|-|back)\s*(?:the\s*)?$|[\u2013-]\s*$", lead)
    )
    since = bool(re.search(r"\b(from|since|starting|start|as of)\s*(?:the\s*)?$", lead))
    starting = bool(re.search(r"\b(start\w*|from|begin\w*|first|effective|departure|outward)\b", told))
    today = bool(
        re.search(r"\b(today|sent|date)\W", layout.text[max(candidate.start - 16, 0) : candidate.end].lower())
    )
    behind, lying = candidate.unit == BEFORE, bool(_BEHIND.search(told))
    return [
        float(behind),
        float(behind and lying),
        float(behind and bool(_SAID.search(lead))),
        float(first),
        float(ending and until),
        float(ending and since),
        float(starting and since),
        float(starting and until),
        float(until),
        float(today),
    ]


def boolean_features(asked: Asked, layout: Layout, candidate: Candidate, vectors: Rows) -> list[float]:
    """Relevance says which clause; the rest speaks for true, with the sign turned for false."""
    text = layout.text
    clause = text[slice(*candidate.span)]
    line = layout.lines[layout.line(candidate.start)]
    value = text[line.value : line.span[1]] if line.label else clause
    inverse = bool(_NEGATION.search(words(asked.leaf.name)))
    negated = bool(_NEGATION.search(clause)) ^ inverse
    sign = 1.0 if candidate.value else -1.0
    yes, no = bool(_YES.match(value)), bool(_NO.match(value))
    signs = [1.0, float(negated), float(yes), float(no), float(negated and no)]
    return [
        *(sign * value for value in signs),
        float(negated),
        float(yes),
        float(no),
        float(clause.rstrip().endswith("?")),
    ]


def choice_features(asked: Asked, layout: Layout, candidate: Candidate, vectors: Rows) -> list[float]:
    """Return the features of an option at a clause."""
    text = layout.text
    clause = text[slice(*candidate.span)]
    option = words(str(candidate.value)) or str(candidate.value)
    wanted, inside = stems(option), stems(clause)
    vector = vectors[asked.option(candidate.value)]
    meaning = float(vector @ vectors[clause])
    others = [float(vectors[asked.option(other)] @ vectors[clause]) for other in asked.leaf.options]
    told = share(wanted, inside)
    literal = bool(re.search(rf"(?<!\w){re.escape(option.lower())}(?!\w)", clause.lower()))
    place = list(asked.leaf.options).index(candidate.value)
    sign = _CURRENCY_SIGNS.get(str(candidate.value), "\0")
    return [
        told,
        float(literal),
        float(literal) * share(asked.name, inside),
        float(literal and bool(_NEGATION.search(clause))),
        meaning,
        meaning - float(np.mean(others)),
        float(meaning == max(others)),
        float(sign in text or (sign != "\0" and str(candidate.value) in text)),
        float(place == 0),
        float(
            isinstance(candidate.value, str) and str(candidate.value).lower() == _labelled(layout, candidate)
        ),
    ]


def _labelled(layout: Layout, candidate: Candidate) -> str:
    """Return, in lower case, what stands behind the label of a candidate's line; empty where it has none."""
    line = layout.lines[layout.line(candidate.start)]
    return layout.text[line.value : line.span[1]].strip(" .").lower() if line.label else ""
