"""What speaks for a candidate being a leaf's value, as numbers: words in common, nearness, shape."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grammars.extraction.candidates import Candidate, group
from grammars.extraction.layout import STOP_WORDS, Layout, stems
from grammars.extraction.question import leaf_question, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from grammars.extraction.ask import Reply
    from grammars.extraction.fields import Field
    from grammars.extraction.layout import Line, Span

    Rows = Mapping[str, NDArray[np.float32]]

NEAR = 3  # words on either side
WINDOW = 7
_NEGATION = re.compile(
    r"\b(?:not|no|none|never|nobody|nothing|neither|nor|without|cannot|unable|fail(?:s|ed)?|refus\w+|reject\w+"
    r"|den(?:y|ied)|pending|open|un\w+ed|yet to|rather not|nope|nah|false|hasn|isn)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
_YES = re.compile(r"^\W*(?:yes|yep|yeah|true|sure|of course|ok|fine|x|done)\b", re.IGNORECASE)
_NO = re.compile(r"^\W*(?:no|not|none|nope|nah|never|false|n/a|-+)(?=\W|$)", re.IGNORECASE)
_PERSON = re.compile(
    r"\b(?:who|whom|person|names?|by|contact|customer|owner|manager|people|reporter|assignee|author|participants?"
    r"|attendees?|role|claimant|approver)\b",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"\b(?:amount|price|cost|total|fee|value|budget|salary|pay|refund|tax|net|gross|charge|currency)s?\b",
    re.IGNORECASE,
)
_MONIES = frozenset(
    """
    EUR USD GBP CHF JPY INR CNY SEK NOK DKK PLN CZK CAD AUD franc dollar euro pound
    """.split()  # noqa: SIM905 - a list of words reads best as words
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
_FIRST_WORD = re.compile(r"\s([^\W_]+)")
_PREPOSITION = re.compile(
    r"\b(at|in|from|to|by|for|with|of|on|is|was|are|called|named|about)\s+(?:the\s+|an?\s+)?$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A leaf as it is compared: its question and the stems of its name and of its description."""

    leaf: Field
    question: str
    name: frozenset[str]
    told: frozenset[str]

    @classmethod
    def of(cls, title: str, leaf: Field) -> Asked:
        """Prepare a leaf of the schema `title`."""
        question = leaf_question(title, leaf.path, leaf.description)
        name = stems(words(leaf.name))
        path = stems(" ".join(map(words, leaf.path[:-1])))
        return cls(leaf, question, name, (stems(leaf.description) | path) - name)


def texts(asked: Asked, layout: Layout, found: Sequence[Candidate]) -> list[str]:
    """Return the texts whose vectors `features` needs."""
    needed = {asked.question, *(layout.text[slice(*clause)] for clause in layout.clauses)}
    for candidate in found:
        needed |= {_window(asked, layout, candidate), *_own(asked, layout, candidate)}
        needed |= {_exchange(layout, candidate.start), layout.label(candidate.start) or " "}
    return list(needed)


def _own(asked: Asked, layout: Layout, candidate: Candidate) -> tuple[str, ...]:
    if group(asked.leaf) == "choice":
        return (_option(asked, candidate.value),)
    if group(asked.leaf) in ("free", "shaped"):
        return (_short(asked), layout.text[slice(*candidate.span)])
    return ()


def _window(asked: Asked, layout: Layout, candidate: Candidate) -> str:
    """Return what is read around a candidate; where there are many, their clause, which they share."""
    few = group(asked.leaf) in ("number", "date")
    span = layout.around(candidate.span, WINDOW) if few else layout.within(candidate.span, layout.clauses)
    return layout.text[slice(*span)]


def _short(asked: Asked) -> str:
    """Return what a leaf is called, for comparing it with what things are called."""
    return asked.leaf.description.partition(";")[0] or words(asked.leaf.name)


def _option(asked: Asked, value: object) -> str:
    return f"{words(asked.leaf.name)}: {words(str(value)) or value}"


def _exchange(layout: Layout, at: int) -> str:
    """Return the line that holds an offset, with the one before where that asks something."""
    place = layout.line(at)
    line = layout.text[slice(*layout.lines[place].span)]
    before = layout.text[slice(*layout.lines[place - 1].span)] if place else ""
    return f"{before} {line}" if before.rstrip().endswith("?") else line


def features(
    asked: Asked, layout: Layout, found: Sequence[Candidate], vectors: Rows, reply: Reply | None = None
) -> NDArray[np.float32]:
    """Return the features (C, F) of a leaf's candidates; all of a leaf have the same F, by its group."""
    question = vectors[asked.question]
    likenesses = [float(vectors[layout.text[slice(*clause)]] @ question) for clause in layout.clauses]
    mean = sum(likenesses) / max(len(likenesses), 1)
    rows = []
    for candidate in found:
        row = _relevance(asked, layout, candidate, vectors, mean)
        row += _OWN[group(asked.leaf)](asked, layout, candidate, vectors)
        row += _replied(candidate, reply)
        rows.append(row)
    return np.asarray(rows, np.float32).reshape(len(rows), -1 if rows else 1)


def _relevance(asked: Asked, layout: Layout, candidate: Candidate, vectors: Rows, mean: float) -> list[float]:
    question, text = vectors[asked.question], layout.text
    clause = layout.within(candidate.span, layout.clauses)
    sentence = layout.within(candidate.span, layout.sentences)
    label = layout.label(candidate.start)
    labelled = stems(label)
    near = stems(text[slice(*layout.around(candidate.span, NEAR))]) - (
        frozenset() if group(asked.leaf) in ("boolean", "choice") else stems(text[slice(*candidate.span)])
    )
    exchange = _exchange(layout, candidate.start)
    window = _window(asked, layout, candidate)
    inside = stems(text[slice(*clause)])
    return [
        1.0,
        float(bool(label)),
        _share(asked.name, labelled),
        _share(labelled, asked.name | asked.told),
        float(vectors[label] @ question) if label else 0.0,
        float(bool(label) and not labelled & (asked.name | asked.told)),
        _share(asked.name, inside),
        _share(asked.told, inside),
        _share(asked.name, near),
        _share(asked.told, near),
        _share(asked.name, stems(text[slice(*sentence)])),
        _share(asked.name | asked.told, stems(exchange)),
        float(vectors[text[slice(*clause)]] @ question) - mean if text[slice(*clause)] in vectors else 0.0,
        float(vectors[window] @ question) - mean,
        float(vectors[exchange] @ question) - mean,
        float(vectors[window] @ question),
        candidate.start / max(len(text), 1),
    ]


def _share(of: frozenset[str], among: frozenset[str]) -> float:
    return len(of & among) / len(of) if of else 0.0


def _replied(candidate: Candidate, reply: Reply | None) -> list[float]:
    """Say how far the engine's own answer agrees."""
    if reply is None or reply.sentence is None:
        return [0.0, 0.0, 0.0, reply.confidence if reply else 0.0]
    here = reply.sentence[0] <= candidate.start < reply.sentence[1]
    same = reply.span == candidate.span
    overlap = 0.0
    if reply.span:
        shared = min(candidate.end, reply.span[1]) - max(candidate.start, reply.span[0])
        overlap = max(shared, 0) / (max(candidate.end, reply.span[1]) - min(candidate.start, reply.span[0]))
    return [here * reply.confidence, same * reply.confidence, overlap * reply.confidence, reply.confidence]


def _string(asked: Asked, layout: Layout, candidate: Candidate, vectors: Rows) -> list[float]:
    span, text = candidate.span, layout.text
    piece, line = text[slice(*span)], layout.lines[layout.line(span[0])]
    told = f"{words(asked.leaf.name)} {asked.leaf.description}"
    person, place = bool(_PERSON.search(told)), bool(_PLACE.search(told))
    body, proper = bool(_BODY.search(told)), all(part[:1].isupper() for part in piece.split())
    alike = float(vectors[piece] @ vectors[_short(asked)])
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
        _share(stems(piece), asked.name | asked.told),
        alike,
        float(vectors[piece] @ vectors[asked.question]),
        alike * person,
        alike * proper,
    ]


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


def _number(asked: Asked, layout: Layout, candidate: Candidate, vectors: Rows) -> list[float]:
    wanted = asked.name | asked.told
    unit = stems(candidate.unit)
    money = bool(_MONEY.search(f"{words(asked.leaf.name)} {asked.leaf.description}"))
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


def _date(asked: Asked, layout: Layout, candidate: Candidate, vectors: Rows) -> list[float]:
    first = layout.text[: candidate.start].strip() == ""
    lead = layout.text[max(candidate.start - 24, 0) : candidate.start].lower()
    told = f"{words(asked.leaf.name)} {asked.leaf.description}".lower()
    ending = bool(re.search(r"\b(end|due|until|last|return|closing|expir\w+|by|deadline|to)\b", told))
    until = bool(
        re.search(r"\b(until|till|to|by|before|due|latest|-|back)\s*(?:the\s*)?$|[\u2013-]\s*$", lead)
    )
    since = bool(re.search(r"\b(from|since|starting|start|as of)\s*(?:the\s*)?$", lead))
    starting = bool(re.search(r"\b(start\w*|from|begin\w*|first|effective|departure|outward)\b", told))
    today = bool(
        re.search(r"\b(today|sent|date)\W", layout.text[max(candidate.start - 16, 0) : candidate.end].lower())
    )
    return [
        float(first),
        float(ending and until),
        float(ending and since),
        float(starting and since),
        float(starting and until),
        float(until),
        float(today),
    ]


def _boolean(asked: Asked, layout: Layout, candidate: Candidate, vectors: Rows) -> list[float]:
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


def _choice(asked: Asked, layout: Layout, candidate: Candidate, vectors: Rows) -> list[float]:
    text = layout.text
    clause = text[slice(*candidate.span)]
    option = words(str(candidate.value)) or str(candidate.value)
    wanted, inside = stems(option), stems(clause)
    vector = vectors[_option(asked, candidate.value)]
    meaning = float(vector @ vectors[clause])
    others = [float(vectors[_option(asked, other)] @ vectors[clause]) for other in asked.leaf.options]
    told = _share(wanted, inside)
    literal = bool(re.search(rf"(?<!\w){re.escape(option.lower())}(?!\w)", clause.lower()))
    place = list(asked.leaf.options).index(candidate.value)
    sign = _CURRENCY_SIGNS.get(str(candidate.value), "\0")
    return [
        told,
        float(literal),
        float(literal) * _share(asked.name, inside),
        float(literal and bool(_NEGATION.search(clause))),
        meaning,
        meaning - float(np.mean(others)),
        float(meaning == max(others)),
        float(sign in text or (sign != "\0" and str(candidate.value) in text)),
        float(place == 0),
        float(
            isinstance(candidate.value, str)
            and str(candidate.value).lower() == layout_value(layout, candidate)
        ),
    ]


def layout_value(layout: Layout, candidate: Candidate) -> str:
    """Return, in lower case, what stands behind the label of a candidate's line; empty where it has none."""
    line = layout.lines[layout.line(candidate.start)]
    return layout.text[line.value : line.span[1]].strip(" .").lower() if line.label else ""


_CURRENCY_SIGNS = {"GBP": "£", "EUR": "€", "USD": "$", "JPY": "¥", "INR": "₹"}
_OWN = {
    "free": _string,
    "shaped": _string,
    "number": _number,
    "date": _date,
    "boolean": _boolean,
    "choice": _choice,
}
