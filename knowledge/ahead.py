"""Letting a stage of a pipeline work ahead of the next one."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Item = TypeVar("Item")


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
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
