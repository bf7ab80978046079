"""What the engine's own reading says of a leaf: spans to consider, and how likely each candidate is."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING

import numpy as np

from grammars.extraction.candidates import trimmed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from grammars.engine.protocol import Located
    from grammars.extraction.candidates import Candidate
    from grammars.extraction.layout import Layout, Span

COUNT = 3  # features
MOST_POINTED = 3  # spans of a leaf
LONGEST_POINTED = 40  # tokens
_ENDS = 6  # likely first tokens, and last ones, that are paired
_LEAST = -16.0  # of a log-probability: what lies below says no more


def pointed(located: Located, row: int, layout: Layout) -> list[Span]:
    """Return the likeliest spans, of whole words and within one clause, of the leaf that `row` is of."""
    begins, ends = located.begins[row], located.ends[row]
    pairs = [
        (float(begins[first] + ends[last]), first, last)
        for first in np.argsort(-begins)[:_ENDS]
        for last in np.argsort(-ends)[:_ENDS]
        if first <= last < first + LONGEST_POINTED
    ]
    found: dict[Span, None] = {}
    for _, first, last in sorted(pairs, reverse=True):
        whole = _whole(layout, int(located.offsets[first, 0]), int(located.offsets[last, 1]))
        span = trimmed(layout.text, *whole)
        if span and span[1] <= layout.within(span, layout.clauses)[1]:
            found[span] = None
        if len(found) == MOST_POINTED:
            break
    return list(found)


def _whole(layout: Layout, start: int, end: int) -> Span:
    """Return a span that cuts no word in two."""
    first = bisect.bisect_right(layout.words, start, key=lambda word: word[1])
    last = bisect.bisect_left(layout.words, end, key=lambda word: word[0]) - 1
    begin = layout.words[first][0] if first < len(layout.words) else start
    stop = layout.words[last][1] if last >= 0 else end
    return min(begin, start), max(stop, end)


def located_features(
    located: Located, row: int, found: Sequence[Candidate], *, clauses: bool
) -> NDArray[np.float32]:
    """Return the features (C, 3) of the candidates of the leaf that `row` of what was located is of.

    They are the log-probabilities that it begins and ends there, and how unlikely it is that none is stated.

    Args:
        located: what the engine says.
        row: the leaf's.
        found: the candidates.
        clauses: whether they are clauses, in which what states the value is but a part.
    """
    if not found or not len(located.offsets):
        return np.zeros((len(found), COUNT), np.float32)
    starts, stops = np.array([one.span for one in found]).T
    first = np.searchsorted(located.offsets[:, 1], starts, side="right").clip(max=len(located.offsets) - 1)
    last = (np.searchsorted(located.offsets[:, 0], stops, side="left") - 1).clip(min=first)
    begins, ends = located.begins[row], located.ends[row]
    if clauses:
        begun, ended = _within(begins, first, last), _within(ends, first, last)
    else:
        begun, ended = begins[first], ends[last]
    stated = np.full(len(found), -located.absent[row] / 2)
    return np.stack([begun.clip(_LEAST), ended.clip(_LEAST), stated.clip(max=-_LEAST)], axis=1).astype(
        np.float32
    )


def _within(
    logs: NDArray[np.float32], first: NDArray[np.intp], last: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return the log-probability that lies on each run of tokens, both ends included."""
    sums = np.concatenate([[0.0], np.exp(logs).cumsum()])
    return np.asarray(np.log(np.maximum(sums[last + 1] - sums[first], np.exp(_LEAST))), np.float32)
