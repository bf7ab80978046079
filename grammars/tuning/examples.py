"""Training examples: a question, passages, the sentences that answer it; and how more are made from few.

Near misses are what abstention is learned from: the passage is about the right thing, but the sentence
that answers is gone. They are made by taking that sentence out. Cloze questions (a sentence's own words,
thinned, one phrase asked for) and other layouts (lists, hard-wrapped lines) are made from the same
passages.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from grammars.answer.sentences import units
from grammars.engine.protocol import PassageText, Turn

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from pathlib import Path

Span = tuple[int, int]

AS_THEY_ARE = ("document", "field")  # kinds of rows whose passages are as the index, or a message, has them
LONGEST_SPAN = 15  # words of a short answer; a longer one is a quote
WINDOW = 900  # characters of a passage, about 200 tokens, as the index cuts documents


@dataclass(frozen=True)
class Example:
    """One row: `gold` is each passage's spans of evidence; `span` the short answer's passage and span."""

    question: str
    passages: tuple[PassageText, ...]
    gold: tuple[tuple[Span, ...], ...] = ()
    span: tuple[int, int, int] | None = None
    history: tuple[Turn, ...] = ()
    kind: str = "span"

    @property
    def answerable(self) -> bool:
        """Whether any passage answers."""
        return any(self.gold)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def from_row(row: dict[str, Any], rng: random.Random) -> Example | None:
    """Return the example of a `qa` row, its long passages cut to a window; None where it teaches nothing."""
    if row["answerable"] and not row["evidence"]:
        return None
    passages, gold, span = [], [], None
    for number, passage in enumerate(row["passages"]):
        spans = [
            _strip(passage["text"], e["start"], e["end"]) for e in row["evidence"] if e["passage"] == number
        ]
        whole = row["kind"] in AS_THEY_ARE
        start, end = (0, len(passage["text"])) if whole else _window(passage["text"], spans, rng)
        kept = tuple((max(a, start) - start, min(b, end) - start) for a, b in spans if a < end and b > start)
        heading = passage.get("heading", "")
        passages.append(PassageText(passage["title"], heading, passage["text"][start:end]))
        gold.append(kept)
    if row["kind"] in {"span", "field"} and sum(map(len, gold)) == 1:
        number = next(i for i, spans in enumerate(gold) if spans)
        a, b = gold[number][0]
        if len(passages[number].text[a:b].split()) <= LONGEST_SPAN:
            span = (number, a, b)
    if row["kind"] == "document":
        span = _stated(row["answer"], [passage.text for passage in passages], gold)
    turns = [t for t in row.get("history") or [] if t["text"].strip()]
    history = tuple(Turn("user" if t["speaker"] == "user" else "assistant", t["text"]) for t in turns)
    return Example(row["question"], tuple(passages), tuple(gold), span, history, row["kind"])


def _stated(answer: str, texts: Sequence[str], gold: Sequence[Sequence[Span]]) -> tuple[int, int, int] | None:
    """Return where the evidence states a short answer in its own words; None where it does not."""
    said = answer.strip().rstrip(".")
    if not said or said.lower() in {"yes", "no"} or len(said.split()) > LONGEST_SPAN:
        return None
    words = r"\s+".join(map(re.escape, said.split()))
    stated = re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)
    for number, (text, spans) in enumerate(zip(texts, gold, strict=True)):
        for start, end in spans:
            if found := stated.search(text, start, end):
                return number, *found.span()
    return None


def _strip(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())


def _window(text: str, spans: Sequence[Span], rng: random.Random) -> Span:
    """Return a sentence-aligned window of the text that holds the first evidence."""
    if len(text) <= WINDOW * 1.3:
        return 0, len(text)
    cuts = [u.content for u in units(text) if not u.blank]
    ends = [u.end for u in units(text) if not u.blank]
    anchor = spans[0][0] if spans else rng.randrange(len(text))
    earliest = max(0, (spans[0][1] if spans else anchor) - int(WINDOW * 0.9))
    starts = [c for c in cuts if earliest <= c <= anchor] or [
        max((c for c in cuts if c <= anchor), default=0)
    ]
    start = rng.choice(starts)
    return start, max((e for e in ends if e <= start + WINDOW), default=min(len(text), start + WINDOW))


def near_miss(example: Example, others: Sequence[PassageText]) -> Example | None:
    """Return the example with every answering sentence taken out, or None where nothing would be left.

    The short answer must be gone from everything that stays, or else the question might still be answered.
    """
    answer = ""
    if example.span:
        number, a, b = example.span
        answer = example.passages[number].text[a:b].strip().lower()
    kept = []
    for passage, spans in zip(example.passages, example.gold, strict=True):
        rest = _without(passage.text, spans, answer)
        if rest.strip():
            kept.append(replace(passage, text=rest))
    kept += [p for p in others if not answer or answer not in p.text.lower()]
    if not kept or (answer and any(answer in p.text.lower() for p in kept)):
        return None
    return replace(example, passages=tuple(kept), gold=((),) * len(kept), span=None, kind="near miss")


def _without(text: str, spans: Sequence[Span], answer: str) -> str:
    parts = []
    for unit in units(text):
        content = text[unit.content : unit.end]
        evidence = any(a < unit.end and b > unit.content for a, b in spans)
        if not evidence and not (answer and answer in content.lower()):
            parts.append(text[unit.start : unit.end])
    return "".join(parts).strip()


_PHRASE = re.compile(r"\b(?:[A-Z][\w-]+(?: [A-Z][\w-]+)+|\d[\d,.]*(?: \w+)?|[A-Z][\w-]{3,})\b")
_SHORTEST_SENTENCE = 40
_ASKS = ("what", "which", "who", "how many", "when", "where", "")


def cloze(passage: PassageText, rng: random.Random) -> Example | None:
    """Return a question made from one sentence of the passage: a phrase asked for, words thinned out."""
    choices = []
    for unit in units(passage.text):
        content = passage.text[unit.content : unit.end]
        phrases = [m for m in _PHRASE.finditer(content) if m.start() > 0]
        if len(content) >= _SHORTEST_SENTENCE and phrases:
            choices.append((unit, content, rng.choice(phrases)))
    if not choices:
        return None
    unit, content, phrase = rng.choice(choices)
    rest = (content[: phrase.start()] + content[phrase.end() :]).split()
    kept = [word.strip(".,;:()\"'") for word in rest if rng.random() < rng.uniform(0.35, 0.8)]
    if len(kept) < 3:  # noqa: PLR2004 - fewer words ask nothing
        return None
    if rng.random() < 0.3:  # noqa: PLR2004 - people do not ask in the document's order
        rng.shuffle(kept)
    question = f"{rng.choice(_ASKS)} {' '.join(kept)}".strip()
    start, end = unit.content + phrase.start(), unit.content + phrase.end()
    return Example(question, (passage,), (((start, end),),), (0, start, end), (), "cloze")


_OPENINGS = (
    "hi all, ",
    "quick question: ",
    "hey, ",
    "does anyone know ",
    "sorry if this was asked before, ",
    "um, ",
    "need help. ",
    "for a ticket I have open: ",
    "can someone remind me: ",
    "pls help, ",
)


def as_typed(question: str, rng: random.Random) -> str:
    """Return the question as a colleague might type it."""
    text = question
    if rng.random() < 0.25:  # noqa: PLR2004 - a share of questions
        text = rng.choice(_OPENINGS) + text[:1].lower() + text[1:]
    if rng.random() < 0.2:  # noqa: PLR2004 - a share of questions
        text = text.rstrip("?") + rng.choice(("", "??", "? thanks", ", any idea?"))
    return text.lower() if rng.random() < 0.2 else text  # noqa: PLR2004 - a share of questions


def relayout(example: Example, rng: random.Random) -> Example:
    """Return the example with its passages laid out otherwise: as a list, by lines, or hard-wrapped."""
    passages, gold, span = [], [], example.span
    for number, (passage, spans) in enumerate(zip(example.passages, example.gold, strict=True)):
        joint = rng.choice(("", "", "", "\n", "\n- ", "\n\n", "wrap"))
        if not joint:
            passages.append(passage)
            gold.append(spans)
            continue
        text, moved = _rejoin(passage.text, joint)
        passages.append(replace(passage, text=text))
        gold.append(tuple((moved[a], moved[b - 1] + 1) for a, b in spans))
        if span and span[0] == number:
            span = (number, moved[span[1]], moved[span[2] - 1] + 1)
    return replace(example, passages=tuple(passages), gold=tuple(gold), span=span)


def _rejoin(text: str, joint: str) -> tuple[str, list[int]]:
    """Return the text with its units joined anew, and where each old character stands now."""
    if joint == "wrap":
        return _wrap(text)
    out, moved = "", []
    for unit in units(text):
        lead = joint if out and not unit.blank else text[unit.start : unit.content]
        moved += [len(out)] * (unit.content - unit.start)
        out += lead
        moved += range(len(out), len(out) + unit.end - unit.content)
        out += text[unit.content : unit.end]
    return out, moved


def _wrap(text: str, width: int = 79) -> tuple[str, list[int]]:
    """Hard-wrap: spaces become line ends, so that no character moves."""
    chars, column = list(text), 0
    for i, char in enumerate(text):
        column += 1
        following = text.find(" ", i + 1)
        if char == " " and column + (following if following > 0 else len(text)) - i > width:
            chars[i], column = "\n", 0
    return "".join(chars), list(range(len(text)))
