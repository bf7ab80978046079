"""What the administration may do: a frozen set of callables, filled in where the parts are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from knowledge.answers import Retrieved
    from knowledge.audience import Audience
    from knowledge.calls import Call
    from knowledge.changes import Changes
    from knowledge.runs import Run
    from knowledge.sources import Source
    from knowledge.status import Status


class WriteSource(Protocol):
    """Adds a source by its address, or edits one by its name; raises SourceError."""

    async def __call__(self, source: str, /, **fields: Any) -> Source: ...


class RequestReindex(Protocol):
    """Asks for a run over each of the named sources, or all; returns the runs' numbers."""

    async def __call__(self, sources: Sequence[str] | None, *, full: bool) -> list[int]: ...


class ChangesSince(Protocol):
    """Returns what changed since a moment, in one source or all."""

    async def __call__(self, since: datetime, source: str | None) -> Changes: ...


class Defer(Protocol):
    """Has a worker carry out a task of `knowledge.administering`, some seconds from now."""

    async def __call__(self, task: str, *, seconds: float = 0, **arguments: Any) -> None: ...


class Search(Protocol):
    """Searches as for these readers; only where the embedder is."""

    async def __call__(self, question: str, *, audience: Audience) -> Sequence[Retrieved]: ...


@dataclass(frozen=True, slots=True)
class KbServices:
    """Everything that the administration may ask for.

    Attributes:
        admins: who administers: ids of people and user groups, and `workspace-admins`.
        folders: the folders of this machine whose documents may be added from Slack.
    """

    admins: frozenset[str]
    folders: tuple[Path, ...]
    record_call: Callable[[Call], Awaitable[None]]
    status: Callable[[], Awaitable[Status]]
    sources: Callable[[], Awaitable[Sequence[Source]]]
    find_source: Callable[[str], Awaitable[Source]]
    add_source: WriteSource
    edit_source: WriteSource
    remove_source: Callable[[str], Awaitable[Source]]
    check_schedule: Callable[[str], str]
    reindex: RequestReindex
    find_runs: Callable[[Sequence[int]], Awaitable[Sequence[Run]]]
    cancel_run: Callable[[int], Awaitable[bool]]
    changes: ChangesSince
    defer: Defer
