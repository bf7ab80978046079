"""What a site's robots.txt allows (RFC 9309)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin
from urllib.robotparser import RobotFileParser

from knowledge.sources.origin import UnreachableError, UnreadableError
from knowledge.sources.webclient import AGENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knowledge.sources.webclient import WebClient

LONGEST_DELAY = 30.0  # seconds; a site that asks for more gets this
MOST_BYTES = 512 * 1024  # that a crawler has to read, by the RFC


@dataclass(frozen=True, slots=True)
class Robots:
    """The rules for us, the pace that is asked for in seconds, and the sitemaps that are named."""

    rules: RobotFileParser
    delay: float
    sitemaps: Sequence[str]

    def allows(self, url: str) -> bool:
        """Whether a page may be read."""
        return self.rules.can_fetch(AGENT, url)


async def read_robots(client: WebClient, site: str) -> Robots:
    """Read the rules of the site that a URL is on; a site without any allows everything.

    Raises:
        UnreachableError: they cannot be read, which forbids everything, or they forbid the source's own page.
    """
    try:
        fetched = await client.get(urljoin(site, "/robots.txt"))
    except UnreadableError as error:
        raise UnreachableError(str(error)) from error
    if fetched.status >= 500 or fetched.status == 429:  # noqa: PLR2004 - HTTP's own numbers
        raise UnreachableError(
            f"Its robots.txt answers {fetched.status}: nothing may be read until it does not."
        )
    rules = RobotFileParser()
    text = fetched.body[:MOST_BYTES].decode("utf-8", errors="replace") if fetched.status == 200 else ""  # noqa: PLR2004 - HTTP's own number
    rules.parse(text.splitlines())
    if not rules.can_fetch(AGENT, site):
        raise UnreachableError(f"The site's robots.txt does not let {AGENT} read {site}.")
    delay = min(float(rules.crawl_delay(AGENT) or 0), LONGEST_DELAY)
    return Robots(rules, delay, rules.site_maps() or [])
