"""From files to embedded passages: the stages of a run, each of which can work ahead of the next."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from knowledge.chunk import chunk
from knowledge.convert import ParseError
from knowledge.parse import parse
from knowledge.passages import known_embeddings, prepare_passage
from knowledge.tokens import load_ruler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from knowledge.convert import Converter
    from knowledge.database import Pool
    from knowledge.embed import Embedder
    from knowledge.files import File
    from knowledge.generations import Generation
    from knowledge.passages import Passage
    from knowledge.structure import Structure

BATCH_PASSAGES = 128  # embedded together, across documents, so that batches of like length fill up
BATCH_DOCUMENTS = 256
AHEAD = 1  # batches: one is read while one is embedded while one is stored


@dataclass(frozen=True, slots=True)
class Reading:
    """A document as it was read: its passages, or the reason why there are none, or that it is the `same`."""

    file: File
    digest: bytes | None = None
    title: str = ""
    text: str | None = None
    error: str | None = None
    same: bool = False
    passages: Sequence[Passage] = field(default=())


class _HasPassages(Protocol):
    @property
    def passages(self) -> Sequence[Passage]: ...


Item = TypeVar("Item", bound=_HasPassages)


class Cutter:
    """Cuts documents into passages, in a thread of its own turn."""

    def __init__(self) -> None:
        self._token_starts: Callable[[str], Sequence[int]] | None = None

    async def cut(self, title: str, text: str, structure: Structure) -> list[Passage]:
        """Return the document's passages in order."""
        return await asyncio.to_thread(self._cut, title, text, structure)

    def _cut(self, title: str, text: str, structure: Structure) -> list[Passage]:
        self._token_starts = self._token_starts or load_ruler()
        chunks = chunk(text, structure, self._token_starts(text))
        return [prepare_passage(title, text, piece) for piece in chunks]


async def readings(
    files: Iterable[tuple[File, bytes | None]], converter: Converter
) -> AsyncIterator[Reading]:
    """Yield what was read of each file; one whose content is known already is not parsed again.

    Args:
        files: each with the hash of the content that is stored, or None.
        converter: for what is not text.
    """
    cutter = Cutter()
    for file, known in files:
        try:
            data, digest = await asyncio.to_thread(_read, file)
            if digest == known:
                yield Reading(file, same=True)
                continue
            document = await parse(data, file.path, converter)
        except ParseError as error:
            yield Reading(file, error=str(error))
        else:
            passages = await cutter.cut(document.title, document.text, document.structure)
            yield Reading(file, digest, document.title, document.text, passages=passages)


def _read(file: File) -> tuple[bytes, bytes]:
    if file.error:
        raise ParseError(file.error)
    try:
        data = file.location.read_bytes()
    except OSError as error:
        raise ParseError(f"It cannot be read: {error.strerror}.") from error
    return data, hashlib.sha256(data).digest()


async def batches(items: AsyncIterator[Item]) -> AsyncIterator[list[Item]]:
    """Yield the items in runs that hold enough passages to keep the embedder busy."""
    batch: list[Item] = []
    passages = 0
    async for item in items:
        batch.append(item)
        passages += len(item.passages)
        if passages >= BATCH_PASSAGES or len(batch) >= BATCH_DOCUMENTS:
            yield batch
            batch, passages = [], 0
    if batch:
        yield batch


async def embedded(
    pool: Pool, embedder: Embedder, generation: Generation, batches: AsyncIterator[list[Item]]
) -> AsyncIterator[tuple[list[Item], dict[bytes, NDArray[np.float32]]]]:
    """Yield each batch with its passages' vectors by hash; known text is not embedded again."""
    async for batch in batches:
        passages = [passage for item in batch for passage in item.passages]
        async with pool.connection() as connection:
            vectors = await known_embeddings(connection, generation, passages)
        new = {p.embedded_hash: p.embedded for p in passages if p.embedded_hash not in vectors}
        if new:
            vectors |= zip(new, await embedder.embed(list(new.values())), strict=True)
        yield batch, vectors
