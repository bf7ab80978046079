"""What could be done to the ranking after the search; `bench/retrieval.py` says what each would bring."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from knowledge.lexical import terms

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from knowledge.answers import Retrieved
    from knowledge.database import Pool

    # Takes the question and the passages as they were ranked; returns another ranking.
    Option = Callable[[str, Sequence[Retrieved]], Awaitable[list[Retrieved]]]

SAME = 0.9  # share of the terms of either that two passages have in common
RERANKED = 50  # passages that a cross-encoder reads


async def collapsed(_question: str, ranked: Sequence[Retrieved]) -> list[Retrieved]:
    """Leave out what nearly repeats a better passage."""
    kept: list[tuple[Retrieved, frozenset[str]]] = []
    for passage in ranked:
        words = frozenset(terms(passage.text))
        if not any(len(words & other) >= SAME * len(words | other) for _, other in kept):
            kept.append((passage, words))
    return [passage for passage, _ in kept]


def neighbours(pool: Pool) -> Option:
    """Return an option that joins each passage with what stands before and after it in its document."""

    async def joined(_question: str, ranked: Sequence[Retrieved]) -> list[Retrieved]:
        async with pool.connection() as connection:
            rows = await connection.execute(_NEIGHBOURS, [[passage.passage_id for passage in ranked]])
            texts = dict(await rows.fetchall())
        return [replace(passage, text=texts[passage.passage_id]) for passage in ranked]

    return joined


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


_NEIGHBOURS = """
select p.id, (select string_agg(n.text, E'\\n' order by n.ordinal) from passages n
               where (n.generation_id, n.document_id) = (p.generation_id, p.document_id)
                 and n.ordinal between p.ordinal - 1 and p.ordinal + 1)
  from passages p where p.id = any(%s)"""
