"""Of a long text the parts that a schema's questions are nearest to, in their order."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grammars.answer.sentences import units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grammars.extraction.read import Embed

WHOLE = 4_000  # characters that are read as they are
PART = 1_000  # characters of one part of a longer text
MOST_PARTS = 6
_GAP = "\n\n"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Parts of a text put together, and how far each part's beginning was moved."""

    text: str
    starts: tuple[int, ...] = (0,)
    shifts: tuple[int, ...] = (0,)

    @property
    def whole(self) -> bool:
        """Whether nothing was left out."""
        return self.shifts == (0,)

    def original(self, at: int) -> int:
        """Return the offset in the whole text of an offset in the excerpt."""
        return at + self.shifts[bisect.bisect_right(self.starts, at) - 1]


async def focus(embed: Embed, questions: Sequence[str], text: str) -> Excerpt:
    """Return a text as it is, or, where it is long, the parts that come nearest to any question."""
    if len(text) <= WHOLE or not questions:
        return Excerpt(text)
    parts = _parts(text)
    vectors = await embed([*questions, *(text[start:end] for start, end in parts)])
    scores = vectors[len(questions) :] @ vectors[: len(questions)].T  # (parts, questions)
    wanted = dict.fromkeys([0, *map(int, scores.argmax(0)), *map(int, (-scores.max(1)).argsort())])
    kept = sorted(list(wanted)[:MOST_PARTS])
    joined, starts, shifts = "", [], []
    for place in kept:
        start, end = parts[place]
        starts.append(len(joined))
        shifts.append(start - len(joined))
        joined += text[start:end] + _GAP
    return Excerpt(joined, tuple(starts), tuple(shifts))


def _parts(text: str) -> list[tuple[int, int]]:
    """Return runs of whole sentences of about `PART` characters."""
    parts, start, last = [], 0, 0
    for unit in units(text):
        if unit.end - start > PART and last > start:
            parts.append((start, last))
            start = last
        last = unit.end
    return [*parts, (start, len(text))]
