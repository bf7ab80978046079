"""Files that people attached to a message: fetched from Slack alone, and read like any document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import ClientError, ClientTimeout

from grammars.extraction.record import ExtractionError
from handlers.extract_source import BETWEEN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from slack_sdk.web.async_client import AsyncWebClient

    from knowledge.drafts import Draft

MOST_FILES = 5
MOST_BYTES = 20 * 1024 * 1024
TIMEOUT = ClientTimeout(total=60)  # seconds
HTTP_OK = 200

ELSEWHERE = "{} does not lie with Slack, so I did not open it."
REFUSED = "Slack does not let me open {}. The app needs the scope files:read (docs/slack-setup.md)."
TOO_LARGE = "{} is larger than 20 MB. Paste the part that matters."
UNREACHABLE = "{} could not be fetched from Slack; please try again."


def files_of(message: dict[str, Any]) -> tuple[dict[str, str], ...]:
    """Return name and address of a message's files."""
    files = [file for file in message.get("files") or () if file.get("url_private")]
    return tuple({"name": str(file.get("name")), "url": file["url_private"]} for file in files[:MOST_FILES])


async def with_files(
    client: AsyncWebClient, draft: Draft, parse: Callable[[bytes, str], Awaitable[str]]
) -> str:
    """Return the draft's text with that of its files behind it.

    Raises:
        ExtractionError: a file cannot be fetched or read; the message says which and why.
    """
    texts = [draft.text] if draft.text else []
    texts += [await parse(await _fetch(client, one["name"], one["url"]), one["name"]) for one in draft.files]
    return BETWEEN.join(texts)


async def _fetch(client: AsyncWebClient, name: str, url: str) -> bytes:
    """Fetch a file with the bot's token, which nobody but Slack may see."""
    if not _is_slacks(url, client.base_url):
        raise ExtractionError(ELSEWHERE.format(name))
    headers = {"Authorization": f"Bearer {client.token}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT) as session,
            session.get(url, headers=headers, allow_redirects=False) as answer,
        ):
            if answer.status != HTTP_OK:
                raise ExtractionError(REFUSED.format(name))
            return await _read(name, answer.content)
    except (ClientError, TimeoutError) as error:
        raise ExtractionError(UNREACHABLE.format(name)) from error


async def _read(name: str, content: aiohttp.StreamReader) -> bytes:
    data = bytearray()
    async for chunk in content.iter_chunked(65_536):
        data += chunk
        if len(data) > MOST_BYTES:
            raise ExtractionError(TOO_LARGE.format(name))
    return bytes(data)


def _is_slacks(url: str, base_url: str) -> bool:
    """Whether an address is of Slack's file server, or of the server that the API is at."""
    file, api = urlsplit(url), urlsplit(base_url)
    if (file.scheme, file.netloc) == (api.scheme, api.netloc):
        return True
    return file.scheme == "https" and (file.hostname or "").endswith(".slack.com") and file.port is None
