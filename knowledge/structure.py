"""The structure of a document: its blocks in order, each with its span, its kind and its heading path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from markdown_it.token import Token

PATH_SEPARATOR = " › "  # noqa: RUF001 the guillemet that people read as a path
FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
FRONT_MATTER_TITLE = re.compile(
    r"^title:[ \t]*(?P<quote>['\"]?)(?P<title>.+?)(?P=quote)[ \t]*$", re.MULTILINE
)
BLANK_LINES = re.compile(r"\n[ \t]*\n(?=\S)")
DEEPEST = 6  # level of a heading, as in Markdown: a path of thousands would take a document's square to store


class Kind(Enum):
    """What a block is, and so where it may be split."""

    HEADING = "heading"
    PROSE = "prose"  # at sentences
    LINES = "lines"  # code and tables: at line ends
    LIST = "list"  # at items


@dataclass(frozen=True, slots=True)
class Block:
    """`text[start:end]` of the document; `path` are the headings above it, outermost first."""

    start: int
    end: int
    kind: Kind
    path: tuple[str, ...]
    level: int = 0  # of a heading
    items: tuple[int, ...] = ()  # where a list's items start


@dataclass(frozen=True, slots=True)
class Structure:
    """A document's title, if it has one itself, and its blocks."""

    title: str
    blocks: tuple[Block, ...]


def markdown_structure(text: str) -> Structure:
    """Return the structure of Markdown; its title is the front matter's, else the first level-1 heading."""
    front = FRONT_MATTER.match(text)
    title = _front_matter_title(front[0]) if front else ""
    body = front.end() if front else 0
    return _structure(title, _markdown_blocks(text, body))


def plain_structure(text: str) -> Structure:
    """Return the structure of plain text: paragraphs between blank lines."""
    return _structure("", _paragraphs(text, 0, len(text)))


def restructured_structure(text: str) -> Structure:
    """Return the structure of reStructuredText: underlined titles, paragraphs between blank lines."""
    return _structure("", _restructured_blocks(text))


def _structure(title: str, flat: Iterable[tuple[Block, str]]) -> Structure:
    """Give each block its heading path; a level-1 heading that is the title itself is not repeated in it."""
    blocks: list[Block] = []
    stack: list[tuple[int, str]] = []
    first_title = title
    for block, heading in flat:
        if block.kind is Kind.HEADING:
            stack = [*(entry for entry in stack if entry[0] < block.level), (block.level, heading)]
            if block.level == 1 and not first_title:
                first_title = heading
        path = tuple(name for level, name in stack if name and not (level == 1 and _same(name, first_title)))
        blocks.append(Block(block.start, block.end, block.kind, path, block.level, block.items))
    return Structure(first_title, tuple(blocks))


def _same(heading: str, title: str) -> bool:
    return re.sub(r"\W", "", heading).casefold() == re.sub(r"\W", "", title).casefold()


def _front_matter_title(front_matter: str) -> str:
    found = FRONT_MATTER_TITLE.search(front_matter)
    return found["title"].strip() if found else ""


_KINDS = {
    "heading_open": Kind.HEADING,
    "fence": Kind.LINES,
    "code_block": Kind.LINES,
    "table_open": Kind.LINES,
    "html_block": Kind.LINES,
    "bullet_list_open": Kind.LIST,
    "ordered_list_open": Kind.LIST,
    "paragraph_open": Kind.PROSE,
    "blockquote_open": Kind.PROSE,
}


def _markdown_blocks(text: str, body: int) -> Iterator[tuple[Block, str]]:
    """Yield the top-level blocks of `text[body:]`, and each heading's text."""
    # Only the blocks are wanted; inline parsing is most of the work, and where hostile input bites.
    parser = MarkdownIt("commonmark").enable("table").disable("inline")
    tokens = parser.parse(text[body:])
    lines = _line_starts(text, body)
    for number, token in enumerate(tokens):
        kind = _KINDS.get(token.type)
        if token.level == 0 and kind and token.map:
            start, end = _trim(text, lines[token.map[0]], lines[token.map[1]])
            heading = _plain(tokens[number + 1].content) if kind is Kind.HEADING else ""
            items = _items(tokens, number, lines) if kind is Kind.LIST else ()
            level = int(token.tag[1]) if kind is Kind.HEADING else 0
            if start < end:
                yield Block(start, end, kind, (), level, items), heading


def _items(tokens: list[Token], opening: int, lines: list[int]) -> tuple[int, ...]:
    """Return where the items of the list start, nested ones included."""
    starts = []
    for token in tokens[opening + 1 :]:
        if token.level == 0:
            break
        if token.type == "list_item_open" and token.map:
            starts.append(lines[token.map[0]])
    return tuple(sorted(set(starts)))


def _restructured_blocks(text: str) -> Iterator[tuple[Block, str]]:
    """Yield sections' titles and paragraphs; the order in which underlines first come gives their level."""
    underline = (
        r"(?:(?P<over>[^\w\s])(?P=over){2,}\n)?(?P<title>\S[^\n]*)\n(?P<under>[^\w\s])(?P=under){2,}[ \t]*$"
    )
    levels: dict[tuple[bool, str], int] = {}
    position = 0
    for found in re.finditer(rf"^{underline}", text, re.MULTILINE):
        yield from _paragraphs(text, position, found.start())
        level = levels.setdefault((bool(found["over"]), found["under"]), min(len(levels) + 1, DEEPEST))
        yield Block(found.start(), found.end(), Kind.HEADING, (), level), found["title"].strip()
        position = found.end()
    yield from _paragraphs(text, position, len(text))


def _paragraphs(text: str, position: int, ends: int) -> Iterator[tuple[Block, str]]:
    """Yield what stands between blank lines of `text[position:ends]`.

    An indented paragraph stays with the one it belongs to.
    """
    edges = [position, *(found.end() for found in BLANK_LINES.finditer(text, position, ends)), ends]
    for first, last in pairwise(edges):
        start, end = _trim(text, first, last)
        if start < end:
            indented = re.search(r"^[ \t]+\S", text[start:end], re.MULTILINE)
            yield Block(start, end, Kind.LINES if indented else Kind.PROSE, ()), ""


def _line_starts(text: str, body: int) -> list[int]:
    """Return the offset of each line's start, and the text's end."""
    starts = [body]
    starts += [found.end() for found in re.compile("\n").finditer(text, body)]
    return [*starts, len(text)]


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span without blank lines before and white space after; indentation is kept."""
    body = text[start:end]
    blank = len(body) - len(body.lstrip())
    indentation = body[:blank].rpartition("\n")[2]
    return start + blank - len(indentation), start + len(body.rstrip())


def _plain(markup: str) -> str:
    """Return a heading's text without links, emphasis, code marks and attributes."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", markup)
    text = re.sub(r"\{[:#][^}]*\}|<[^>]+>|[*`]", "", text)
    return " ".join(text.split())
