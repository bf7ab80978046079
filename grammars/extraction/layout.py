"""A text as its parts: lines, sentences, clauses, the labels before values, and the stems of its words."""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock

import snowballstemmer

from grammars.answer.sentences import units

Span = tuple[int, int]

STOP_WORDS = frozenset(
    """
    a about also am an and any are as at be because been but by can could did do does for from get got had has
    have he her him his how i if in into is it its just me my no not of on once one or our out over she should
    so some such than that the their them then there these they this those through to too up us very was we
    were what when where which while who whom why will with would you your null stated given whether written
    """.split()  # noqa: SIM905 - a list of words reads best as words
)
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W\d_]+)?")
_LABEL = re.compile(
    r"^[\s>*•-]*(?:\[[^\]\n]{1,20}\]\s*)?\**(?P<label>[^\W\d_][^:\n]{0,40}?)\**\s*[:=]\**(?=\s|$)[ \t]*"
)
_BREAK = re.compile(r"[;\n()]|,(?=\s)|\s[\u2013\u2014-]\s|\b(?:but|and|because|although|while|so)\b(?=\s)")
_stemmer = snowballstemmer.stemmer("english")
_lock = Lock()  # the stemmer keeps state


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Return a word's stem."""
    with _lock:
        return str(_stemmer.stemWord(word.lower()))


@lru_cache(maxsize=50_000)
def stems(text: str) -> frozenset[str]:
    """Return the stems of a text's telling words; of `costCentre`, of both its parts."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text)
    words = (match.group().lower() for match in _WORD.finditer(apart))
    return frozenset(stem(word) for word in words if word not in STOP_WORDS)


def share(of: frozenset[str], among: frozenset[str]) -> float:
    """Return which share of some stems is among others; 0 where there are none."""
    return len(of & among) / len(of) if of else 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line, as offsets; `label` is what stands before its colon, and `value` what stands behind."""

    span: Span
    label: str = ""
    value: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """A text's parts, each in order, as character offsets."""

    text: str
    lines: tuple[Line, ...]
    sentences: tuple[Span, ...]
    clauses: tuple[Span, ...]
    words: tuple[Span, ...]
    speakers: frozenset[str] = field(default=frozenset())

    @classmethod
    def of(cls, text: str) -> Layout:
        """Take a text apart."""
        lines = tuple(_lines(text))
        sentences = tuple((unit.content, unit.end) for unit in units(text) if not unit.blank)
        clauses = tuple(clause for sentence in sentences for clause in _clauses(text, sentence))
        words = tuple(match.span() for match in _WORD.finditer(text))
        labels = [line.label.lower() for line in lines if line.label]
        speakers = frozenset(label for label in labels if labels.count(label) > 1)
        return cls(text, lines, sentences, clauses, words, speakers)

    def line(self, at: int) -> int:
        """Return the place of the line that holds an offset."""
        return max(bisect.bisect_right(self.lines, at, key=lambda line: line.span[0]) - 1, 0)

    def label(self, at: int) -> str:
        """Return the label of the value that begins at an offset; not that of one who speaks."""
        line = self.lines[self.line(at)]
        return (
            line.label if line.label and at >= line.value and line.label.lower() not in self.speakers else ""
        )

    def around(self, span: Span, count: int) -> Span:
        """Return a span with `count` words more on either side, within its line."""
        first = bisect.bisect_left(self.words, span[0], key=lambda word: word[0])
        last = bisect.bisect_left(self.words, span[1], key=lambda word: word[0])
        start, end = self.lines[self.line(span[0])].span
        left = self.words[max(first - count, 0)][0] if self.words else span[0]
        right = self.words[min(last + count, len(self.words)) - 1][1] if self.words else span[1]
        return max(min(left, span[0]), start), min(max(right, span[1]), max(end, span[1]))

    def within(self, span: Span, parts: tuple[Span, ...]) -> Span:
        """Return the part that holds the beginning of a span; the span itself where none does."""
        place = bisect.bisect_right(parts, span[0], key=lambda part: part[0]) - 1
        return parts[place] if place >= 0 and parts[place][1] > span[0] else span


def _lines(text: str) -> list[Line]:
    found, start = [], 0
    for raw in text.split("\n"):
        match = _LABEL.match(raw)
        value = start + match.end() if match else 0
        found.append(Line((start, start + len(raw)), match["label"].strip() if match else "", value))
        start += len(raw) + 1
    return found


def _clauses(text: str, sentence: Span) -> list[Span]:
    found, start = [], sentence[0]
    for match in [*_BREAK.finditer(text, *sentence), None]:
        end = match.start() if match else sentence[1]
        piece = text[start:end]
        if _WORD.search(piece):
            begin = start + len(piece) - len(piece.lstrip(" ,;:()-"))
            found.append((begin, start + len(piece.rstrip(" ,;:(-"))))
        start = match.end() if match and not match.group()[0].isalpha() else end
    return found
