"""What bench/retrieval.py measures of a ranking, and how the figures are set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retrieval_sets import Question, Span

MEASURES = ("hit@1", "recall@5", "characters@5", "MRR@10", "nDCG@10", "tokens@5")
FIVE, TEN = 5, 10
HALF = 0.5
WHOLE = 0.95  # of a text, but for the white space between two passages
CHARACTERS_A_TOKEN = 4
RESAMPLES = 2000

Measures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage, by its place: `[start, end)` of the stored document at `path`, the `ordinal`th of it."""

    path: str
    ordinal: int
    start: int
    end: int


def judge(question: Question, ranked: Sequence[Sequence[Piece]], document: Sequence[Piece]) -> Measures:
    """Return the measures of one ranking.

    Args:
        question: with its evidence.
        ranked: what was retrieved, best first; each a passage, or one with its neighbours.
        document: every passage of the documents that the evidence is in.
    """
    gains = _gains(question.evidence, ranked)
    ideal = sorted((_share(question.evidence, [piece]) for piece in document), reverse=True)
    holding = [r for r, pieces in enumerate(ranked[:TEN], 1) if _holds(question.evidence, pieces)]
    best = [piece for pieces in ranked[:FIVE] for piece in pieces]
    whole = [_share([span], best) >= WHOLE for span in question.evidence]
    paths = {span.path for span in question.evidence}
    return {
        "hit@1": float(any(piece.path in paths for pieces in ranked[:1] for piece in pieces)),
        "recall@5": float(np.mean(whole)),
        "characters@5": _share(question.evidence, best),
        "MRR@10": 1 / holding[0] if holding else 0.0,
        "nDCG@10": min(1.0, _discounted(gains) / max(1e-9, _discounted(ideal))),
        "tokens@5": sum(p.end - p.start for p in set(best)) / CHARACTERS_A_TOKEN,
    }


def _gains(evidence: Sequence[Span], ranked: Sequence[Sequence[Piece]]) -> list[float]:
    """Return what each adds to the share of the evidence that those before it cover."""
    seen: list[Piece] = []
    shares = [0.0]
    for pieces in ranked[:TEN]:
        seen.extend(pieces)
        shares.append(_share(evidence, seen))
    return list(np.diff(shares))


def _discounted(gains: Sequence[float]) -> float:
    return float(sum(gain / np.log2(rank + 1) for rank, gain in enumerate(gains[:TEN], 1)))


def _holds(evidence: Sequence[Span], pieces: Sequence[Piece]) -> bool:
    return any(_share([span], pieces) >= HALF for span in evidence)


def _share(evidence: Sequence[Span], pieces: Sequence[Piece]) -> float:
    return _covered(evidence, pieces) / sum(span.end - span.start for span in evidence)


def _covered(evidence: Sequence[Span], pieces: Sequence[Piece]) -> int:
    """Return how many of the evidence's characters the passages cover, each counted once a text."""
    return sum(
        len({c for p in pieces if p.path == s.path for c in range(max(p.start, s.start), min(p.end, s.end))})
        for s in evidence
    )


def table(name: str, questions: int, measures: Mapping[str, Sequence[Measures]]) -> str:
    """Return a set's figures as a Markdown table."""
    head = f"| {name}, {questions} questions | " + " | ".join(MEASURES) + " |\n|---" + "|---" * len(MEASURES)
    rows = [f"| {way} | " + " | ".join(_cell(of, m) for m in MEASURES) + " |" for way, of in measures.items()]
    return "\n".join([f"{head}|", *rows])


def ahead_of(ours: Sequence[Measures], others: Mapping[str, Sequence[Measures]], measure: str) -> str:
    """Return how many points ours is ahead of each of the others, over the same questions."""
    mine = np.array([row[measure] for row in ours])
    lines = [f"Points of {measure} that ours is ahead of:"]
    for name, rows in others.items():
        mean, low, high = _interval(100 * (mine - np.array([row[measure] for row in rows])))
        lines.append(f"- {name}: {mean:.1f} [{low:.1f}, {high:.1f}]")
    return "\n".join(lines)


def _cell(rows: Sequence[Measures], measure: str) -> str:
    mean, low, high = _interval(np.array([row[measure] for row in rows]))
    return f"{mean:.0f}" if measure == "tokens@5" else f"{mean:.3f} [{low:.2f}, {high:.2f}]"


def _interval(values: np.ndarray) -> tuple[float, float, float]:
    """Return the mean and its 95% interval, bootstrapped over questions (percentile method)."""
    draws = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[draws].mean(1), [2.5, 97.5])
    return float(values.mean()), float(low), float(high)
