from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammars.extraction.candidates import BEFORE, MOST, candidates, phrases
from grammars.extraction.fields import read_fields
from grammars.extraction.layout import Layout

DAY = date(2026, 5, 1)  # a Friday


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('ldap-01 rejects every bind with "invalid credentials (49)"', "ldap-01 rejects every bind"),
        ('ldap-01 rejects every bind with "invalid credentials (49)"', "invalid credentials (49)"),
        ("It hangs because the cutter does not come down, and beeps.", "the cutter does not come down"),
        ("Cause: nobody told the app teams, again", "nobody told the app teams"),
        ("Tomasz: departure boards are blank on line 7", "departure boards are blank"),
        ("If it fails, we restore the snapshot and tell Ops.", "restore the snapshot and tell Ops"),
    ],
)
def test_what_a_sentence_tells_may_be_a_value(text: str, told: str) -> None:
    assert told in {text[start:end] for start, end in phrases(Layout.of(text))}


@given(st.lists(st.sampled_from([*"ab1 .,:;!?\n\"'`-()", "that ", "is ", "because "]), max_size=200))
def test_phrases_are_distinct_spans_without_white_space_around_them(parts: list[str]) -> None:
    text = "".join(parts)
    found = phrases(Layout.of(text))
    assert len(set(found)) == len(found)
    for start, end in found:
        piece = text[start:end]
        assert piece
        assert piece == piece.strip()


def test_a_long_text_has_no_more_candidates_than_are_read() -> None:
    leaf = read_fields({"type": "object", "properties": {"cause": {"type": "string"}}}).members["cause"]
    text = "".join(f"Server {n} fails because disk {n} is full on rack {n}. " for n in range(2_000))
    assert len(candidates(leaf, Layout.of(text), DAY)) == MOST


def test_a_weekday_is_read_both_ways() -> None:
    leaf = read_fields({"properties": {"seen": {"type": "string", "format": "date"}}}).members["seen"]
    found = candidates(leaf, Layout.of("noticed on Wednesday"), DAY)
    assert [(one.value, one.unit) for one in found] == [("2026-05-06", ""), ("2026-04-29", BEFORE)]
