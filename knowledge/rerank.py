"""A cross-encoder that reads question and passage together, in the place of the word by word comparison.

Any sequence classification model with one score will do, such as `BAAI/bge-reranker-base`; the sigmoid of
that score is the passage's (Nogueira and Cho 2019, arXiv:1901.04085).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from knowledge.embed import EmbeddingError
from knowledge.passages import embedded_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from numpy.typing import NDArray

    from grammars.engine.protocol import PassageText
    from knowledge.embed import Embedder

LONGEST = 512  # tokens of question and passage together
FUSED_WEIGHT = 0.0  # what was read together needs no help of what was read apart


class Reranking:
    """An embedder whose passages a cross-encoder ranks; `match` is the latter's."""

    stage = "reranked"
    fused_weight = FUSED_WEIGHT

    def __init__(self, embedder: Embedder, model: Any, tokenizer: Any, worker: ThreadPoolExecutor) -> None:
        self.name, self.dimensions = embedder.name, embedder.dimensions
        self.embed = embedder.embed
        self._model, self._tokenizer, self._worker = model, tokenizer, worker

    @classmethod
    @asynccontextmanager
    async def opened(cls, embedder: Embedder, path: str) -> AsyncIterator[Reranking]:
        """Load the cross-encoder at `path` (a folder or a hub name).

        Raises:
            EmbeddingError: there is no such model, or it gives more than one score.
        """
        worker = ThreadPoolExecutor(1, thread_name_prefix="reranker")
        try:
            model, tokenizer = await asyncio.get_running_loop().run_in_executor(worker, _load, path)
            yield cls(embedder, model, tokenizer, worker)
        finally:
            worker.shutdown(wait=False, cancel_futures=True)

    async def match(self, question: str, passages: Sequence[PassageText]) -> NDArray[np.float32]:
        """Return how well each passage answers the question, 0 to 1: shape (len(passages),)."""
        texts = [embedded_text(passage.title, passage.heading, passage.text) for passage in passages]
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self._score, question, texts)

    def _score(self, question: str, texts: list[str]) -> NDArray[np.float32]:
        import torch

        if not texts:
            return np.empty(0, np.float32)
        read = self._tokenizer(
            [question] * len(texts),
            texts,
            padding=True,
            truncation="only_second",
            max_length=LONGEST,
            return_tensors="pt",
        )
        with torch.inference_mode():
            logits = self._model(**read.to(self._model.device)).logits[:, 0].float()
        scores: NDArray[np.float32] = logits.sigmoid().cpu().numpy()
        return scores


def _load(path: str) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from grammars.embedded.precision import reading_type

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(path)
        model: Any = AutoModelForSequenceClassification.from_pretrained(path)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise EmbeddingError(f"{path!r} cannot be loaded as a reranker: {reason}") from error
    if model.config.num_labels != 1:
        raise EmbeddingError(
            f"{path!r} gives {model.config.num_labels} scores, and a reranker gives one: set"
            " ALMANAC_RERANKER to a cross-encoder for ranking, or leave it out."
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return model.to(device, reading_type(device)).eval(), tokenizer
