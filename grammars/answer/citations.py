"""Quotes found in their passages, and the markers that refer to them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from grammars.answer.grammar import Quotable

_WORD = re.compile(r"[^\W_]")
_MARKERS = re.compile(r"(?:\s*\[\d+(?:\s*,\s*\d+)*\])+[.!?]?")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Quote:
    """A verbatim quote: `start` and `end` are character offsets in the text of `passages[passage]`."""

    passage: int
    text: str
    start: int
    end: int


def locate(citation: Any, passages: Sequence[Quotable]) -> Quote | None:
    """Return the quote that a citation `{"quote", "passage"}` makes, or None where no passage holds it.

    White space need not match, and the passage may be another than the one named: the quote is the passage's
    own text in any case.
    """
    if not isinstance(citation, dict) or not isinstance(text := citation.get("quote"), str):
        return None
    number = citation.get("passage")
    named = [number - 1] if isinstance(number, int) and 1 <= number <= len(passages) else []
    for index in dict.fromkeys([*named, *range(len(passages))]):
        if span := _find(text, passages[index]):
            return Quote(index, passages[index].text[slice(*span)], *span)
    return None


def _find(quote: str, passage: Quotable) -> tuple[int, int] | None:
    """Find a quote: as a run of units where it is one, else anywhere, white space aside."""
    if not _WORD.search(quote):
        return None
    for first, unit in enumerate(passage.units):
        if passage.text.startswith(quote, unit.content):
            end = unit.content + len(quote)
            if any(passage.units[last].end == end for last in passage.runs(first)):
                return unit.content, end
    pattern = r"\s+".join(re.escape(word) for word in quote.split())
    match = re.search(pattern, passage.text)
    return match.span() if match else None


def claims(text: str, positions: dict[int, int]) -> str:
    """Return the statements of `text` that a marker supports, markers renumbered by `positions`.

    A statement runs to its markers; where none of them is in `positions`, it is left out, as is what follows
    the last one.
    """
    return "".join(_claims(text, positions)).strip()


def _claims(text: str, positions: dict[int, int]) -> Iterator[str]:
    start = 0
    for match in _MARKERS.finditer(text):
        statement, start = text[start : match.start()], match.end()
        numbers = [positions[int(n)] for n in _NUMBER.findall(match.group()) if int(n) in positions]
        if numbers and _WORD.search(statement):
            yield statement.rstrip() + " " + "".join(f"[{number}]" for number in dict.fromkeys(numbers))
            yield match.group()[-1] if match.group()[-1] in ".!?" else ""


def span(text: str, quotes: Sequence[Quote]) -> str:
    """Return an extractive answer with the marker of the first quote that holds it; empty where none does."""
    answer = text.strip()
    if _WORD.search(answer):
        for number, quote in enumerate(quotes, 1):
            if answer in quote.text:
                return f"{answer} [{number}]"
    return ""


def quoted(quotes: Sequence[Quote]) -> str:
    """Return the quotes themselves as the answer, each followed by its marker."""
    return "\n".join(f"{quote.text} [{number}]" for number, quote in enumerate(quotes, 1))
