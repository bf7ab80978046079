"""The leaves of a schema before a text: each with its candidates and what speaks for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grammars.extraction.asked import Asked
from grammars.extraction.candidates import CLAUSES, Candidate, candidates, group
from grammars.extraction.features import features, texts
from grammars.extraction.located import located_features, pointed
from grammars.extraction.rank import Choice, choose
from grammars.extraction.rivals import Rivals

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray

    from grammars.engine.protocol import Extractive
    from grammars.extraction.fields import Field
    from grammars.extraction.layout import Layout, Span
    from grammars.extraction.read import Embed


@dataclass(frozen=True, slots=True)
class Scored:
    """One leaf, its candidates, and their features (C, F)."""

    leaf: Field
    found: Sequence[Candidate]
    features: NDArray[np.float32]

    def best(self, within: Span | None = None, taken: Sequence[Span] = ()) -> Choice:
        """Return the likeliest value of the whole text or of a part of it, but for spans that are taken."""
        places = [
            place
            for place, one in enumerate(self.found)
            if (within is None or (within[0] <= one.start and one.end <= within[1])) and one.span not in taken
        ]
        return choose(group(self.leaf), [self.found[place] for place in places], self.features[places])


async def score(
    engine: Extractive, embed: Embed, title: str, leaves: Sequence[Field], layout: Layout, *, reference: date
) -> dict[tuple[str, ...], Scored]:
    """Return each leaf with its candidates, by its path; all is embedded at once, and located at once.

    Raises:
        EngineError: the model could not answer.
    """
    asked = [Asked.of(title, leaf) for leaf in leaves]
    located = await engine.locate(title, [one.alone for one in asked], layout.text)
    found = [
        candidates(one.leaf, layout, reference, pointed(located, row, layout) if one.kind == "free" else ())
        for row, one in enumerate(asked)
    ]
    needed: dict[str, None] = {}
    for one, its in zip(asked, found, strict=True):
        needed |= dict.fromkeys(texts(one, layout, its))
    rows = await embed(list(needed)) if needed else np.empty((0, 0), np.float32)
    vectors = dict(zip(needed, rows, strict=True))
    rivals = Rivals.of(asked, vectors)
    scored = {}
    for row, (one, its) in enumerate(zip(asked, found, strict=True)):
        there = located_features(located, row, its, clauses=one.kind in CLAUSES)
        scored[one.leaf.path] = Scored(one.leaf, its, features(one, layout, its, rivals, there))
    return scored
