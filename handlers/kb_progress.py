"""A message that shows how far runs of reindexing are, until the last of them is over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from slack_sdk.errors import SlackApiError

from handlers.errors import hopeless
from handlers.kb_pages import CANCEL_LABEL, CANCEL_RUNS, button, header, run_line
from handlers.rich import rich_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.kb_services import KbServices
    from handlers.rich import Block
    from knowledge.runs import Run

RUNNING, OVER = "Reindexing", "Reindexed"
SECONDS = 1.5  # between two looks; Slack takes some 50 updates a minute
MOST_LINES = 40
OPEN = frozenset({"waiting", "running"})


class Following:
    """Posts the message in a person's direct messages with the bot, and keeps it up to date."""

    def __init__(self, client: AsyncWebClient, services: KbServices, seconds: float = SECONDS) -> None:
        self._client, self._services, self._seconds = client, services, seconds

    async def run(self, person: str, runs: list[int]) -> None:
        """Show how far the runs are until they are over; after a crash, in another message.

        Raises:
            SlackApiError: Slack refused; another attempt may succeed.
        """
        found = await self._services.find_runs(runs)
        shown = progress_blocks(found)
        posted = await self._client.chat_postMessage(channel=person, text=RUNNING, blocks=shown)
        while is_open(found):
            await asyncio.sleep(self._seconds)
            found = await self._services.find_runs(runs)
            blocks = progress_blocks(found)
            if blocks != shown and not await self._show(posted["channel"], posted["ts"], blocks, found):
                return
            shown = blocks

    async def _show(self, channel: str, ts: str, blocks: list[Block], runs: Sequence[Run]) -> bool:
        """Update the message; False where it is gone."""
        words = RUNNING if is_open(runs) else OVER
        try:
            await self._client.chat_update(channel=channel, ts=ts, text=words, blocks=blocks)
        except SlackApiError as error:
            if not hopeless(error):
                raise
            return False
        return True


def is_open(runs: Sequence[Run]) -> bool:
    """Whether one of the runs is not over."""
    return any(run.state in OPEN for run in runs)


def progress_blocks(runs: Sequence[Run]) -> list[Block]:
    """Return a line for each run, and a button while one can be cancelled."""
    ongoing = [run for run in runs if run.state in OPEN]
    blocks: list[Any] = [header(RUNNING if ongoing else OVER)]
    if runs:
        blocks.append(rich_text(*(run_line(run) for run in runs[:MOST_LINES])))
    if ongoing:
        numbers = " ".join(str(run.id) for run in ongoing)
        cancel = button(CANCEL_LABEL, CANCEL_RUNS, numbers, style="danger")
        blocks.append({"type": "actions", "elements": [cancel]})
    return blocks
