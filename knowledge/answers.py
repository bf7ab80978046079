"""The answer, as every surface shows it: Slack, the terminal, a batch row."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Citation:
    """A verbatim quote; `start` and `end` are character offsets in the stored document.

    `changed_at` is when the document last changed (ISO 8601, UTC), where its source says: of a git
    repository, the last commit that touched it. The answer holds as of then.
    """

    marker: int
    quote: str
    source: str
    uri: str
    title: str
    heading: str
    start: int
    end: int
    link: str | None = None
    changed_at: str | None = None


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A passage that was retrieved, and why: `scores` holds each stage's score by name."""

    rank: int
    source: str
    uri: str
    title: str
    heading: str
    text: str
    start: int
    end: int
    scores: dict[str, float]
    link: str | None = None
    changed_at: str | None = None
    passage_id: int = 0

    @property
    def place(self) -> tuple[str, str]:
        """Which document it stands in: its source's name, and its URI there."""
        return self.source, self.uri


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one question.

    `answer` holds `[n]` markers into `citations`. Where `answerable` is false, there are no citations, and
    the documents of `retrieved` are the nearest ones, offered as such. `note` tells the person how the
    question was taken, where that is not as they wrote it.
    """

    question: str
    answerable: bool
    answer: str
    citations: tuple[Citation, ...]
    retrieved: tuple[Retrieved, ...]
    model: str
    adapter: str | None
    trace_id: str
    confidence: float | None = None
    truncated: bool = False
    timings_ms: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    note: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the JSON shape of the design, ready for `json.dumps`."""
        return asdict(self)

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Answer:
        """Return the answer that `as_json` wrote."""
        citations = tuple(Citation(**citation) for citation in row["citations"])
        retrieved = tuple(Retrieved(**passage) for passage in row["retrieved"])
        return cls(**{**row, "citations": citations, "retrieved": retrieved})
