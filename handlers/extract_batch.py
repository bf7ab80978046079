"""`/extract batch`: many messages read by one schema, because somebody asked for exactly that."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from handlers.errors import whisper
from knowledge.batches import Batch

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.extract_services import ExtractServices

USAGE = (
    "Type `/extract batch SCHEMA` for this channel's last 50 messages, `/extract batch SCHEMA 100` for more,"
    " or put the link of a message there for its thread."
)
ELSEWHERE = "That message is in another channel: ask there."
TOO_MANY = "At most {} messages can be read at once."
STARTED = "I'm reading up to {} messages. You can see here how far I am."

DEFAULT, MOST = 50, 500
_LINK = re.compile(
    r"https?://\S+/archives/(?P<channel>[A-Z0-9]+)/p(?P<ts>\d{7,})(?:\?\S*?thread_ts=(?P<thread>[\d.]+))?"
)


async def run(body: dict[str, Any], client: AsyncWebClient, services: ExtractServices, words: str) -> None:
    """Have a channel's or a thread's messages read.

    Raises:
        SchemaUnknown: there is no such schema.
    """
    name, _, what = words.partition(" ")
    wanted = _wanted(what.strip())
    if not name or wanted is None:
        await whisper(body, client, USAGE)
        return
    count, channel, thread_ts = wanted
    if not 0 < count <= MOST:
        await whisper(body, client, TOO_MANY.format(MOST))
        return
    if channel not in {None, body["channel_id"]}:  # whoever asks may not be a member of another channel
        await whisper(body, client, ELSEWHERE)
        return
    schema = await services.find_schema(name)
    place = body["team_id"], body["channel_id"], body["user_id"]
    batch = Batch(uuid4(), *place, schema.name, schema.version, wanted=count, thread_ts=thread_ts)
    await services.batches.begin(batch)
    await whisper(body, client, STARTED.format(count))


def _wanted(words: str) -> tuple[int, str | None, str | None] | None:
    """Return how many messages of which channel and thread; None where the words say nothing of the kind."""
    if not words:
        return DEFAULT, None, None
    if words.isdecimal() and words.isascii():
        return int(words[:9]), None, None
    match = _LINK.fullmatch(words)
    if match is None:
        return None
    own = f"{match['ts'][:-6]}.{match['ts'][-6:]}"
    return MOST, match["channel"], match["thread"] or own
