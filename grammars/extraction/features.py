"""What speaks for a candidate being a leaf's value, as numbers: words in common, nearness, shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grammars.extraction.layout import Layout, share, stems
from grammars.extraction.string_features import string_features
from grammars.extraction.value_features import (
    boolean_features,
    choice_features,
    date_features,
    number_features,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from grammars.extraction.asked import Asked, Rows
    from grammars.extraction.candidates import Candidate
    from grammars.extraction.rivals import Rivals

NEAR = 3  # words on either side
WINDOW = 7


def texts(asked: Asked, layout: Layout, found: Sequence[Candidate]) -> list[str]:
    """Return the texts whose vectors `features` needs."""
    needed = {asked.question, *(layout.text[slice(*clause)] for clause in layout.clauses)}
    needed.update(map(asked.option, asked.leaf.options))
    for candidate in found:
        needed |= {_window(asked, layout, candidate), *_own(asked, layout, candidate)}
        needed |= {_exchange(layout, candidate.start), layout.label(candidate.start) or " "}
    return list(needed)


def _own(asked: Asked, layout: Layout, candidate: Candidate) -> tuple[str, ...]:
    if asked.kind in ("free", "shaped"):
        return (asked.called, layout.text[slice(*candidate.span)])
    return ()


def _window(asked: Asked, layout: Layout, candidate: Candidate) -> str:
    """Return what is read around a candidate; where there are many, their clause, which they share."""
    few = asked.kind in ("number", "date")
    span = layout.around(candidate.span, WINDOW) if few else layout.within(candidate.span, layout.clauses)
    return layout.text[slice(*span)]


def _exchange(layout: Layout, at: int) -> str:
    """Return the line that holds an offset, with the one before where that asks something."""
    place = layout.line(at)
    line = layout.text[slice(*layout.lines[place].span)]
    before = layout.text[slice(*layout.lines[place - 1].span)] if place else ""
    return f"{before} {line}" if before.rstrip().endswith("?") else line


def features(
    asked: Asked, layout: Layout, found: Sequence[Candidate], rivals: Rivals, located: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the features (C, F) of a leaf's candidates; all of a leaf have the same F, by its group.

    Args:
        asked: the leaf.
        layout: of the text.
        found: its candidates.
        rivals: all leaves that are asked of the text, the leaf among them.
        located: what the engine's own reading says of them, (C, L).
    """
    vectors = rivals.vectors
    question = vectors[asked.question]
    likenesses = [float(vectors[layout.text[slice(*clause)]] @ question) for clause in layout.clauses]
    mean = sum(likenesses) / max(len(likenesses), 1)
    rows = []
    for candidate in found:
        row = _relevance(asked, layout, candidate, vectors, mean)
        row += _rivalry(asked, layout, candidate, rivals)
        row += _OWN[asked.kind](asked, layout, candidate, vectors)
        rows.append(row)
    return np.hstack([np.asarray(rows, np.float32).reshape(len(rows), -1 if rows else 1), located])


def _relevance(asked: Asked, layout: Layout, candidate: Candidate, vectors: Rows, mean: float) -> list[float]:
    question, text = vectors[asked.question], layout.text
    clause = layout.within(candidate.span, layout.clauses)
    sentence = layout.within(candidate.span, layout.sentences)
    label = layout.label(candidate.start)
    labelled = stems(label)
    near = stems(text[slice(*layout.around(candidate.span, NEAR))]) - (
        frozenset() if asked.kind in ("boolean", "choice") else stems(text[slice(*candidate.span)])
    )
    exchange = _exchange(layout, candidate.start)
    window = _window(asked, layout, candidate)
    inside = stems(text[slice(*clause)])
    return [
        1.0,
        float(bool(label)),
        share(asked.name, labelled),
        share(labelled, asked.name | asked.told),
        float(vectors[label] @ question) if label else 0.0,
        float(bool(label) and not labelled & (asked.name | asked.told)),
        share(asked.name, inside),
        share(asked.told, inside),
        share(asked.name, near),
        share(asked.told, near),
        share(asked.name, stems(text[slice(*sentence)])),
        share(asked.name | asked.told, stems(exchange)),
        float(vectors[text[slice(*clause)]] @ question) - mean if text[slice(*clause)] in vectors else 0.0,
        float(vectors[window] @ question) - mean,
        float(vectors[exchange] @ question) - mean,
        float(vectors[window] @ question),
        candidate.start / max(len(text), 1),
    ]


def _rivalry(asked: Asked, layout: Layout, candidate: Candidate, rivals: Rivals) -> list[float]:
    """Say how far the words around a candidate speak of this leaf rather than of another."""
    label = layout.label(candidate.start)
    near = stems(layout.text[slice(*layout.around(candidate.span, NEAR))])
    return [
        rivals.lead(asked, _window(asked, layout, candidate)),
        rivals.lead(asked, _exchange(layout, candidate.start)),
        rivals.lead(asked, label) if label else 0.0,
        rivals.named(asked, stems(label)) if label else 0.0,
        rivals.named(asked, near),
    ]


_OWN = {
    "free": string_features,
    "shaped": string_features,
    "number": number_features,
    "date": date_features,
    "boolean": boolean_features,
    "choice": choice_features,
}
