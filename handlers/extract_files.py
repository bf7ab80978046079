"""Files that people attached to a message: fetched from Slack alone, and read like any document."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import ClientError, ClientTimeout

from grammars.extraction.record import ExtractionError
from handlers.extract_source import BETWEEN
from knowledge.convert import ParseError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.thread_reader import Said
    from knowledge.drafts import Draft

MOST_FILES = 5
MOST_BYTES = 20 * 1024 * 1024
TIMEOUT = ClientTimeout(total=60)  # seconds
HTTP_OK = 200

ELSEWHERE = "{} does not lie with Slack, so I did not open it."
REFUSED = "Slack does not let me open {}. The app needs the scope files:read (docs/slack-setup.md)."
TOO_LARGE = "{} is larger than 20 MB. Paste the part that matters."
UNREACHABLE = "{} could not be fetched from Slack; please try again."

log = logging.getLogger(__name__)


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
    texts += [await parse(await fetched(client, one), one["name"]) for one in draft.files]
    return BETWEEN.join(texts)


async def attached_texts(
    client: AsyncWebClient, messages: Iterable[Said], parse: Callable[[bytes, str], Awaitable[str]]
) -> dict[str, str]:
    """Return the text of the first files of a thread's messages, by their ts.

    A file that cannot be read, such as a picture, is passed over: the thread is read all the same.
    """
    texts: dict[str, str] = {}
    files = ((message["ts"], file) for message in messages for file in files_of(message))
    for ts, file in islice(files, MOST_FILES):
        try:
            read = await parse(await fetched(client, file), file["name"])
        except (ExtractionError, ParseError) as error:
            log.info("A file of the thread is passed over: %s", error)
            continue
        texts[ts] = f"{texts[ts]}{BETWEEN}{read}" if ts in texts else read
    return texts


async def fetched(client: AsyncWebClient, file: Mapping[str, str]) -> bytes:
    """Fetch a file, one of `files_of`, with the bot's token, which nobody but Slack may see.

    Raises:
        ExtractionError: it cannot be fetched; the message says why.
    """
    name, url = file["name"], file["url"]
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
