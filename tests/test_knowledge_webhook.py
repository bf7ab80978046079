"""Deliveries of records: signed, kept from where they must not go, tried again where that may help."""

from __future__ import annotations

import hashlib
import hmac
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from knowledge.webhook import (
    DELIVERY,
    SIGNATURE,
    TIMESTAMP,
    DeliveryError,
    DeliveryRefusedError,
    Webhook,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECRET = "shared & secret"


@asynccontextmanager
async def receiver(status: int = 204) -> AsyncIterator[tuple[str, list[tuple[Any, bytes]]]]:
    """Listen on loopback; yield the address, and what arrives."""
    arrived: list[tuple[Any, bytes]] = []

    async def take(request: web.Request) -> web.Response:
        arrived.append((request.headers, await request.read()))
        return web.Response(status=status, headers={"Location": "http://169.254.169.254/"})

    app = web.Application()
    app.router.add_post("/records", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/records", arrived
    finally:
        await runner.cleanup()


async def test_a_receiver_can_check_what_arrives() -> None:
    async with receiver() as (url, arrived):
        await Webhook(url, SECRET, private=True, clock=lambda: 1_790_000_000.9).send("r1", {"ä": 1})
    ((headers, body),) = arrived
    assert json.loads(body) == {"ä": 1}
    assert (headers[DELIVERY], headers[TIMESTAMP]) == ("r1", "1790000000")
    signed = hmac.new(SECRET.encode(), b"1790000000." + body, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE] == f"sha256={signed}"


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_may_pass_is_tried_again(status: int) -> None:
    async with receiver(status) as (url, _):
        with pytest.raises(DeliveryError, match=str(status)):
            await Webhook(url, SECRET, private=True).send("r1", {})


@pytest.mark.parametrize("status", [302, 400, 410])
async def test_a_refusal_is_final_and_a_redirect_is_not_followed(status: int) -> None:
    async with receiver(status) as (url, arrived):
        with pytest.raises(DeliveryRefusedError, match=str(status)):
            await Webhook(url, SECRET, private=True).send("r1", {})
    assert len(arrived) == 1


async def test_nobody_there_is_tried_again() -> None:
    async with receiver() as (url, _):
        pass
    with pytest.raises(DeliveryError, match="cannot be reached"):
        await Webhook(url, SECRET, private=True).send("r1", {})


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.8", "localhost"])
async def test_private_addresses_are_refused_unless_meant(host: str) -> None:
    with pytest.raises((DeliveryRefusedError, DeliveryError)):
        await Webhook(f"http://{host}:9/records", SECRET).send("r1", {})


def test_the_secret_is_not_shown() -> None:
    assert SECRET not in repr(Webhook("https://example.com", SECRET))
