"""Which candidate is a leaf's value, if any: a softmax over them and over their absence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from grammars.extraction.candidates import Candidate

WEIGHTS = Path(__file__).parent / "ranker.json"
STATED_AT = 0.35  # how sure a value is that counts as stated; on practice texts: a null recall of .85
# How sure a value must be that the schema demands, by group; where it is less, the person is asked.
# As high as loses no right value of the shared cases. Of choices and booleans the likeliest is taken.
DEMANDED_AT = {"free": 0.09, "shaped": 0.02, "date": 0.13, "number": STATED_AT}


@dataclass(frozen=True, slots=True)
class Choice:
    """What a leaf's value most likely is.

    Attributes:
        candidate: the best span of the likeliest value; None where there is no candidate at all.
        probability: of that value, 0 to 1, among all values and none.
        margin: how far it lies before the next best value.
        absent: the probability that the text does not state it.
    """

    candidate: Candidate | None
    probability: float
    margin: float
    absent: float

    @property
    def stated(self) -> bool:
        """Whether the text states it."""
        return self.reaches(STATED_AT)

    def reaches(self, threshold: float) -> bool:
        """Whether there is a value, and it is as sure as that."""
        return self.candidate is not None and sureness(self.probability, self.absent) >= threshold


def sureness(probability: float, absent: float) -> float:
    """Return how surely a value is stated: that it is the right one, and that there is one at all, 0 to 1.

    Of many spans that say nearly the same, none is likely by itself; hence both count.
    """
    return probability * (1.0 - absent)


def choose(kind: str, found: Sequence[Candidate], features: NDArray[np.float32]) -> Choice:
    """Return the likeliest value among candidates of one group, whose features (C, F) are in their order.

    The probabilities of spans that stand for the same value add up.
    """
    if not found:
        return Choice(None, 0.0, 0.0, 1.0)
    probabilities = _softmax(kind, features)
    values: dict[str, float] = {}
    for candidate, probability in zip(found, probabilities, strict=False):
        key = _key(candidate.value)
        values[key] = values.get(key, 0.0) + float(probability)
    best, *others = sorted(values, key=lambda key: -values[key])
    places = [place for place, candidate in enumerate(found) if _key(candidate.value) == best]
    place = max(places, key=lambda place: probabilities[place])
    margin = values[best] - (values[others[0]] if others else 0.0)
    return Choice(found[place], values[best], margin, float(probabilities[-1]))


def _softmax(kind: str, features: NDArray[np.float32]) -> NDArray[np.float32]:
    weights = _weights()[kind]
    scores = np.append(features @ weights[:-1], weights[-1])
    exponents = np.exp(scores - scores.max())
    return np.asarray(exponents / exponents.sum(), np.float32)


def _key(value: Any) -> str:
    return json.dumps(value.lower() if isinstance(value, str) else value, default=str)


@cache
def _weights() -> dict[str, NDArray[np.float32]]:
    """Return each group's weights (F + 1,); the last is the score of absence."""
    return {kind: np.asarray(row, np.float32) for kind, row in json.loads(WEIGHTS.read_text()).items()}
