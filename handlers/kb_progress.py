"""A message that shows how far runs of reindexing are, until the last of them is over."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from slack_sdk.errors import SlackApiError

from handlers.errors import hopeless
from handlers.kb_pages import CANCEL_LABEL, CANCEL_RUNS, button, header, run_line
from handlers.rich import rich_text
from knowledge.administering import FOLLOW

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
    """Posts the message in a person's direct messages with the bot, and keeps it up to date.

    Each look at the runs is a job of its own, which names the message and defers the next one: nobody waits
    for a rebuild to end, and what Slack refuses is tried again on the same message.
    """

    def __init__(self, client: AsyncWebClient, services: KbServices) -> None:
        self._client, self._services = client, services

    async def run(
        self,
        person: str,
        runs: list[int],
        channel: str | None = None,
        ts: str | None = None,
        shown: str | None = None,
    ) -> None:
        """Show how far the runs are, and have that done again while one of them is not over.

        Args:
            person: to whom.
            runs: by their numbers.
            channel: of the message; None: there is none yet.
            ts: of the message.
            shown: a digest of what it shows.

        Raises:
            SlackApiError: Slack refused; another attempt may succeed.
        """
        found = await self._services.find_runs(runs)
        blocks = progress_blocks(found)
        message: dict[str, Any] = {"text": RUNNING if is_open(found) else OVER, "blocks": blocks}
        digest = sha256(json.dumps(blocks).encode()).hexdigest()
        if channel is None or ts is None:
            posted = await self._client.chat_postMessage(channel=person, **message)
            channel, ts = posted["channel"], posted["ts"]
        elif digest != shown and not await self._update(channel, ts, message):
            return
        if is_open(found):
            again: dict[str, Any] = {"person": person, "runs": runs, "channel": channel, "ts": ts}
            await self._services.defer(FOLLOW, seconds=SECONDS, shown=digest, **again)

    async def _update(self, channel: str, ts: str, message: dict[str, Any]) -> bool:
        """Update the message; False where it is gone."""
        try:
            await self._client.chat_update(channel=channel, ts=ts, **message)
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
