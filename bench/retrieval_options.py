"""What could be done to the ranking after the search; `bench/retrieval.py` says what each would bring."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from knowledge.answers import Retrieved

    # Takes the question and the passages as they were ranked; returns another ranking.
    Option = Callable[[str, Sequence[Retrieved]], Awaitable[list[Retrieved]]]

RERANKED = 50  # passages that a cross-encoder reads
OLDEST, HALF_LIFE = 730, 365  # days
A_DOCUMENT = 2  # passages


async def spread(_question: str, ranked: Sequence[Retrieved]) -> list[Retrieved]:
    """Put what a document has beyond its best passages last."""
    counts: dict[str, int] = {}
    places = []
    for passage in ranked:
        counts[passage.uri] = counts.get(passage.uri, 0) + 1
        places.append(counts[passage.uri] > A_DOCUMENT)
    return [passage for _, passage in sorted(zip(places, ranked, strict=True), key=lambda pair: pair[0])]


async def decayed(_question: str, ranked: Sequence[Retrieved]) -> list[Retrieved]:
    """Rank by the score halved for each year of age; ages are drawn, so this is what decay costs at worst."""

    def worth(passage: Retrieved) -> float:
        age = random.Random(passage.uri).uniform(0, OLDEST)
        return passage.scores["fused"] * 0.5 ** (age / HALF_LIFE)

    return sorted(ranked, key=worth, reverse=True)


def smoothed(share: float, documents: Mapping[int, tuple[str, int]]) -> Option:
    """Return an option that gives each passage a share of its better neighbour's score.

    Args:
        share: of the score.
        documents: each passage's document and its place in it, by the passage's number.
    """

    async def rank(_question: str, ranked: Sequence[Retrieved]) -> list[Retrieved]:
        scores = {documents[p.passage_id]: p.scores["fused"] for p in ranked}

        def around(passage: Retrieved) -> float:
            path, place = documents[passage.passage_id]
            return max(scores.get((path, place + step), 0.0) for step in (-1, 1))

        return sorted(ranked, key=lambda p: p.scores["fused"] + share * around(p), reverse=True)

    return rank


def reranked(path: str) -> Option:
    """Return an option that ranks the best anew by a cross-encoder, a local folder or a hub name."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(path)
    model: Any = AutoModelForSequenceClassification.from_pretrained(path).eval()

    def score(question: str, passages: Sequence[Retrieved]) -> list[float]:
        import torch

        pairs = [(question, f"{passage.title}\n{passage.heading}\n{passage.text}") for passage in passages]
        read = tokenizer(
            *map(list, zip(*pairs, strict=True)), padding=True, truncation=True, return_tensors="pt"
        )
        with torch.inference_mode():
            return list(model(**read).logits[:, -1].tolist())

    async def rerank(question: str, ranked: Sequence[Retrieved]) -> list[Retrieved]:
        scores = await asyncio.to_thread(score, question, ranked[:RERANKED])
        order = sorted(range(len(scores)), key=lambda place: -scores[place])
        return [ranked[place] for place in order] + list(ranked[RERANKED:])

    return rerank
