"""The pages that a site's sitemaps name."""

from __future__ import annotations

import html
import re
import zlib
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from knowledge.parse import MAX_BYTES
from knowledge.sources.origin import UnreachableError, UnreadableError
from knowledge.sources.webclient import GONE, NOT_FOUND, OK

if TYPE_CHECKING:
    from knowledge.sources.robots import Robots
    from knowledge.sources.webclient import WebClient

MOST_SITEMAPS = 50
# A sitemap is flat, and a hostile one no reason to parse XML: its addresses stand in <loc>.
_LOCATION = re.compile(r"<loc>\s*(?:<!\[CDATA\[)?\s*(.*?)\s*(?:\]\]>)?\s*</loc>", re.DOTALL | re.IGNORECASE)


async def listed_pages(client: WebClient, robots: Robots, site: str) -> list[str]:
    """Return the addresses in the sitemaps of the site that a URL is on; none where it has no sitemap.

    Raises:
        UnreachableError: one cannot be read, so that nobody knows which pages there are.
    """
    named = urlsplit(site).path.endswith((".xml", ".xml.gz"))
    waiting = [site] if named else [*robots.sitemaps, urljoin(site, "/sitemap.xml")]
    pages: dict[str, None] = {}
    read: set[str] = set()
    while waiting and len(read) < MOST_SITEMAPS:
        address = waiting.pop(0)
        if address in read or urlsplit(address).netloc != urlsplit(site).netloc:
            continue
        read.add(address)
        text = await _sitemap(client, address)
        found = [html.unescape(location) for location in _LOCATION.findall(text)]
        if "<sitemapindex" in text:
            waiting += found
        else:
            pages |= dict.fromkeys(found)
    return list(pages)


async def _sitemap(client: WebClient, address: str) -> str:
    """Return what a sitemap says; nothing where there is none."""
    try:
        fetched = await client.get(address)
    except UnreadableError as error:
        raise UnreachableError(f"Its sitemap {address} cannot be read: {error}") from error
    if fetched.status in {NOT_FOUND, GONE}:
        return ""
    if fetched.status != OK:
        raise UnreachableError(f"Its sitemap {address} answers {fetched.status}.")
    try:
        return _unpacked(fetched.body).decode("utf-8", errors="replace")
    except zlib.error as error:
        raise UnreachableError(f"Its sitemap {address} cannot be unpacked: {error}.") from error


def _unpacked(body: bytes) -> bytes:
    if not body.startswith(b"\x1f\x8b"):
        return body
    unpacking = zlib.decompressobj(wbits=31)
    unpacked = unpacking.decompress(body, MAX_BYTES)
    if not unpacking.eof and len(unpacked) < MAX_BYTES:
        raise zlib.error("it ends too early")
    return unpacked
