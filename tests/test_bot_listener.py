from __future__ import annotations

import hashlib
import hmac
import json
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult

from bot.listener import PortInUseError, build_listener, listening
from knowledge.database import open_pool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from knowledge.database import Pool

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


@asynccontextmanager
async def client(pool: Pool, slack: AsyncApp | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the real listener on a free port."""
    async with (
        listening(build_listener(pool, slack), "127.0.0.1", 0) as url,
        httpx.AsyncClient(base_url=url) as http,
    ):
        yield http


async def beat(pool: Pool, age: str = "0 seconds") -> None:
    async with pool.connection() as connection:
        await connection.execute(
            "insert into procrastinate_workers (last_heartbeat) values (now() - %s::interval)", [age]
        )


async def test_healthy_while_a_worker_gives_signs_of_life(pool: Pool) -> None:
    await beat(pool)
    async with client(pool) as http:
        found = await http.get("/healthz")
    assert found.status_code == 200
    assert found.json() | {"status": "ok", "database": "ok", "worker": "ok", "workers": 1} == found.json()


@pytest.mark.parametrize("age", [None, "1 hour"])
async def test_a_missing_or_silent_worker_is_down_and_says_what_to_do(pool: Pool, age: str | None) -> None:
    if age:
        await beat(pool, age)
    async with client(pool) as http:
        found = await http.get("/healthz")
    assert found.status_code == 503
    assert "almanac worker" in found.json()["worker"]


async def test_a_database_that_went_away_is_down(conninfo: str, postgres: str) -> None:
    async with open_pool(conninfo, size=2) as pool, client(pool) as http:
        await pool.close()
        found = await http.get("/healthz")
    assert found.status_code == 503
    assert found.json()["database"].startswith("not reachable")


async def test_metrics_are_prometheus_text(pool: Pool) -> None:
    await beat(pool)
    async with client(pool) as http:
        found = await http.get("/metrics")
    assert found.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "\nalmanac_workers 1.0\n" in found.text
    assert "# TYPE almanac_answer_seconds histogram" in found.text


async def test_a_port_in_use_is_named(pool: Pool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"127.0.0.1:{port} .* --port"):
            async with listening(build_listener(pool, None), "127.0.0.1", port):
                pytest.fail("it listens where another does")


def signed(body: str, secret: str, at: float) -> dict[str, str]:
    digest = hmac.new(secret.encode(), f"v0:{int(at)}:{body}".encode(), hashlib.sha256).hexdigest()
    return {
        "x-slack-request-timestamp": str(int(at)),
        "x-slack-signature": f"v0={digest}",
        "content-type": "application/json",
    }


async def authorize(**_: Any) -> AuthorizeResult:
    return AuthorizeResult(enterprise_id=None, team_id="T1", bot_token="xoxb-test", bot_user_id="U0")


@pytest.mark.parametrize(
    ("secret", "age", "status"), [(SECRET, 0, 200), ("another", 0, 401), (SECRET, 600, 401)]
)
async def test_slacks_events_are_taken_only_with_their_signature(
    pool: Pool, secret: str, age: int, status: int
) -> None:
    heard: list[str] = []
    slack = AsyncApp(signing_secret=SECRET, authorize=authorize)

    @slack.event("app_mention")
    async def mentioned(event: dict[str, Any]) -> None:
        heard.append(event["text"])

    event = {"type": "app_mention", "text": "why?", "user": "U1", "ts": "1.1", "channel": "C1"}
    body = json.dumps({"type": "event_callback", "team_id": "T1", "event_id": "E1", "event": event})
    async with client(pool, slack) as http:
        headers = signed(body, secret, time.time() - age)
        found = await http.post("/slack/events", content=body, headers=headers)
    assert found.status_code == status
    assert heard == (["why?"] if status == 200 else [])


async def test_without_a_signing_secret_slacks_events_have_no_address(pool: Pool) -> None:
    async with client(pool) as http:
        assert (await http.post("/slack/events", content="{}")).status_code == 404
