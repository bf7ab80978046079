"""A website: the pages of its sitemap, or those that its pages lead to, read as its robots.txt allows.

Only the source's own host is read, below the source's own path; a page is asked for only if it changed.
"""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from bs4 import BeautifulSoup

from knowledge.convert import ParseError
from knowledge.parse import MAX_BYTES, SUFFIXES, too_large
from knowledge.sources.globs import excluded, included
from knowledge.sources.origin import (
    Content,
    File,
    GoneError,
    Listing,
    UnreachableError,
    UnreadableError,
    visible,
)
from knowledge.sources.robots import Robots, read_robots
from knowledge.sources.sitemap import listed_pages
from knowledge.sources.webclient import (
    FOR_NOW,
    GONE,
    NOT_FOUND,
    NOT_MODIFIED,
    OK,
    ElsewhereError,
    Fetched,
    WebClient,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from knowledge.sources.origin import Reach
    from knowledge.sources.registry import Source

MOST_PAGES = 5_000
DELAY = 0.2  # seconds between two requests, where robots.txt asks for no longer one
SUFFIX_OF = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "application/pdf": ".pdf",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/x-rst": ".rst",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}


@asynccontextmanager
async def open_web(source: Source, options: dict[str, Any], reach: Reach) -> AsyncIterator[WebOrigin]:
    """Open a website, once its robots.txt is read.

    Raises:
        UnreachableError: the site does not answer, or its robots.txt allows nothing of it.
    """
    delay = float(options.get("delay", DELAY))
    async with WebClient.opened(reach, token=options.get("token"), delay=delay) as client:
        robots = await read_robots(client, source.uri)
        client.delay = max(delay, robots.delay)
        yield WebOrigin(source, client, robots, int(options.get("pages", MOST_PAGES)))


class WebOrigin:
    """The pages of one site, below one path."""

    def __init__(self, source: Source, client: WebClient, robots: Robots, most_pages: int) -> None:
        self._source, self._client, self._robots, self._most = source, client, robots, most_pages
        parts = urlsplit(source.uri)
        self._site = f"{parts.scheme}://{parts.netloc}"
        self._path = parts.path or "/"
        self._below = _folder(self._path)

    async def list(self) -> Listing:
        """Return the pages of the sitemap; without one, those that links lead to."""
        found = await listed_pages(self._client, self._robots, self._source.uri)
        pages = {page for page in map(self._own, found) if page}
        whole = True
        if not pages:
            pages, whole = await self._crawled()
        chosen = sorted(page for page in pages if self._wanted(page))[: self._most]
        return Listing([File(page, path_of(page)) for page in chosen], whole=whole)

    def _own(self, url: str) -> str | None:
        """Return the URL without its fragment if it is the source's and may be read, else None."""
        bare = urldefrag(url).url
        parts = urlsplit(bare)
        path = parts.path or "/"
        below = path == self._path or path.startswith(self._below)
        own = f"{parts.scheme}://{parts.netloc}" == self._site and below
        return bare if own and self._robots.allows(bare) else None

    def _wanted(self, page: str) -> bool:
        path = path_of(page)
        return not excluded(path, self._source) and included(path, self._source)

    async def _crawled(self) -> tuple[set[str], bool]:
        """Follow the links from the source's own page, breadth first; also tell whether all were followed.

        A page that cannot be read for now is one of the pages; where it leads is not known.
        """
        pages: set[str] = set()
        seen = {self._source.uri}
        waiting = deque(seen)
        whole = True
        while waiting and len(seen) <= self._most:
            page = waiting.popleft()
            try:
                fetched = await self._followed(page)
            except UnreadableError:
                pages.add(page)
                whole = False
                continue
            if fetched is None:
                continue
            pages.add(page)
            new = dict.fromkeys(link for link in self._links(fetched) if link not in seen)
            seen.update(new)
            waiting += new
        return pages, whole

    async def _followed(self, page: str) -> Fetched | None:
        """Return a page, or None where the site has none there; without the first one there are none."""
        is_first = page == self._source.uri
        try:
            fetched = await self._client.get(page)
        except UnreadableError as error:
            if is_first:
                raise UnreachableError(str(error)) from error
            if isinstance(error, ElsewhereError):
                return None
            raise
        if fetched.status != OK and is_first:
            raise UnreachableError(f"{page} answers {fetched.status}.")
        if fetched.status in FOR_NOW:
            raise UnreadableError(f"{page} answers {fetched.status}.")
        return fetched if fetched.status == OK else None

    def _links(self, fetched: Fetched) -> Iterator[str]:
        if fetched.media_type not in {"text/html", "application/xhtml+xml"}:
            return
        for anchor in BeautifulSoup(fetched.body, "html.parser").find_all("a", href=True):
            try:
                link = self._own(urljoin(fetched.url, str(anchor["href"])))
            except ValueError:  # no address at all
                continue
            if link and (
                PurePosixPath(urlsplit(link).path).suffix.lower() in SUFFIXES | {"", ".php", ".asp"}
            ):
                yield link

    async def read(self, file: File, version: str | None) -> Content:
        """Read a page if it is not the version that is known."""
        fetched = await self._client.get(file.uri, version=version)
        if fetched.status == NOT_MODIFIED:
            return Content(None, replace(file, path=_typed(file, fetched), version=version))
        if fetched.status in {NOT_FOUND, GONE}:
            raise GoneError
        if fetched.status != OK:
            raise UnreadableError(f"The site answers {fetched.status}.")
        if self._own(fetched.url) is None:
            raise ParseError("It leads to a page outside the source.")
        if len(fetched.body) > MAX_BYTES:
            raise ParseError(too_large(len(fetched.body)))
        typed = _typed(file, fetched)
        return Content(
            fetched.body,
            replace(file, path=typed, version=fetched.version, mtime_ns=_moment(fetched.modified)),
        )


def _folder(path: str) -> str:
    """Return the path that a source's pages lie below; of a sitemap, the whole site."""
    if path.endswith((".xml", ".xml.gz")):
        return "/"
    *_, last = path.split("/")
    return f"{path}/" if last and "." not in last else path[: path.rfind("/") + 1] or "/"


def path_of(page: str) -> str:
    """Return a page's path within its site, as a file's; a query is a part of it."""
    parts = urlsplit(page)
    path = unquote(parts.path, errors="surrogateescape").lstrip("/")
    if not path or path.endswith("/"):
        path += "index.html"
    if parts.query:
        path += f"?{parts.query}"
    return visible(path if PurePosixPath(path).suffix.lower() in SUFFIXES else f"{path}.html")


def _typed(file: File, fetched: Fetched) -> str:
    """Return the path with the suffix that the site's media type calls for."""
    if not fetched.media_type:
        return file.path
    suffix = SUFFIX_OF.get(fetched.media_type)
    if suffix is None:
        raise ParseError(f"It is of a kind that is not read: {fetched.media_type}.")
    own = PurePosixPath(file.path)
    both_text = suffix in {".txt", ".html"} and own.suffix.lower() in {".md", ".rst", ".txt", ".htm"}
    is_page = suffix == ".txt" and both_text
    return (
        file.path if own.suffix.lower() == suffix or is_page else f"{file.path.removesuffix('.html')}{suffix}"
    )


def _moment(modified: str | None) -> int:
    try:
        return int(parsedate_to_datetime(modified or "").timestamp() * 1e9)
    except (ValueError, OverflowError):
        return 0
