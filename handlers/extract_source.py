"""The messages that a record is made from, as one text; and where in Slack a quote of it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.events import SPOKEN
from handlers.text import plain
from handlers.thread_reader import read_thread
from knowledge.drafts import Piece

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.thread_reader import Said

BETWEEN = "\n\n"


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


def piece_at(pieces: Sequence[Piece], offset: int) -> Piece | None:
    """Return the message that an offset of the text lies in."""
    return next((piece for piece in pieces if piece.start <= offset < piece.end), None)
