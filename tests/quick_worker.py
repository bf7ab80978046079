"""`almanac worker`, but with a function in the model's place: for tests of the processes, not of answers."""

from __future__ import annotations

import asyncio

from running_bot import Answering

from bot import wiring
from bot.config import read_settings
from bot.processes.worker import CONCURRENCY, answer_questions, pool_size


async def main() -> None:
    """Answer until killed."""
    settings = read_settings()
    async with wiring.database(settings, size=pool_size(CONCURRENCY), patience=60) as pool:
        await answer_questions(settings, pool, Answering())


if __name__ == "__main__":
    asyncio.run(main())
