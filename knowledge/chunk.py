"""Passages: runs of whole blocks and small sections, split inside a block only where it does not fit."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from knowledge.sentences import sentence_starts
from knowledge.structure import PATH_SEPARATOR, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from knowledge.structure import Block, Structure

PASSAGE_TOKENS = 200


@dataclass(frozen=True, slots=True)
class Chunk:
    """`text[start:end]` of the document, and the headings that it stands under."""

    start: int
    end: int
    heading: str


def chunk(
    text: str, structure: Structure, token_starts: Sequence[int], *, limit: int = PASSAGE_TOKENS
) -> list[Chunk]:
    """Return the document's passages, in order, each of at most `limit` tokens.

    Args:
        text: the stored document.
        structure: its blocks.
        token_starts: the offset of each token of `text`, ascending.
        limit: tokens a passage.
    """
    packer = _Packer(text, token_starts, limit)
    for block in structure.blocks:
        packer.add(block)
    packer.flush()
    return list(packer.merged())


@dataclass(frozen=True, slots=True)
class _Piece:
    """A run of blocks of one section; `lead` is where its headings start, where it is its section's first."""

    lead: int
    start: int
    end: int
    path: tuple[str, ...]


class _Packer:
    """Fills one piece after another with the blocks of a section."""

    def __init__(self, text: str, token_starts: Sequence[int], limit: int) -> None:
        self.pieces: list[_Piece] = []
        self._text = text
        self._tokens = token_starts
        self._limit = limit
        self._open: tuple[int, int] | None = None
        self._path: tuple[str, ...] = ()
        self._lead: int | None = None

    def add(self, block: Block) -> None:
        if block.kind is Kind.HEADING:
            self.flush()
            self._path = block.path
            self._lead = block.start if self._lead is None else self._lead
            return
        whole = self.count(block.start, block.end) <= self._limit
        for start, end in [(block.start, block.end)] if whole else self._split(block):
            self._append(start, end)

    def flush(self) -> None:
        if self._open:
            start, end = self._open
            lead = start if self._lead is None else self._lead
            self.pieces.append(_Piece(lead, start, end, self._path))
            self._open = self._lead = None

    def merged(self) -> Iterator[Chunk]:
        """Yield the pieces, neighbours together where they fit, with the headings that lie between them."""
        run: _Piece | None = None
        for piece in self.pieces:
            if run and self.count(run.lead, piece.end) <= self._limit:
                run = _Piece(run.lead, run.lead, piece.end, _common(run.path, piece.path))
                continue
            if run:
                yield _chunk(run)
            run = piece
        if run:
            yield _chunk(run)

    def count(self, start: int, end: int) -> int:
        return bisect_left(self._tokens, end) - bisect_left(self._tokens, start)

    def _append(self, start: int, end: int) -> None:
        if self._open and self.count(self._open[0], end) > self._limit:
            self.flush()
        self._open = (self._open[0] if self._open else start, end)

    def _split(self, block: Block) -> Iterator[tuple[int, int]]:
        """Split at what the kind allows, then at sentences, then, as the last resort, between words."""
        for start, end in _pieces(self._text, block):
            if self.count(start, end) <= self._limit:
                yield start, end
            else:
                for first, last in _spans(self._text, start, end, sentence_starts(self._text[start:end])):
                    yield from self._cut(first, last)

    def _cut(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        while self.count(start, end) > self._limit:
            furthest = self._tokens[bisect_left(self._tokens, start) + self._limit]
            space = max(self._text.rfind(mark, start, furthest) for mark in (" ", "\n"))
            cut = space + 1 if space > (start + furthest) // 2 else furthest
            yield start, start + len(self._text[start:cut].rstrip())
            start = cut
        yield start, end


def _chunk(piece: _Piece) -> Chunk:
    return Chunk(piece.start, piece.end, PATH_SEPARATOR.join(piece.path))


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Return the headings that both paths begin with."""
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return tuple(heading for heading, _ in pairs)


def _pieces(text: str, block: Block) -> list[tuple[int, int]]:
    if block.kind is Kind.LIST:
        starts = [start - block.start for start in block.items if start > block.start]
    elif block.kind is Kind.LINES:
        starts = [found.end() for found in re.finditer("\n", text[block.start : block.end])]
    else:
        starts = sentence_starts(text[block.start : block.end])
    return _spans(text, block.start, block.end, starts)


def _spans(text: str, start: int, end: int, starts: Sequence[int]) -> list[tuple[int, int]]:
    """Return the non-empty spans between `starts`, offsets from `start`, without white space after them."""
    edges = sorted({start, *(start + offset for offset in starts), end})
    spans = [(first, first + len(text[first:last].rstrip())) for first, last in pairwise(edges)]
    return [(first, last) for first, last in spans if first < last]
