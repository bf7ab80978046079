"""What is taken for stated, and how a leaf stands beside the others of its schema."""

from __future__ import annotations

import numpy as np
import pytest

from grammars.extraction.asked import Asked
from grammars.extraction.fields import read_fields
from grammars.extraction.layout import stems
from grammars.extraction.rank import STATED_AT, Choice, sureness
from grammars.extraction.rivals import Rivals
from grammars.tuning.softmax import Leaf, fit

CLAIM = {
    "title": "claim",
    "type": "object",
    "properties": {"approver": {"type": "string"}, "total": {"type": "number"}, "who": {"type": "string"}},
}


def rivals(**vectors: list[float]) -> Rivals:
    """Return the claim's leaves; each leaf's question and each text has the vector that is given."""
    asked = [Asked.of("claim", leaf) for leaf in read_fields(CLAIM).leaves()]
    rows = {name: np.asarray(row, np.float32) for name, row in vectors.items()}
    return Rivals.of(asked, rows | {one.question: rows[one.leaf.name] for one in asked})


def test_a_text_leads_to_the_leaf_that_it_is_nearest_to() -> None:
    found = rivals(approver=[1, 0, 0], total=[0, 1, 0], who=[0, 0, 1], text=[0.5, 0.25, 0])
    assert [round(found.lead(one, "text"), 2) for one in found.asked] == [0.25, -0.25, -0.5]


def test_a_label_that_names_another_leaf_speaks_against_this_one() -> None:
    found = rivals(approver=[1], total=[1], who=[1])
    assert [found.named(one, stems("Approver")) for one in found.asked] == [-1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("probability", "absent", "stated"),
    [(0.9, 0.05, True), (0.5, 0.5, False), (0.3, 0.0, False), (STATED_AT, 0.0, True)],
)
def test_a_value_is_stated_where_it_is_likely_and_its_absence_is_not(
    probability: float, absent: float, *, stated: bool
) -> None:
    assert (sureness(probability, absent) >= STATED_AT) is stated
    assert Choice(None, probability, 0.0, absent).stated is False


def test_weights_are_fitted_that_tell_right_from_wrong_and_stated_from_not() -> None:
    draws = np.random.default_rng(0)
    leaves = []
    for number in range(60):
        features = np.c_[np.ones(3), np.eye(3)[draws.permutation(3)] * (number % 2), np.zeros(3)]
        right = (features[:, 1] > 0).astype(np.float32)
        expected = "x" if number % 2 else None
        leaves.append(Leaf("s", features.astype(np.float32), ["x", "y", "z"], right, expected, nullable=True))
    weights = fit(leaves)
    for leaf in leaves:
        scores = [*(leaf.features @ weights[:-1]), weights[-1]]
        assert int(np.argmax(scores)) == (int(leaf.right.argmax()) if leaf.expected else 3)
