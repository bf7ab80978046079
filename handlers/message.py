"""A message of ours, and how a long one is continued in the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handlers.text import clip_escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from handlers.rich import Block

# Slack takes 50 blocks a message, and refuses some messages from 11,000 characters up: stay clear of both.
MOST_BLOCKS = 40
MOST_CHARACTERS = 8_000
MOST_TEXT = 3_000  # chat.update takes 4,000
PIECE = 2_500  # a section takes 3,000

CONTINUED = "(continued)"


@dataclass(frozen=True, slots=True)
class Piece:
    """One block with what it says in plain words."""

    block: Block
    spoken: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What a chat method takes: `text`, escaped, is what a notification shows."""

    text: str
    blocks: list[Block] = field(default_factory=list)


def paginate(body: Iterable[Piece], footer: Sequence[Piece] = ()) -> list[Message]:
    """Return as many messages as the pieces need; the footer stands under the last."""
    pages: list[list[Piece]] = [[]]
    for piece in body:
        full = len(pages[-1]) >= MOST_BLOCKS or _size([*pages[-1], piece]) > MOST_CHARACTERS
        if full and pages[-1]:
            pages.append([])
        pages[-1].append(piece)
    pages[-1].extend(footer)
    return [_message(page, first=number == 0) for number, page in enumerate(pages)]


def _size(pieces: Sequence[Piece]) -> int:
    return sum(len(piece.spoken) for piece in pieces)


def _message(page: Sequence[Piece], *, first: bool) -> Message:
    spoken = "\n".join(piece.spoken for piece in page if piece.spoken)
    text = spoken if first else f"{CONTINUED} {spoken}"
    return Message(clip_escaped(text, MOST_TEXT), [piece.block for piece in page])
