"""Polite requests to one site: one at a time, at a pace, of limited size, and only where they may go."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, ThreadedResolver

from knowledge.parse import MAX_BYTES
from knowledge.sources.addresses import PublicResolver, check_public
from knowledge.sources.origin import UnreadableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import ClientResponse

    from knowledge.sources.origin import Reach

AGENT = "almanac"
SECONDS = 30.0  # for one request
MOST_REDIRECTS = 5
OK, NOT_MODIFIED, NOT_FOUND, GONE = 200, 304, 404, 410
FOR_NOW = frozenset({408, 425, 429}) | frozenset(range(500, 600))  # another time, it answers otherwise
ETAG, DATE = "etag ", "date "


@dataclass(frozen=True, slots=True)
class Fetched:
    """A response; `version` is its ETag or date, to be asked with next time."""

    url: str
    status: int
    media_type: str
    body: bytes
    version: str | None
    modified: str | None


class ElsewhereError(UnreadableError):
    """The page leads to another site, or in a circle."""


class WebClient:
    """A client of one source; a token, if any, goes to the host it is meant for only."""

    def __init__(self, session: ClientSession, reach: Reach, token: str | None, delay: float) -> None:
        self._session, self._reach, self._token = session, reach, token
        self.delay = delay  # seconds between two requests
        self._next = 0.0
        self._checked: set[str | None] = set()

    @classmethod
    @asynccontextmanager
    async def opened(cls, reach: Reach, *, token: str | None, delay: float) -> AsyncIterator[WebClient]:
        """Open a client."""
        resolver = ThreadedResolver() if reach.private_addresses else PublicResolver()
        async with ClientSession(
            connector=TCPConnector(resolver=resolver),
            timeout=ClientTimeout(total=SECONDS),
            headers={"User-Agent": f"{AGENT} (indexing for an internal knowledge base)"},
        ) as session:
            yield cls(session, reach, token, delay)

    async def get(self, url: str, *, version: str | None = None) -> Fetched:
        """Get a page, up to our limit of a document's size, following redirects within its host.

        Raises:
            UnreadableError: no answer came.
            ElsewhereError: it leads to another host, or on and on.
        """
        at = url
        for _ in range(MOST_REDIRECTS):
            fetched, location = await self._get_once(at, version)
            if location is None:
                return fetched
            following = urljoin(at, location)
            if urlsplit(following).netloc != urlsplit(url).netloc:
                raise ElsewhereError("It leads to another site.")
            at = following
        raise ElsewhereError(f"It leads on more than {MOST_REDIRECTS} times.")

    async def _get_once(self, url: str, version: str | None) -> tuple[Fetched, str | None]:
        await self._check_host(url)
        await self._turn()
        try:
            async with self._session.get(
                url, headers=self._headers(version), allow_redirects=False
            ) as response:
                body = await _limited(response)
        except (ClientError, OSError, TimeoutError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise UnreadableError(
                self._reach.hide(f"{urlsplit(url).netloc} does not answer: {reason}")
            ) from None
        location = response.headers.get("Location") if response.status in range(300, 400) else None
        return _fetched(str(response.url), response, body), location

    async def _check_host(self, url: str) -> None:
        """Say in a sentence what the resolver would refuse; addresses in numbers it never sees."""
        host = urlsplit(url).hostname
        if host not in self._checked and not self._reach.private_addresses:
            await check_public(url)
        self._checked.add(host)

    async def _turn(self) -> None:
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(max(0.0, self._next - clock()))
        self._next = clock() + self.delay

    def _headers(self, version: str | None) -> dict[str, str]:
        headers: dict[str, str] = {}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if version and version.startswith(ETAG):
            headers["If-None-Match"] = version.removeprefix(ETAG)
        elif version and version.startswith(DATE):
            headers["If-Modified-Since"] = version.removeprefix(DATE)
        return headers


async def _limited(response: ClientResponse) -> bytes:
    """Return the body; of one beyond our limit, one byte more than that."""
    body = bytearray()
    async for piece in response.content.iter_chunked(1 << 16):
        body += piece
        if len(body) > MAX_BYTES:
            return bytes(body[: MAX_BYTES + 1])
    return bytes(body)


def _fetched(url: str, response: ClientResponse, body: bytes) -> Fetched:
    etag, modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
    version = ETAG + etag if etag else DATE + modified if modified else None
    typed: Any = response.content_type if "Content-Type" in response.headers else ""
    return Fetched(url, response.status, typed, body, version, modified)
