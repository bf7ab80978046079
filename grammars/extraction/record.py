"""A record: the JSON that a schema admits, and where in the text each of its leaves stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Path: TypeAlias = tuple[str | int, ...]


class ExtractionError(Exception):
    """No record could be made; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A verbatim span: `text[start:end] == quote`, in characters."""

    quote: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Record:
    """A record that its schema admits.

    Attributes:
        record: the JSON value.
        evidence: by JSON pointer, the span that a leaf came from; a leaf without any is not in it.
        missing: pointers of leaves that the text does not state and the schema does not let be null; each
            holds the shortest admissible value.
        truncated: the budget of tokens or of text ended first.
        margins: by pointer, how far a choice lay before the next best, 0 to 1.
        note: what the person should know of how the text was taken; None mostly.
    """

    record: Any
    evidence: dict[str, Evidence] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    truncated: bool = False
    margins: dict[str, float] = field(default_factory=dict)
    note: str | None = None


def pointer(path: Iterable[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
