"""The one place where the parts are made: each is open inside its `async with`, and closed behind it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pydantic import SecretStr

    from bot.config import Settings
    from grammars.engine.protocol import Engine
    from knowledge.database import Pool
    from knowledge.embed import Embedder

POOL_SIZE = 8


@asynccontextmanager
async def connection_string(settings: Settings) -> AsyncIterator[str]:
    """Yield `DATABASE_URL`, or start or join the embedded server and bring its schema up to date."""
    from knowledge.database import migrate
    from knowledge.server import embedded_server

    if settings.database_url:
        yield settings.database_url.get_secret_value()
        return
    async with embedded_server(settings.almanac_home) as conninfo:
        await migrate(conninfo)
        yield conninfo


@asynccontextmanager
async def database(settings: Settings, *, size: int = POOL_SIZE) -> AsyncIterator[Pool]:
    """Open a pool on a database whose schema is the one this version works with.

    Raises:
        SchemaError: `almanac migrate` was not run, or a newer version of Almanac was at it.
    """
    from knowledge.database import open_pool
    from knowledge.schema import check_schema

    async with connection_string(settings) as conninfo:
        await check_schema(conninfo)
        async with open_pool(conninfo, size=size) as pool:
            yield pool


@asynccontextmanager
async def embedder(settings: Settings) -> AsyncIterator[Embedder]:
    """Open what turns text into vectors."""
    from knowledge.embed import open_embedder

    key = _plain(settings.almanac_embedder_key)
    async with open_embedder(settings.almanac_embedder, api_key=key) as opened:
        yield opened


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
