from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING

import pytest
from httpx import ASGITransport, AsyncClient

from bot.config import read_settings
from bot.listener import build_listener
from bot.wiring import hooks
from knowledge.runs import recent_runs
from knowledge.sources import add_source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from knowledge.database import Pool

SECRET = "a shared secret"
BODY = b'{"pushed": true}'


@pytest.fixture
async def client(pool: Pool, tmp_path: Path) -> AsyncIterator[AsyncClient]:
    await add_source(pool, str(tmp_path), name="docs/kb")
    settings = read_settings(almanac_webhook_secret=SECRET, almanac_home=tmp_path)
    async with hooks(settings, pool) as routes:
        app = build_listener(pool, None, *routes)
        async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
            yield client


def signed(body: bytes, secret: str = SECRET, age: int = 0) -> dict[str, str]:
    moment = str(int(time.time()) - age)
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Almanac-Timestamp": moment, "X-Almanac-Signature": f"v1={digest}"}


async def test_a_signed_request_asks_for_a_run(client: AsyncClient, pool: Pool) -> None:
    answer = await client.post("/hooks/reindex/docs/kb", content=BODY, headers=signed(BODY))
    (run,) = await recent_runs(pool)
    assert (answer.status_code, answer.json(), run.cause, run.state) == (
        202,
        {"run": run.id},
        "webhook",
        "waiting",
    )
    github = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={github}"}
    again = await client.post("/hooks/reindex/docs/kb", content=BODY, headers=headers)
    assert (again.status_code, again.json()) == (202, {"run": run.id})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(BODY, "another secret"),
        signed(b"another body"),
        signed(BODY, age=4000),
        signed(BODY, age=-4000),
        signed(BODY) | {"X-Almanac-Timestamp": "\u0661"},
        {"X-Hub-Signature-256": "sha256="},
    ],
)
async def test_nothing_else_does(client: AsyncClient, pool: Pool, headers: dict[str, str]) -> None:
    encoded = {name: value.encode() for name, value in headers.items()}
    answer = await client.post("/hooks/reindex/docs/kb", content=BODY, headers=encoded)
    assert (answer.status_code, await recent_runs(pool)) == (401, [])


async def test_a_source_that_is_not_there_is_said_only_to_who_signed(client: AsyncClient) -> None:
    answer = await client.post("/hooks/reindex/nothing", content=BODY, headers=signed(BODY))
    assert (answer.status_code, answer.json()) == (404, {"error": "There is no such source."})
    assert (await client.post("/hooks/reindex/nothing", content=BODY)).status_code == 401


async def test_without_a_secret_there_is_no_webhook(pool: Pool, tmp_path: Path) -> None:
    async with hooks(read_settings(almanac_home=tmp_path), pool) as routes:
        assert routes == []
