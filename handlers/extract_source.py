"""The messages that a record is made from, as one text; and where in Slack a quote of it stands."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from grammars.answer.sentences import units
from handlers.events import SPOKEN
from handlers.text import plain
from knowledge.drafts import Piece

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from handlers.thread_reader import Said

BETWEEN = "\n\n"
AROUND = 90  # characters on either side of a quote
NOTHING: Mapping[str, str] = MappingProxyType({})


def spoken(messages: Iterable[Said], bot_user: str) -> list[Said]:
    """Return what was said in a thread, but for Slack's own notes and what the bot itself said."""
    kinds = (*SPOKEN, "bot_message")
    return [one for one in messages if one.get("user") != bot_user and one.get("subtype") in kinds]


def composed(messages: Iterable[Said], attached: Mapping[str, str] = NOTHING) -> tuple[str, list[Piece]]:
    """Return messages as one text, and where each of them stands in it.

    Args:
        messages: in their order.
        attached: the text of a message's files, by its ts; it follows the message's own.
    """
    text, pieces = "", []
    for message in messages:
        parts = plain(message.get("text") or ""), attached.get(message["ts"], "")
        said = BETWEEN.join(filter(None, parts))
        if not said:
            continue
        start = len(text) + len(BETWEEN) if text else 0
        text = f"{text}{BETWEEN}{said}" if text else said
        pieces.append(Piece(message["ts"], start, len(text)))
    return text, pieces


def around(text: str, start: int, end: int) -> str:
    """Return a span with the rest of its sentence, cut where that goes on for long."""
    first, last = max(start - AROUND, 0), min(end + AROUND, len(text))
    near = text[first:last]
    holding = [one for one in units(near) if one.content < end - first and start - first < one.end]
    if not holding:
        return text[start:end]
    begin, stop = min(holding[0].content, start - first), max(holding[-1].end, end - first)
    before = "…" if begin == 0 and first > 0 else ""
    after = "…" if stop == len(near) and last < len(text) else ""
    return f"{before}{near[begin:stop].strip()}{after}"


def piece_at(pieces: Sequence[Piece], offset: int) -> Piece | None:
    """Return the message that an offset of the text lies in."""
    return next((piece for piece in pieces if piece.start <= offset < piece.end), None)
