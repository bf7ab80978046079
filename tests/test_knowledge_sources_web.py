from __future__ import annotations

import asyncio
import gzip
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientConnectorError, web
from hashing import HashingEmbedder
from indexing import PRIVATE, counts, run, served, texts

from knowledge.index import reindex
from knowledge.search import search
from knowledge.sources import add_source
from knowledge.sources.addresses import is_public, public_client
from knowledge.sources.origin import Reach, UnreachableError
from knowledge.sources.remote import _open
from knowledge.sources.sitemap import _unpacked
from knowledge.status import status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from knowledge.database import Pool


@dataclass
class Site:
    """A website that counts what it is asked."""

    url: str = ""
    pages: dict[str, tuple[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    bodies: int = 0
    status: int = 200
    failing: dict[str, int] = field(default_factory=dict)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if request.path in self.failing:
            return web.Response(status=self.failing[request.path])
        if request.path not in self.pages:
            raise web.HTTPNotFound
        kind, body = self.pages[request.path]
        if body.startswith("->"):
            raise web.HTTPFound(body[2:])
        mark = f'"{abs(hash(body))}"'
        if request.headers.get("If-None-Match") == mark:
            return web.Response(status=304, headers={"ETag": mark})
        if self.status != 200 and kind == "text/html":
            return web.Response(status=self.status)
        self.bodies += 1
        data = gzip.compress(body.encode()) if request.path.endswith(".gz") else body.encode()
        return web.Response(body=data, content_type=kind, headers={"ETag": mark})


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[Site]:
    app = web.Application()
    app.router.add_get("/{path:.*}", site.answer)
    async with served(app) as site.url:
        yield site


def page(words: str, *links: str) -> tuple[str, str]:
    anchors = "".join(f'<a href="{link}">more</a>' for link in links)
    return "text/html", f"<html><body><h1>{words}</h1><p>About {words}.</p>{anchors}</body></html>"


async def test_a_site_is_read_by_its_sitemap_politely_and_only_where_it_changed(pool: Pool) -> None:
    async with serving(Site()) as site:
        listed = [f"{site.url}/docs/{name}" for name in ("one", "two.html", "secret/", "gone", "manual.txt")]
        entries = "".join(
            f"<url><loc>{url}</loc></url>" for url in [*listed, "https://elsewhere.example/docs/x"]
        )
        site.pages = {
            "/robots.txt": (
                "text/plain",
                f"User-agent: *\nDisallow: /docs/secret/\nSitemap: {site.url}/maps.xml.gz\n",
            ),
            "/maps.xml.gz": (
                "application/gzip",
                f"<sitemapindex><loc>{site.url}/map.xml</loc></sitemapindex>",
            ),
            "/map.xml": ("application/xml", f"<urlset>{entries}</urlset>"),
            "/docs/one": page("one"),
            "/docs/two.html": page("two"),
            "/docs/secret/": page("secrets"),
            "/docs/manual.txt": ("text/plain", "About the manual."),
        }
        await add_source(pool, f"{site.url}/docs/", options={"delay": 0})
        assert counts(await run(pool, PRIVATE)) == (3, 0, 0, 0)
        assert "/docs/secret/" not in site.asked
        found = await search(pool, HashingEmbedder(), "one")
        assert found[0].link == f"{site.url}/docs/one"
        site.bodies = 0
        assert counts(await run(pool, PRIVATE)) == (0, 3, 0, 0)
        assert site.bodies == 3  # robots.txt and the sitemaps
        site.pages["/docs/one"] = page("another")
        del site.pages["/docs/two.html"]
        assert counts(await run(pool, PRIVATE)) == (1, 1, 0, 1)


async def test_a_site_without_a_sitemap_is_followed_by_its_links_below_its_path(pool: Pool) -> None:
    async with serving(Site()) as site:
        site.pages = {
            "/docs/": page("start", "a", "/docs/b/#part", "/private", "mailto:x@example.com", "http://["),
            "/docs/a": page("a", "/docs/b/", "https://elsewhere.example/"),
            "/docs/b/": page("b", "/docs/moved", "/docs/away"),
            "/docs/moved": ("text/html", "->/docs/a"),
            "/docs/away": ("text/html", "->https://elsewhere.example/"),
            "/private": page("private"),
        }
        await add_source(
            pool, f"{site.url}/docs/", options={"delay": 0}, exclude=["docs/moved*", "docs/away*"]
        )
        assert counts(await run(pool, PRIVATE)) == (3, 0, 0, 0)
        assert "/private" not in site.asked


async def test_a_path_without_a_slash_is_a_folder_of_pages_and_links_count_from_where_it_leads(
    pool: Pool,
) -> None:
    async with serving(Site()) as site:
        site.pages = {
            "/guide": ("text/html", "->/guide/"),
            "/guide/": page("start", "one", "/other"),
            "/guide/one": page("one"),
            "/other": page("other"),
            "/one": page("another one"),
        }
        await add_source(pool, f"{site.url}/guide", options={"delay": 0})
        await run(pool, PRIVATE)
        (found, *_) = await search(pool, HashingEmbedder(), "About one.")
        assert found.uri == f"{site.url}/guide/one"
        assert "/other" not in site.asked


async def test_a_site_that_is_down_for_a_while_keeps_what_is_indexed_of_it(pool: Pool) -> None:
    async with serving(Site()) as site:
        entries = f"<urlset><loc>{site.url}/a</loc></urlset>"
        site.pages = {"/sitemap.xml": ("application/xml", entries), "/a": page("a")}
        await add_source(pool, f"{site.url}/", options={"delay": 0}, name="site")
        await run(pool, PRIVATE)
        site.status, site.pages["/a"] = 503, page("a new one")
        report = await run(pool, PRIVATE)
        assert [(failure.path, failure.reason) for failure in report.failures] == [
            ("a.html", "The site answers 503.")
        ]
        assert len(await texts(pool)) == 1
        assert (await status(pool)).sources[0].failures == report.failures
        site.status = 200
        assert counts(await run(pool, PRIVATE)) == (1, 0, 0, 0)
        assert (await status(pool)).sources[0].failures == ()
        site.pages["/robots.txt"] = ("text/plain", "User-agent: *\nDisallow: /\n")
        assert "robots.txt" in str((await run(pool, PRIVATE)).error)
        assert len(await texts(pool)) == 1


@pytest.mark.parametrize("failing", ["/sitemap.xml", "/child.xml"])
async def test_a_sitemap_that_cannot_be_read_removes_nothing(pool: Pool, failing: str) -> None:
    async with serving(Site()) as site:
        listed = "".join(f"<loc>{site.url}/{name}</loc>" for name in "abc")
        index = f"<sitemapindex><loc>{site.url}/child.xml</loc></sitemapindex>"
        site.pages = {
            "/sitemap.xml": ("application/xml", index),
            "/child.xml": ("application/xml", f"<urlset>{listed}</urlset>"),
            "/": page("start"),
            **{f"/{name}": page(name) for name in "abc"},
        }
        await add_source(pool, f"{site.url}/", options={"delay": 0})
        assert counts(await run(pool, PRIVATE)) == (3, 0, 0, 0)
        for status_ in (503, 403):
            site.failing = {failing: status_}
            assert f"{failing} answers {status_}" in str((await run(pool, PRIVATE)).error)
        assert len(await texts(pool)) == 3


def test_half_a_sitemap_is_none() -> None:
    whole = gzip.compress(b"<urlset><loc>https://host/a</loc></urlset>")
    assert _unpacked(whole).endswith(b"</urlset>")
    with pytest.raises(zlib.error):
        _unpacked(whole[:-12])


@pytest.mark.parametrize("status_", [500, 429])
async def test_a_page_that_fails_for_now_removes_nothing_and_is_named(pool: Pool, status_: int) -> None:
    async with serving(Site()) as site:
        site.pages = {
            "/": page("start", "hub", "other"),
            "/hub": page("hub", *(f"leaf{number}" for number in range(5))),
            "/other": page("other"),
            **{f"/leaf{number}": page(f"leaf{number}") for number in range(5)},
        }
        await add_source(pool, f"{site.url}/", options={"delay": 0})
        assert counts(await run(pool, PRIVATE)) == (8, 0, 0, 0)
        site.failing = {"/hub": status_}
        del site.pages["/other"]
        report = await run(pool, PRIVATE)
        assert counts(report) == (0, 1, 1, 0)
        assert [failure.path for failure in report.failures] == ["hub.html"]
        assert len(await texts(pool)) == 8
        site.failing = {}
        assert counts(await run(pool, PRIVATE)) == (0, 7, 0, 1)


async def test_a_page_that_is_gone_takes_along_what_only_it_led_to(pool: Pool) -> None:
    async with serving(Site()) as site:
        site.pages = {"/": page("start", "hub"), "/hub": page("hub", "leaf"), "/leaf": page("leaf")}
        await add_source(pool, f"{site.url}/", options={"delay": 0})
        await run(pool, PRIVATE)
        del site.pages["/hub"]
        assert counts(await run(pool, PRIVATE)) == (0, 1, 0, 2)


async def test_a_site_in_a_private_network_is_not_read_unless_a_setting_allows_it(pool: Pool) -> None:
    async with serving(Site(pages={"/": page("inside")})) as site:
        await add_source(pool, f"{site.url}/", name="literal")
        await add_source(pool, f"{site.url.replace('127.0.0.1', 'localhost')}/", name="named")
        reports = await reindex(pool, HashingEmbedder())
        assert all("ALMANAC_PRIVATE_SOURCES" in str(report.error) for report in reports)
        assert site.asked == []


@pytest.mark.parametrize("uri", ["zip::{}/a.zip", "zip://::simplecache::{}/a.zip", "simplecache::{}/"])
async def test_no_link_of_a_chain_leads_into_a_private_network(pool: Pool, uri: str) -> None:
    async with serving(Site(pages={"/a.zip": ("application/zip", "")})) as site:
        await add_source(pool, uri.format(site.url))
        assert "ALMANAC_PRIVATE_SOURCES" in str((await run(pool)).error)
        assert site.asked == []


async def test_a_driver_is_not_led_into_a_private_network_either(pool: Pool) -> None:
    async with serving(Site(pages={"/a.zip": ("application/zip", "inside")})) as site:
        source = await add_source(pool, f"zip://::{site.url}/a.zip")
        with pytest.raises(UnreachableError):  # as after a redirect: the address itself was checked before
            await asyncio.to_thread(_open, source, {}, Reach())
        assert site.asked == []
        async with await public_client() as client:
            with pytest.raises(ClientConnectorError, match="ALMANAC_PRIVATE_SOURCES"):
                await client.get(site.url)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1", "::ffff:10.0.0.1", "0.0.0.0", "224.0.0.1"],
)
def test_no_such_address_is_public(address: str) -> None:
    assert not is_public(address)
    assert is_public("93.184.216.34")
