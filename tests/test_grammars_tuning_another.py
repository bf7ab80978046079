from __future__ import annotations

import json

import pytest

from grammars.answer.citations import Quote
from grammars.embedded.loading import WEIGHTS
from grammars.tuning.another import BIASES, Outcome, meets, tried

ROWS = [
    {
        "question": "How long are logs kept?",
        "passages": [
            {"title": "Logs", "text": "Logs are kept for 30 days."},
            {"title": "Audit", "text": "Audit logs are kept for 90 days."},
        ],
        "evidence": [{"passage": 0, "start": 0, "end": 26}],
    }
]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(10, 30, True), (12, 15, True), (0, 14, False), (0, 15, True), (14, 60, True), (30, 40, False)],
)
def test_a_quote_meets_evidence_of_which_it_holds_half_or_within_which_it_lies(
    start: int, end: int, expected: bool
) -> None:
    piece = {"passage": 2, "start": 10, "end": 20}
    assert meets(Quote(2, "…", start, end), piece) is expected
    assert not meets(Quote(1, "…", start, end), piece)


def test_recall_weighs_more_than_precision() -> None:
    assert Outcome(0, 1, recall=0.8, precision=0.4).f > Outcome(0, 1, recall=0.4, precision=0.8).f
    assert Outcome(0, 0, 0, 0).f == 0
    assert Outcome(0, 1, 1, 1).f == pytest.approx(1)


async def test_a_greater_bias_gives_more_quotes() -> None:
    few, many = [await tried(bias, ROWS, WEIGHTS) for bias in (-50.0, 50.0)]
    assert few.quotes == 1
    assert many.quotes == 2
    assert many.recall == 1


def test_the_shipped_bias_is_one_of_those_that_were_tried() -> None:
    path = WEIGHTS / "calibration.json"
    assert json.loads(path.read_text())["more_bias"] in BIASES
