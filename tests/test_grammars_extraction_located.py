from __future__ import annotations

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from grammars.engine.protocol import Located
from grammars.extraction.candidates import Candidate
from grammars.extraction.layout import Layout
from grammars.extraction.located import COUNT, located_features, pointed

TEXT = "We met (Ana came; Ben left; Cy stayed) at the Brokers' office, and left"


def located(text: str, begin: str, end: str, sure: float = 0.9) -> Located:
    """Return one leaf's reading: it begins with the piece `begin` and ends with the piece `end`."""
    pieces = [match.span() for match in re.finditer(r"[^\W_]{1,6}|[^\w\s]|_", text)]
    rest = np.log((1 - sure) / (1 + len(pieces)))
    begins, ends = (np.full((1, len(pieces)), rest, np.float32) for _ in range(2))
    words = [text[start:stop] for start, stop in pieces]
    begins[0, words.index(begin)] = ends[0, words.index(end)] = np.log(sure)
    return Located(np.array(pieces).reshape(-1, 2), begins, ends, np.array([2 * rest], np.float32))


def test_pointed_spans_are_whole_words_without_punctuation() -> None:
    spans = pointed(located(TEXT, "Broker", "Broker"), 0, Layout.of(TEXT))
    assert TEXT[slice(*spans[0])] == "Brokers"


def test_pointed_spans_stay_within_a_clause() -> None:
    layout = Layout.of(TEXT)
    spans = pointed(located(TEXT, "(", "Cy"), 0, layout)
    assert all(span[1] <= layout.within(span, layout.clauses)[1] for span in spans)
    assert not any(";" in TEXT[slice(*span)] for span in spans)


@given(text=st.text(max_size=200), draw=st.data())
def test_pointed_spans_of_any_text_are_spans_of_it(text: str, draw: st.DataObject) -> None:
    pieces = [match.span() for match in re.finditer(r"\w{1,3}|[^\w\s]", text)]
    logs = np.log(
        np.array(draw.draw(st.lists(st.floats(0.01, 1), min_size=len(pieces), max_size=len(pieces))))
    )
    found = Located(np.array(pieces, np.int64).reshape(-1, 2), logs[None], logs[None, ::-1], np.zeros(1))
    layout = Layout.of(text)
    for start, end in pointed(found, 0, layout):
        assert 0 <= start < end <= len(text)
        assert not any(begin < start < stop or begin < end < stop for begin, stop in layout.words)


def test_features_say_where_it_begins_and_ends_and_that_it_is_stated() -> None:
    reading = located(TEXT, "Ben", "left")
    ben, ana = TEXT.index("Ben"), TEXT.index("Ana")
    found = [Candidate(ben, ben + 8, "Ben left"), Candidate(ana, ana + 8, "Ana came")]
    right, wrong = located_features(reading, 0, found, clauses=False)
    assert right.shape == (COUNT,)
    assert (right[:2] > wrong[:2]).all()
    assert right[2] == wrong[2] > 3
    clause = Candidate(TEXT.index("Ben"), TEXT.index("; Cy"), True)
    assert np.allclose(located_features(reading, 0, [clause], clauses=True)[0, :2], np.log(0.9), atol=0.1)


def test_features_of_nothing() -> None:
    empty = Located(np.zeros((0, 2), np.int64), np.zeros((1, 0)), np.zeros((1, 0)), np.zeros(1))
    assert located_features(empty, 0, [Candidate(0, 1, "a")], clauses=False).shape == (1, COUNT)
    assert located_features(located(TEXT, "Ben", "left"), 0, [], clauses=True).shape == (0, COUNT)
    assert pointed(empty, 0, Layout.of("")) == []
