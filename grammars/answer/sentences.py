"""Sentence-aligned units of a passage: the pieces that a quote is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 600  # characters of one unit; a longer sentence is cut at a clause or at white space
WRAPPED = 60  # characters; hardly any text is wrapped at less

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Unit:
    """One sentence, list item, table row, heading or line of code, as character offsets in its passage.

    `start` to `content` is what leads to it (white space, list and quote markers, rules, code fences),
    `content` to `end` what can be quoted. The units of a passage follow one another without a gap; only the
    last one may have no content.
    """

    start: int
    content: int
    end: int

    @property
    def blank(self) -> bool:
        """Whether nothing of it can be quoted."""
        return self.content == self.end


def units(text: str) -> tuple[Unit, ...]:
    """Return the units of `text`: Markdown, reStructuredText, plain text, code; hard-wrapped or not.

    Joined, they are `text`. The content of each holds a letter or a digit, neither starts nor ends with white
    space, and is at most `LONGEST` characters.
    """
    found: list[Unit] = []
    end = 0
    for start, stop in (piece for sentence in _sentences(text) for piece in _cut(text, *sentence)):
        found.append(Unit(end, start, stop))
        end = stop
    if end < len(text):
        found.append(Unit(end, len(text), len(text)))
    return tuple(found)


_FRONT_MATTER = re.compile(r"---[ \t]*\n.*?\n---[ \t]*(?:\n|$)", re.DOTALL)
_UNDERLINE = re.compile(r"[ \t]*\n[ \t]*(?:={3,}|-{3,}|~{3,})[ \t]*(?:\n|$)")


def statements(text: str) -> tuple[Unit, ...]:
    """Return the units of `text` that state something: neither headings nor front matter, and none blank."""
    front = _FRONT_MATTER.match(text)
    begin = front.end() if front else 0
    return tuple(u for u in units(text) if not u.blank and u.content >= begin and not _heading(text, u))


def _heading(text: str, unit: Unit) -> bool:
    marked = text[unit.start : unit.content].rstrip().endswith("#")
    return marked or _UNDERLINE.match(text, unit.end) is not None


_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_MARKER = re.compile(r"(?:\s|>|#{1,6}(?=\s)|[-*+•](?=\s)|\(?(?:\d{1,3}|[a-zA-Z])[.)](?=\s))*")
_ITEM = re.compile(r"\s*(?:[-*+•]|\(?(?:\d{1,3}|[a-zA-Z])[.)])\s")
_ALONE = re.compile(r"\s*(?:#{1,6}\s|\||.*\s\|\s)")  # a heading or a table row
_FENCE = re.compile(r"\s*(?:```|~~~)")
_WORD = re.compile(r"[^\W_]")


def _sentences(text: str) -> Iterator[Span]:
    for start, end, prose in _blocks(text):
        content = _MARKER.match(text, start, end)
        begin = content.end() if content else start
        if _WORD.search(text, begin, end) is None:
            begin = start  # a marker that is all there is, as in "1." or "A)"
        yield from _split(text, begin, end) if prose else _strip(text, begin, end)


def _blocks(text: str) -> Iterator[tuple[int, int, bool]]:
    """Yield (start, end, is prose) of each heading, row, code line, list item and paragraph with a word."""
    fenced = False
    paragraph: list[Span] = []
    for match in _LINE.finditer(text):
        line, span = match.group(), match.span()
        fence = _FENCE.match(line) is not None
        alone = fenced or fence or _WORD.search(line) is None or _ALONE.match(line) is not None
        if paragraph and (alone or _ITEM.match(line)):
            yield from _paragraphs(text, paragraph)
            paragraph = []
        if not alone:
            paragraph.append(span)
        elif not fence and _WORD.search(line):
            yield (*span, False)
        fenced ^= fence
    yield from _paragraphs(text, paragraph)


def _paragraphs(text: str, lines: list[Span]) -> Iterator[tuple[int, int, bool]]:
    """Join hard-wrapped lines: a line ends by intent where the next one's first word had still fitted."""
    first = 0
    for number, (start, end) in enumerate(lines):
        following = text[slice(*lines[number + 1])] if number + 1 < len(lines) else ""
        word = following.split(maxsplit=1)[0] if following else ""
        intended = end - start + len(word) < WRAPPED and (word.endswith(":") or not word[:1].islower())
        if not following or intended:
            yield lines[first][0], end, True
            first = number + 1


_END = re.compile(
    r"""(?:[.!?…]+["'”’»)\]*_`]*(?=\s+["'“‘«(\[*_`]*[^\W_a-z])|[。！？]+[」』”’）]*)""",  # noqa: RUF001 - full-width
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|vs|approx|resp|incl|esp|mr|mrs|ms|dr|prof|sr|jr|gov|sen|rep|inc|ltd|corp|dept)"
    r"|(?:^|[\s(.])[A-Z])\.$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(  # abbreviations only where a number follows: "No. 5", "Dec. 24"
    r"\b(?:nos?|figs?|eqs?|sec|ch|pp?|vol|eds?|art|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\s+\d")


def _split(text: str, start: int, end: int) -> Iterator[Span]:
    """Split prose after each sentence's end."""
    begin = start
    for match in _END.finditer(text, start, end):
        if not _abbreviated(text, begin, match.end()) and _WORD.search(text, begin, match.end()):
            yield from _strip(text, begin, match.end())
            begin = match.end()
    yield from _strip(text, begin, end)


def _abbreviated(text: str, begin: int, end: int) -> bool:
    before = text[max(begin, end - 12) : end]
    numbered = _NUMBER.match(text, end) is not None and _NUMBERED.search(before) is not None
    return numbered or _ABBREVIATION.search(before) is not None


def _strip(text: str, start: int, end: int) -> Iterator[Span]:
    piece = text[start:end]
    if _WORD.search(piece):
        begin = start + len(piece) - len(piece.lstrip())
        yield begin, start + len(piece.rstrip())


def _cut(text: str, start: int, end: int) -> Iterator[Span]:
    """Cut what is too long after the last clause, else at the last white space, else where the limit is."""
    while end - start > LONGEST:
        window = text[start : start + LONGEST]
        cut = max(window.rfind(mark) for mark in ("; ", ": ", ", ", " – ", "。", "、")) + 1  # noqa: RUF001 - a dash
        if cut < LONGEST // 2:
            cut = max((match.start() for match in re.finditer(r"\s", window)), default=0)
        yield from _strip(text, start, start + (cut or LONGEST))
        start += cut or LONGEST
    yield from _strip(text, start, end)
