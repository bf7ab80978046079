"""Bringing a source up to date and looking at what came of it; a server of our own for what is fetched."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from hashing import HashingEmbedder

from knowledge.index import reindex
from knowledge.search import search
from knowledge.sources.origin import Reach

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from knowledge.database import Pool
    from knowledge.reports import SourceReport

PRIVATE = Reach(private_addresses=True)


async def run(pool: Pool, reach: Reach | None = None) -> SourceReport:
    (report,) = await reindex(pool, HashingEmbedder(), reach=reach)
    assert report.seen == report.indexed + report.unchanged + report.failed
    return report


async def texts(pool: Pool, query: str = "about") -> set[str]:
    return {found.text for found in await search(pool, HashingEmbedder(), query, k=50)}


def counts(report: SourceReport) -> tuple[int, int, int, int]:
    return report.indexed, report.unchanged, report.failed, report.removed


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app)
    await runner.setup()
    server = web.TCPSite(runner, "127.0.0.1", 0)
    await server.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
