"""What a run of `reindex` reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """A document that is not in the index, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What a run did to a source: seen = indexed + unchanged + failed; removed stands beside."""

    source: str
    seen: int = 0
    indexed: int = 0
    unchanged: int = 0
    removed: int = 0
    failures: tuple[Failure, ...] = ()
    error: str | None = None  # why the source itself could not be read

    @property
    def failed(self) -> int:
        """How many documents failed."""
        return len(self.failures)
