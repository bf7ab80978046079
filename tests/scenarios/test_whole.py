"""The whole, nothing put in its place: a folder, its index, the embedded models, the bot in a workspace."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.config import read_settings
from bot.processes.demo import demo_settings, running
from knowledge.index import reindex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager

    from knowledge.database import Pool
    from knowledge.embed import Embedder

QUESTION = "@almanac Who approves an expense of more than 200 EUR?"
COSTS = """# Costs

## Expenses

An expense of more than 200 EUR needs the approval of the head of finance. Smaller ones need none.

## Travel

Trains are booked in second class. A hotel may cost up to 140 EUR a night.
"""


def unseen(_: str, part: AbstractAsyncContextManager[Any]) -> AbstractAsyncContextManager[Any]:
    """Open a part without a word."""
    return part


async def index(pool: Pool, embedder: Embedder) -> None:
    await reindex(pool, embedder)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of documents; homes lie beside it."""
    with tempfile.TemporaryDirectory(prefix="almanac-whole-") as place:
        documents = Path(place) / "hand book"
        documents.mkdir()
        (documents / "costs.md").write_text(COSTS)
        (documents / "garden.md").write_text("# Garden\n\nThe roses are watered on Mondays.\n")
        yield documents


async def test_a_question_in_a_channel_is_answered_in_its_thread_with_a_quote(folder: Path) -> None:
    settings = demo_settings(read_settings(almanac_home=folder.parent / "home"), folder)
    async with running(settings, folder, 0, shown=unseen, index=index) as demo:
        working = asyncio.create_task(demo.work())
        workspace = demo.workspace
        asked = await workspace.say("maya", "#general", QUESTION)
        me = workspace.slack.app.user_id

        def replies(_: Any) -> list[dict[str, Any]]:
            return [said for said in workspace.messages("#general", asked) if said["user"] == me]

        [reply] = await workspace.wait_for(replies, 120)
        working.cancel()
        await asyncio.wait([working])
    shown = str(reply["blocks"])
    assert "An expense of more than 200 EUR needs the approval of the head of finance." in shown
    assert f"{workspace.url}/documents/costs.md" in shown
    assert "costs" in reply["text"].lower() or "approval" in reply["text"]
