"""A sentence-transformers model in this process: mean pooling, L2, batches of like length, bfloat16.

A BERT, as the embedded MiniLM is, reads without padding. Where there is a GPU (CUDA), the model reads there.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

import numpy as np

from grammars.embedded.precision import reading_type
from knowledge.embed import EmbeddingError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import torch
    from numpy.typing import NDArray

# bfloat16 on the CPU compiles anew for each shape: every batch is one of these lengths and of a power of two
# rows, but for the last of its length as many as BATCH_TOKENS hold.
LENGTHS = (16, 32, 64, 96, 128, 192, 256, 384, 512)
BATCH_TOKENS = 4096
REMEMBERED = 512  # texts whose words' states are kept, at most 200 MB: some passages come again and again

Result = TypeVar("Result")
States: TypeAlias = "Callable[[torch.Tensor, torch.Tensor], torch.Tensor]"


@dataclass(frozen=True, slots=True)
class LocalEmbedder:
    """A loaded encoder and its tokenizer; one worker thread owns the model."""

    stage: ClassVar[str] = "words"
    fused_weight: ClassVar[float] = 0.4  # chosen on our own questions: docs/decisions/retrieval.md

    name: str
    dimensions: int
    _states: States
    _tokenizer: Any
    _limit: int
    _worker: ThreadPoolExecutor
    _known: OrderedDict[str, NDArray[np.float16]] = field(default_factory=OrderedDict)

    @classmethod
    @asynccontextmanager
    async def opened(cls, name: str, path: str) -> AsyncIterator[LocalEmbedder]:
        """Load the model at `path` (a folder or a hub name).

        Raises:
            EmbeddingError: there is no such model, or it is not an encoder.
        """
        worker = ThreadPoolExecutor(1, thread_name_prefix="embedder")
        try:
            loading = asyncio.get_running_loop().run_in_executor(worker, _load, path)
            states, dimensions, tokenizer, limit = await loading
            yield cls(name, dimensions, states, tokenizer, limit, worker)
        finally:
            worker.shutdown(wait=False, cancel_futures=True)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one L2-normalised row a text; text beyond the model's limit is not seen.

        Each batch is its own turn of the worker, so that a question waits for one batch of an index at most.
        """
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        async for rows, read in self._read(texts, self._embed):
            vectors[rows] = read
        return vectors

    async def match(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the mean cosine of each token of the question with each text's nearest, one a text.

        The texts' own states are kept, in half precision: the next question finds many of them again.
        """
        fresh = [question, *dict.fromkeys(text for text in texts if text not in self._known)]
        states = [np.empty((0, self.dimensions), dtype=np.float32)] * len(fresh)
        async for rows, read in self._read(fresh, self._words):
            for row, words in zip(rows, read, strict=True):
                states[row] = words
        asked, *others = states
        known = {text: self._known[text] for text in texts if text in self._known}
        known |= {text: words.astype(np.float16) for text, words in zip(fresh[1:], others, strict=True)}
        self._remember(known)
        nearest = [(asked @ known[text].astype(np.float32).T).max(1, initial=-1.0) for text in texts]
        return np.array([cosines.sum() / max(1, len(asked)) for cosines in nearest], dtype=np.float32)

    def _remember(self, known: dict[str, NDArray[np.float16]]) -> None:
        """Keep what was read, the latest longest."""
        for text, words in known.items():
            self._known[text] = words
            self._known.move_to_end(text)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    async def _read(
        self, texts: Sequence[str], read: Callable[[list[list[int]], int], Result]
    ) -> AsyncIterator[tuple[list[int], Result]]:
        """Yield the numbers of the texts of each batch, and what was read of them."""
        loop = asyncio.get_running_loop()
        encoded = await loop.run_in_executor(self._worker, self._encode, texts) if texts else []
        for length, rows in _batches([len(tokens) for tokens in encoded]):
            batch = [encoded[row] for row in rows]
            yield rows, await loop.run_in_executor(self._worker, read, batch, length)

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        tokens = self._tokenizer(list(texts), truncation=True, max_length=self._limit)["input_ids"]
        return [list(row) for row in tokens]

    def _embed(self, batch: list[list[int]], length: int) -> NDArray[np.float32]:
        """Embed one batch: token ids (B, T) to unit vectors (B, H), mean-pooled over the real tokens."""
        import torch

        hidden, mask = self._forward(batch, length)
        pooled = (hidden * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        vectors: NDArray[np.float32] = torch.nn.functional.normalize(pooled, dim=-1)[: len(batch)].numpy()
        return vectors

    def _words(self, batch: list[list[int]], length: int) -> list[NDArray[np.float32]]:
        """Return each row's unit states (tokens, H), without the marks at its ends."""
        import torch

        states = torch.nn.functional.normalize(self._forward(batch, length)[0], dim=-1).numpy()
        return [line[1 : len(tokens) - 1] for line, tokens in zip(states, batch, strict=False)]

    def _forward(self, batch: list[list[int]], length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the states (B or more, T, H) of token ids, and which of them (B or more, T) are real."""
        import torch

        ids = torch.full((_round_up(len(batch)), length), self._tokenizer.pad_token_id or 0)
        mask = torch.zeros_like(ids)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        with torch.inference_mode():
            return self._states(ids, mask), mask


def _load(path: str) -> tuple[States, int, Any, int]:
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call] # the library leaves it untyped

    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
        model = AutoModel.from_pretrained(path, dtype="float32").eval()
    except (OSError, ValueError) as error:
        raise EmbeddingError(f"{path!r} cannot be loaded as an embedding model: {error}") from error
    limit = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", LENGTHS[-1]))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return _states(model.to(device), device), model.config.hidden_size, tokenizer, min(limit, LENGTHS[-1])


def _states(model: Any, device: torch.device) -> States:
    """Return what reads token ids (B, T) and their mask to float32 states (B, T, H), on `device`."""
    import torch
    from transformers import BertModel

    from grammars.embedded.packed import Packed

    if not isinstance(model, BertModel) or model.config.hidden_act != "gelu":
        short = model.to(reading_type(device))

        def padded(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            read = short(input_ids=ids.to(device), attention_mask=mask.to(device))
            return read.last_hidden_state.float().cpu()  # type: ignore[no-any-return]  # untyped there

        return padded
    embed, layers = model.embeddings, Packed(model.encoder, reading_type(device))

    def packed(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        embedded, real = embed(input_ids=ids.to(device)), mask.to(device).bool()
        states = torch.zeros_like(embedded)
        states[real] = layers(embedded[real], [length for length in mask.sum(1).tolist() if length])
        return states.cpu()

    return packed


def _batches(token_counts: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Group rows of like length: pairs of padded length and row numbers."""
    groups: dict[int, list[int]] = {}
    for row, count in enumerate(token_counts):
        groups.setdefault(next(length for length in LENGTHS if length >= count), []).append(row)
    batches = []
    for length, rows in groups.items():
        size = 1 << ((BATCH_TOKENS // length).bit_length() - 1)
        batches += [(length, rows[first : first + size]) for first in range(0, len(rows), size)]
    return batches


def _round_up(rows: int) -> int:
    """Return the next power of two: few shapes, so few compilations."""
    return 1 << (rows - 1).bit_length()
