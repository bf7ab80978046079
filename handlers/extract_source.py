"""The messages that a record is made from, as one text; and where in Slack a quote of it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grammars.answer.sentences import units
from handlers.events import SPOKEN
from handlers.text import plain
from handlers.thread_reader import read_thread
from knowledge.drafts import Piece

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.thread_reader import Said

BETWEEN = "\n\n"
AROUND = 90  # characters on either side of a quote


async def gathered(
    client: AsyncWebClient, channel: str, thread_ts: str, bot_user: str
) -> tuple[str, list[Piece]]:
    """Return a thread as one text, without what the bot itself said in it, and where each message stands.

    Raises:
        SlackApiError: the thread cannot be read.
    """
    return composed(await read_thread(client, channel, thread_ts), bot_user)


def composed(messages: Iterable[Said], bot_user: str) -> tuple[str, list[Piece]]:
    """Return messages as one text, and where each of them stands in it."""
    text, pieces = "", []
    for message in messages:
        said = plain(message.get("text") or "")
        if (
            not said
            or message.get("user") == bot_user
            or message.get("subtype") not in (*SPOKEN, "bot_message")
        ):
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
