"""The measures that the benchmarks share, each with its definition."""

from __future__ import annotations

import random
import re
import string
from collections import Counter
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HALF = 0.5


def normal(text: str) -> str:
    """Return the text with each run of white space as one space: evidence is verbatim only up to it."""
    return re.sub(r"\s+", " ", text).strip()


def overlap(a: str, b: str) -> int:
    """Return the length in characters of the longest text that both contain, white space normalised."""
    left, right = normal(a), normal(b)
    if left in right or right in left:
        return min(len(left), len(right))
    return SequenceMatcher(None, left, right, autojunk=False).find_longest_match().size


def evidence_quoted(evidence: Sequence[str], quotes: Sequence[str]) -> float:
    """Return the share of the evidence texts of which a quote holds at least half."""
    hits = [any(overlap(e, q) >= _HALF * len(normal(e)) for q in quotes) for e in evidence]
    return sum(hits) / len(hits)


def is_evidence(quote: str, evidence: Sequence[str]) -> bool:
    """Return whether at least half of the quote, or of an evidence text, is common to both."""
    return any(overlap(e, quote) >= _HALF * min(len(normal(e)), len(normal(quote))) for e in evidence)


def token_f1(predicted: str, gold: str) -> float:
    """Return the F1 of word overlap, as SQuAD's evaluation has it (Rajpurkar et al. 2016)."""
    left, right = _words(predicted), _words(gold)
    if not left or not right:
        return float(left == right)
    common = sum((Counter(left) & Counter(right)).values())
    return 2 * common / (len(left) + len(right))


def _words(text: str) -> list[str]:
    bare = "".join(c for c in text.lower() if c not in string.punctuation)
    return [word for word in bare.split() if word not in {"a", "an", "the"}]


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Return the probability that a positive scores above a negative; ties count half."""
    wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    return wins / (len(positive) * len(negative))


def balanced_accuracy(answerable: Sequence[bool], answered: Sequence[bool]) -> float:
    """Return the mean of the share of answerables answered and of unanswerables declined."""
    yes = [got for gold, got in zip(answerable, answered, strict=True) if gold]
    no = [not got for gold, got in zip(answerable, answered, strict=True) if not gold]
    return (sum(yes) / len(yes) + sum(no) / len(no)) / 2


def calibration_error(probabilities: Sequence[float], outcomes: Sequence[bool], bins: int = 10) -> float:
    """Return the expected calibration error over equal-width bins (Guo et al. 2017)."""
    total = 0.0
    for i in range(bins):
        inside = [
            (p, o)
            for p, o in zip(probabilities, outcomes, strict=True)
            if i / bins <= p < (i + 1) / bins or (p == 1 and i == bins - 1)
        ]
        if inside:
            gap = sum(p for p, _ in inside) / len(inside) - sum(o for _, o in inside) / len(inside)
            total += len(inside) * abs(gap)
    return total / len(probabilities)


def interval(
    count: int, statistic: Callable[[Sequence[int]], float], *, draws: int = 1000
) -> tuple[float, float]:
    """Return the 95% bootstrap interval of a statistic of row indices (percentile method)."""
    rng = random.Random(0)
    values = sorted(statistic([rng.randrange(count) for _ in range(count)]) for _ in range(draws))
    return values[int(0.025 * draws)], values[int(0.975 * draws) - 1]


def mean_interval(values: Sequence[float]) -> str:
    """Return `mean [low, high]` with its 95% bootstrap interval."""
    if not values:
        return "-"
    low, high = interval(len(values), lambda rows: sum(values[i] for i in rows) / len(rows))
    return f"{sum(values) / len(values):.3f} [{low:.3f}, {high:.3f}]"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which the given share of the values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
