"""A sentence-transformers model in this process: mean pooling, L2, batches of like length, bfloat16.

A BERT, as the embedded MiniLM is, reads without padding. Where there is a GPU (CUDA), the model reads there.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

import numpy as np

from grammars.embedded.loading import passage_reader
from grammars.embedded.precision import reading_type
from grammars.embedded.readings import Reading, Readings
from knowledge.embed import EMBEDDED, EmbeddingError
from knowledge.passages import embedded_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import torch
    from numpy.typing import NDArray

    from grammars.embedded.readings import Line
    from grammars.engine.protocol import PassageText

# bfloat16 on the CPU compiles anew for each shape: every batch is one of these lengths and of a power of two
# rows, but for the last of its length as many as BATCH_TOKENS hold.
LENGTHS = (16, 32, 64, 96, 128, 192, 256, 384, 512)
BATCH_TOKENS = 4096

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
    _cut: Callable[[PassageText], Line] | None
    _readings: Readings

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, name: str, path: str, readings: Readings | None = None
    ) -> AsyncIterator[LocalEmbedder]:
        """Load the model at `path` (a folder or a hub name).

        Args:
            name: what it is called; `embedded` reads passages as the embedded model does.
            path: where it is.
            readings: of passages, which the embedded model shares; default: its own.

        Raises:
            EmbeddingError: there is no such model, or it is not an encoder.
        """
        worker = ThreadPoolExecutor(1, thread_name_prefix="embedder")
        try:
            loop = asyncio.get_running_loop()
            states, dimensions, tokenizer, limit = await loop.run_in_executor(worker, _load, path)
            cut = await loop.run_in_executor(worker, passage_reader) if name == EMBEDDED else None
            shared = readings if cut and readings else Readings()
            yield cls(name, dimensions, states, tokenizer, limit, worker, cut, shared)
        finally:
            worker.shutdown(wait=False, cancel_futures=True)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one L2-normalised row a text; text beyond the model's limit is not seen.

        Each batch is its own turn of the worker, so that a question waits for one batch of an index at most.
        """
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        lines = await self._in_worker(self._encode, texts) if texts else []
        async for rows, read in self._read(lines, self._embed):
            vectors[rows] = read
        return vectors

    async def match(self, question: str, passages: Sequence[PassageText]) -> NDArray[np.float32]:
        """Return the mean cosine of each token of the question with each passage's nearest, one a passage.

        The passages' own states are kept: the next question finds many of them again.
        """
        lines = await self._in_worker(lambda: [self._line(passage) for passage in passages])
        (asked,) = await self._in_worker(self._encode, [question])
        known = self._readings.of(lines)
        fresh = list(dict.fromkeys(line for line in lines if line not in known))
        read = dict(zip([asked, *fresh], await self._alone([asked, *fresh]), strict=True))
        self._readings.keep({line: read[line] for line in fresh})
        return await self._in_worker(_matches, read[asked], [(known | read)[line] for line in lines])

    async def _alone(self, lines: Sequence[Line]) -> list[Reading]:
        """Return the readings of lines, on the CPU."""
        states: dict[int, Reading] = {}
        async for rows, read in self._read(lines, self._readings_of):
            states |= dict(zip(rows, read, strict=True))
        return [states[row] for row in range(len(lines))]

    async def _read(
        self, lines: Sequence[Line], read: Callable[[list[Line], int], Result]
    ) -> AsyncIterator[tuple[list[int], Result]]:
        """Yield the numbers of the lines of each batch, and what was read of them."""
        for length, rows in _batches([len(line) for line in lines]):
            yield rows, await self._in_worker(read, [lines[row] for row in rows], length)

    async def _in_worker(self, call: Callable[..., Result], *arguments: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._worker, call, *arguments)

    def _encode(self, texts: Sequence[str]) -> list[Line]:
        tokens = self._tokenizer(list(texts), truncation=True, max_length=self._limit)["input_ids"]
        return [tuple(row) for row in tokens]

    def _line(self, passage: PassageText) -> Line:
        """Return what is read of a passage: the embedded model's own cut, where it may share the reading."""
        if self._cut:
            return self._cut(passage)
        return self._encode([embedded_text(passage.title, passage.heading, passage.text)])[0]

    def _embed(self, batch: list[Line], length: int) -> NDArray[np.float32]:
        """Embed one batch: token ids (B, T) to unit vectors (B, H), mean-pooled over the real tokens."""
        import torch

        hidden, mask = self._forward(batch, length)
        pooled = (hidden * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        vectors: NDArray[np.float32] = torch.nn.functional.normalize(pooled, dim=-1)[: len(batch)].numpy()
        return vectors

    def _readings_of(self, batch: list[Line], length: int) -> list[Reading]:
        states, _ = self._forward(batch, length)
        return [Reading.of(row[: len(line)]) for row, line in zip(states, batch, strict=False)]

    def _forward(self, batch: list[Line], length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the states (B or more, T, H) of token ids, and which of them (B or more, T) are real."""
        import torch

        ids = torch.full((_round_up(len(batch)), length), self._tokenizer.pad_token_id or 0)
        mask = torch.zeros_like(ids)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        with torch.inference_mode():
            return self._states(ids, mask), mask


def _matches(asked: Reading, passages: Sequence[Reading]) -> NDArray[np.float32]:
    """Return the mean cosine of the states of `asked` with the nearest of each passage's."""
    from torch.nn import functional

    words = functional.normalize(asked.states.float(), dim=-1)
    found = np.zeros(len(passages), dtype=np.float32)
    for row, passage in enumerate(passages):
        if len(words):
            near = words @ functional.normalize(passage.states.float(), dim=-1).T
            found[row] = float(near.amax(1).mean()) if near.shape[1] else -1.0
    return found


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
