"""An engine and an embedder that load nothing: for tests of what is around them."""

from __future__ import annotations

import json
import re
import zlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from grammars.engine.protocol import Generation, Located

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from numpy.typing import NDArray

    from grammars.engine.protocol import Request


class QuotingEngine:
    """Quotes the best passage's first sentence, where the passage shares a word with the question."""

    name = "quoting"
    extractive = True
    enforces_grammar = False

    async def generate(self, request: Request) -> Generation:
        passages = request.prompt.passages
        words = set(re.findall(r"\w{3,}", request.prompt.question.lower()))
        if not passages or not words & set(re.findall(r"\w{3,}", passages[0].text.lower())):
            return Generation('{"answerable":false}', probabilities=(0.9,))
        quote = passages[0].text.split(". ")[0].strip()
        citations = [{"quote": quote, "passage": 1}]
        written = {"answerable": True, "citations": citations, "answer": ""}
        return Generation(json.dumps(written, ensure_ascii=False), probabilities=(0.9,))

    async def locate(self, _: str, questions: Sequence[str], text: str) -> Located:
        """Say of every word alike that it may be what is asked for."""
        words = [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]
        even = np.full((len(questions), 1 + len(words)), -np.log(1 + len(words)), np.float32)
        offsets = np.asarray(words, np.int64).reshape(-1, 2)
        return Located(offsets, even[:, 1:], even[:, 1:], 2 * even[:, 0])


@asynccontextmanager
async def quoting_engine(*_: Any) -> AsyncIterator[QuotingEngine]:
    """Stand in for `bot.wiring.engine`."""
    yield QuotingEngine()


class WordEmbedder:
    """Texts that share words come close; no model is loaded."""

    name = "words"
    dimensions = 384

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()) or [""]:
                row[zlib.crc32(word.encode()) % self.dimensions] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@asynccontextmanager
async def word_embedder(*_: Any) -> AsyncIterator[WordEmbedder]:
    """Stand in for `bot.wiring.embedder`."""
    yield WordEmbedder()
