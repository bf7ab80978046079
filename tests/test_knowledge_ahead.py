from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from knowledge.ahead import ahead

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def test_a_stage_that_loses_its_cancellation_is_ended_all_the_same() -> None:
    waiting = asyncio.Event()

    async def stage() -> AsyncIterator[int]:
        yield 1
        with suppress(asyncio.CancelledError):
            waiting.set()
            await asyncio.Event().wait()
        while True:
            yield 2

    async with asyncio.timeout(5), ahead(stage(), 1) as items:
        assert await anext(items) == 1
        await waiting.wait()
