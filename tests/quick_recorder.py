"""`almanac worker`, but with patterns in the model's place, and slowly: for tests that kill it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from recording_bot import Reading
from running_bot import Answering

from bot import wiring
from bot.config import read_settings
from bot.processes.worker import CONCURRENCY, answer_questions, pool_size

if TYPE_CHECKING:
    from knowledge.schemas import Schema

SECONDS = 0.05  # for one message


class SlowReading(Reading):
    """Takes its time."""

    async def __call__(self, schema: Schema, text: str, **given: Any) -> Any:
        await asyncio.sleep(SECONDS)
        return await super().__call__(schema, text, **given)


async def main() -> None:
    """Work until killed."""
    settings = read_settings()
    async with wiring.database(settings, size=pool_size(CONCURRENCY), patience=60) as pool:
        await answer_questions(settings, pool, Answering(), extract=SlowReading())


if __name__ == "__main__":
    asyncio.run(main())
