"""Letting a stage of a pipeline work ahead of the next one."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Item = TypeVar("Item")

LOST = 0.1  # seconds after which a stage that has not ended is told so again


@asynccontextmanager
async def ahead(stage: AsyncIterator[Item], size: int) -> AsyncIterator[AsyncIterator[Item]]:
    """Run `stage` in a task of its own, up to `size` items ahead of who iterates over the result.

    What the stage raises is raised there; leaving the context ends the stage.
    """
    queue: asyncio.Queue[Item | None] = asyncio.Queue(size)

    async def fill() -> None:
        try:
            async for item in stage:
                await queue.put(item)
        except Exception:
            await queue.put(None)
            raise
        await queue.put(None)

    task = asyncio.create_task(fill())

    async def drain() -> AsyncIterator[Item]:
        while (item := await queue.get()) is not None:
            yield item
        await task

    try:
        yield drain()
    finally:
        while not task.done():  # a cancellation that comes together with a database's answer can be lost
            task.cancel()
            await asyncio.wait([task], timeout=LOST)
        await asyncio.gather(task, return_exceptions=True)
