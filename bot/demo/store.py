"""Keeps the conversation in a JSON file, so that a restart finds it again."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bot.demo.workspace import Change, Workspace

log = logging.getLogger(__name__)

FILE = "workspace.json"
QUIET_S = 0.5
PASSING = {"status", "views"}


class Store:
    """Writes the workspace's state a moment after it changed, whole or not at all."""

    def __init__(self, workspace: Workspace, home: Path) -> None:
        self.workspace = workspace
        self.path = home / FILE
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> Store:
        """Take over what the file holds, and watch for changes; a file that makes no sense is set aside."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            try:
                self.workspace.restore(json.loads(self.path.read_text("utf-8")))
            except (ValueError, TypeError, KeyError) as error:
                aside = self.path.replace(self.path.with_suffix(".unreadable"))
                log.warning("The conversation could not be read (%s): it is kept as %s.", error, aside)
        self.workspace.watchers.append(self._soon)
        return self

    def _soon(self, change: Change) -> None:
        if self._timer is None and change.kind not in PASSING:
            self._timer = asyncio.get_running_loop().call_later(QUIET_S, self._save)

    def _save(self) -> None:
        self._timer = None
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(self.workspace.as_json(), ensure_ascii=False), "utf-8")
        draft.replace(self.path)

    async def close(self) -> None:
        """Write what is not written yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._save()
