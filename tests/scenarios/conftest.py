"""A workspace, and the bot in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from running_bot import Bot, running_bot

from bot.demo import LocalWorkspace, Redelivery, local_workspace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def workspace() -> AsyncIterator[LocalWorkspace]:
    """Serve an empty workspace that redelivers within moments."""
    async with local_workspace(redelivery=Redelivery(3.0, (0.0, 0.05))) as workspace:
        yield workspace


@pytest.fixture
async def bot(workspace: LocalWorkspace, conninfo: str) -> AsyncIterator[Bot]:
    """Run the bot in the workspace."""
    async with running_bot(workspace, conninfo) as bot:
        yield bot
