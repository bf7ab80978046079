"""Near duplicates: the same page in two sources, a copy of a section, a mirror.

Each would take the place of something else among the few passages that a model reads. Passages whose numbers
differ are never taken for one: which of two limits holds is for the reader to see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from knowledge.lexical import terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knowledge.answers import Retrieved

SAME = 0.9  # share of their terms, taken together, that two passages have in common


def without_repeats(ranked: Sequence[Retrieved]) -> list[Retrieved]:
    """Return the passages without those that nearly repeat a better one."""
    kept: list[tuple[Retrieved, frozenset[str]]] = []
    for passage in ranked:
        words = frozenset(terms(passage.text))
        if not any(_repeats(words, other) for _, other in kept):
            kept.append((passage, words))
    return [passage for passage, _ in kept]


def _repeats(words: frozenset[str], other: frozenset[str]) -> bool:
    if len(words & other) < SAME * len(words | other):
        return False
    return not any(char.isdigit() for term in words ^ other for char in term)
