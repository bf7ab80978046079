"""What one epoch is made of.

Each `qa` row as it is, as a near miss, or among distractors; cloze questions; each question about
documentation over what search found for it; and each field that is asked of a text.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from grammars.tuning.examples import Example, as_typed, cloze, from_row, near_miss, relayout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from grammars.engine.protocol import PassageText

PASSAGES = (1, 1, 1, 2, 2, 3, 3, 5)  # how many stand in a prompt, drawn evenly
NEAR_MISS = 0.3  # share of the answerable rows whose answering sentences are taken out
ELSEWHERE = 0.08  # share of the answerable rows whose whole passage is: only related ones stay
CLOZE = 0.1  # cloze questions for each row
DROPPED = 0.2  # share of a document row's passages without evidence that are left out
TAKEN_OUT = 0.12  # share of the document rows whose answering sentences are
GENERAL = 0.8  # share of the general rows in one epoch, where there are rows of documents
FIELDS = 0.4  # share of the fields asked in one epoch


@dataclass(frozen=True)
class Pool:
    """The rows; every distinct passage; and for each row the passages nearest to its question."""

    rows: Sequence[dict[str, Any]]
    passages: Sequence[PassageText]
    nearest: Sequence[Sequence[int]]
    documents: Sequence[dict[str, Any]] = ()
    fields: Sequence[dict[str, Any]] = ()


def epoch(pool: Pool, seed: int) -> Iterator[Example]:
    """Yield the examples of one epoch in random order."""
    rng = random.Random(seed)  # noqa: S311 - sampling, not secrets
    makers: list[Callable[[], Example | None]] = [
        *(partial(_general, pool, index, rng) for index in _share(pool, rng)),
        *(partial(_invented, pool, rng) for _ in range(int(CLOZE * len(pool.rows)))),
        *(partial(_documented, row, rng) for row in pool.documents),
        *(partial(from_row, row, rng) for row in pool.fields if rng.random() < FIELDS),
    ]
    rng.shuffle(makers)
    for make in makers:
        example = make()
        if example is not None:
            yield example


def _share(pool: Pool, rng: random.Random) -> list[int]:
    """Return the general rows of an epoch: all, or with rows of documents a share, not to drown those."""
    every = range(len(pool.rows))
    return [index for index in every if not pool.documents or rng.random() < GENERAL]


def _general(pool: Pool, index: int, rng: random.Random) -> Example | None:
    example = from_row(pool.rows[index], rng)
    if example is None:
        return None
    varied = _vary(example, pool, index, rng)
    return relayout(replace(varied, question=as_typed(varied.question, rng)), rng)


def _invented(pool: Pool, rng: random.Random) -> Example | None:
    made = cloze(rng.choice(pool.passages), rng)
    missed = near_miss(made, ()) if made and rng.random() < NEAR_MISS else None
    return relayout(missed or made, rng) if made else None


def _documented(row: dict[str, Any], rng: random.Random) -> Example | None:
    """Return the row over most of its passages, in their order; now and then without what answers."""
    example = from_row(row, rng)
    if example is None:
        return None
    if example.answerable and rng.random() < TAKEN_OUT:
        example = near_miss(replace(example, span=None), ()) or example
    pairs = zip(example.passages, example.gold, strict=True)
    kept = [pair for pair in pairs if pair[1] or rng.random() >= DROPPED]
    return _reordered(example, kept) if kept else example


def _vary(example: Example, pool: Pool, index: int, rng: random.Random) -> Example:
    count = rng.choice(PASSAGES)
    if example.span and rng.random() < ELSEWHERE:
        gone = replace(example, passages=(), gold=(), span=None, kind="elsewhere")
        return among(gone, pool, index, rng, answer=answer_of(example), count=count)
    if example.answerable and rng.random() < NEAR_MISS:
        missed = near_miss(example, ())
        if missed is not None:
            return among(missed, pool, index, rng, answer=answer_of(example), count=count)
    return among(example, pool, index, rng, answer=answer_of(example), count=count)


def answer_of(example: Example) -> str:
    """Return the short answer in lower case, or nothing where the answer is a whole quote."""
    if example.span is None:
        return ""
    number, start, end = example.span
    return example.passages[number].text[start:end].lower()


def among(
    example: Example, pool: Pool, index: int, rng: random.Random, *, answer: str, count: int
) -> Example:
    """Return the example with `count` passages in random order: its own, and others that lack `answer`."""
    own = list(zip(example.passages, example.gold, strict=True))
    if len(own) > count:
        right = [pair for pair in own if pair[1]]
        rest = [pair for pair in own if not pair[1]]
        own = right + rng.sample(rest, max(0, min(len(rest), count - len(right))))
    near = [pool.passages[i] for i in pool.nearest[index]] if example.kind != "negative" else []
    near += rng.sample(pool.passages, min(3, len(pool.passages)))
    for passage in near:
        fits = not answer or answer not in passage.text.lower()
        fresh = all(passage.text[:80] not in p.text and p.text[:80] not in passage.text for p, _ in own)
        if len(own) < count and fits and fresh and not _same_article(passage, example):
            own.append((passage, ()))
    rng.shuffle(own)
    return _reordered(example, own)


def _same_article(passage: PassageText, example: Example) -> bool:
    """A longform answer has no short string to look for: its own article might answer in other words."""
    return example.span is None and any(p.title and p.title == passage.title for p in example.passages)


def _reordered(example: Example, pairs: list[tuple[PassageText, tuple[tuple[int, int], ...]]]) -> Example:
    span = example.span
    if span is not None:
        text = example.passages[span[0]].text
        span = (next(i for i, (p, gold) in enumerate(pairs) if gold and p.text == text), span[1], span[2])
    return replace(
        example, passages=tuple(p for p, _ in pairs), gold=tuple(gold for _, gold in pairs), span=span
    )
