"""What the locator learns from: a text, what is asked of it, and where the text states it.

Questions about documents come first, several of one passage together, some of which it does not answer; then
extraction cases, each leaf of a schema a question.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from grammars.extraction.fields import read_fields
from grammars.extraction.question import leaf_question
from grammars.extraction.read import asked_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

Span = tuple[int, int]

MOST_QUESTIONS = 6  # that a passage answers
MOST_UNANSWERED = 3
LONGEST_PASSAGE = 1_600  # characters
DROPPED, SHORTENED, UNTITLED = 0.15, 0.4, 0.2  # shares of leaves, of leaves, of sheets, each time anew
MOST_PLACES = 6  # where the same words stand


@dataclass(frozen=True)
class Sheet:
    """A text and what is asked of it.

    Attributes:
        places: for each question, the spans that state it; none where the text does not; None where it is not
            known.
    """

    title: str
    questions: tuple[str, ...]
    places: tuple[tuple[Span, ...] | None, ...]
    text: str

    def varied(self, rng: random.Random) -> Sheet:
        """Return it with fewer questions, in another order, some of them by name or description alone."""
        kept = [n for n in range(len(self.questions)) if rng.random() >= DROPPED] or [0]
        rng.shuffle(kept)
        return replace(
            self,
            title="" if rng.random() < UNTITLED else self.title,
            questions=tuple(_shortened(self.questions[n], rng) for n in kept),
            places=tuple(self.places[n] for n in kept),
        )


def _shortened(question: str, rng: random.Random) -> str:
    name, stop, told = question.partition(". ")
    return rng.choice((name, told)) if stop and rng.random() < SHORTENED else question


def sheets_of_cases(cases: Iterable[dict[str, Any]]) -> Iterator[Sheet]:
    """Yield a sheet for each extraction case, as `grammars.tuning.ranker` describes them."""
    for case in cases:
        leaves = asked_of(read_fields(case["schema"]))
        yield Sheet(
            str(case["schema"].get("title", "")),
            tuple(leaf_question("", leaf.path, leaf.description) for leaf in leaves),
            tuple(_stated(case, leaf.path) for leaf in leaves),
            case["text"],
        )


def _stated(case: dict[str, Any], path: tuple[str, ...]) -> tuple[Span, ...] | None:
    quotes = [quote for at, quote in case["evidence"].items() if _names(at) == path]
    each = 1 if len(quotes) > 1 else MOST_PLACES  # of an item of a list, the first place
    found = tuple(span for quote in quotes for span in _places(case["text"], quote)[:each])
    return found if found or _empty(case["expected"], path) else None


def _names(pointer: str) -> tuple[str, ...]:
    return tuple(part for part in pointer.split("/")[1:] if not part.isdigit())


def _empty(value: Any, path: tuple[str, ...]) -> bool:
    if isinstance(value, list):
        return all(_empty(item, path) for item in value)
    if path and isinstance(value, dict):
        return _empty(value.get(path[0]), path[1:])
    return value is None


def _places(text: str, quote: str) -> list[Span]:
    found: list[Span] = []
    start = text.find(quote)
    while start >= 0 and len(found) < MOST_PLACES:
        found.append((start, start + len(quote)))
        start = text.find(quote, start + 1)
    return found


def sheets_of_questions(files: Sequence[Path], *, most: int, seed: int = 0) -> list[Sheet]:
    """Return sheets of rows of questions, those first whose passage answers several."""
    rng = random.Random(seed)  # noqa: S311 - sampling, not secrets
    answered: dict[str, dict[str, Span]] = defaultdict(dict)
    unanswered: dict[str, dict[str, None]] = defaultdict(dict)
    for row in (json.loads(line) for path in files for line in path.read_text().splitlines()):
        if row.get("history"):
            continue
        if not row["answerable"]:
            unanswered[row["passages"][0]["text"][:LONGEST_PASSAGE]][row["question"]] = None
        elif (found := _answer(row)) is not None:
            text, span = found
            answered[text][row["question"]] = span
    every = [question for asked in answered.values() for question in asked]
    texts = sorted(answered, key=lambda text: (-min(len(answered[text]), 2), rng.random()))[:most]
    rng.shuffle(texts)
    return [_sheet(text, answered[text], list(unanswered.get(text, ())), every, rng) for text in texts]


def _answer(row: dict[str, Any]) -> tuple[str, Span] | None:
    """Return the passage that answers a row, and the span that does; None where it is not verbatim."""
    answer, evidence = (row["answer"] or "").strip(), row["evidence"]
    if not answer or not evidence:
        return None
    text = row["passages"][evidence[0]["passage"]]["text"][:LONGEST_PASSAGE]
    start = text.find(answer, evidence[0]["start"])
    start = start if start >= 0 else text.find(answer)
    return (text, (start, start + len(answer))) if start >= 0 else None


def _sheet(
    text: str, answered: dict[str, Span], unanswered: list[str], every: Sequence[str], rng: random.Random
) -> Sheet:
    told = list(answered.items())[:MOST_QUESTIONS]
    wanted = max(1, len(told) // 2)
    others = [*unanswered[:MOST_UNANSWERED], *rng.choices(every, k=wanted)]
    others = [one for one in others if one not in answered][: max(wanted, len(unanswered[:MOST_UNANSWERED]))]
    return Sheet(
        "",
        (*(question for question, _ in told), *others),
        (*((span,) for _, span in told), *(() for _ in others)),
        text,
    )
