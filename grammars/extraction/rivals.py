"""The leaves of one schema side by side: what a text says of one, it says less likely of another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from grammars.extraction.layout import share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from grammars.extraction.asked import Asked, Rows


@dataclass(frozen=True, slots=True)
class Rivals:
    """All leaves that are asked of one text, with their questions' vectors (L, D)."""

    asked: tuple[Asked, ...]
    vectors: Rows
    questions: NDArray[np.float32]
    leads: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    @classmethod
    def of(cls, asked: Sequence[Asked], vectors: Rows) -> Rivals:
        """Prepare the leaves of one schema."""
        rows = [vectors[one.question] for one in asked]
        return cls(tuple(asked), vectors, np.asarray(rows, np.float32).reshape(len(rows), -1 if rows else 0))

    def lead(self, asked: Asked, text: str) -> float:
        """Return how much nearer a text is to a leaf's question than to that of any other leaf."""
        if len(self.asked) < 2:  # noqa: PLR2004 - alone
            return 0.0
        if text not in self.leads:
            likenesses = self.questions @ self.vectors[text]
            second, first = np.partition(likenesses, -2)[-2:]
            self.leads[text] = likenesses - np.where(likenesses == first, second, first)
        return float(self.leads[text][self.asked.index(asked)])

    def named(self, asked: Asked, stems: frozenset[str]) -> float:
        """Return how much more of some stems' leaf names another leaf's name covers than this one's."""
        others = (share(other.name - asked.name, stems) for other in self.asked if other is not asked)
        return max(others, default=0.0) - share(asked.name, stems)
