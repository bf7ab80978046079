"""From files to embedded passages: the stages of a run, each of which can work ahead of the next."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from knowledge.chunk import chunk
from knowledge.convert import ParseError
from knowledge.parse import parse
from knowledge.passages import known_embeddings, prepare_passage
from knowledge.sources.origin import GoneError, UnreadableError
from knowledge.tokens import load_ruler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from knowledge.convert import Converter
    from knowledge.database import Pool
    from knowledge.embed import Embedder
    from knowledge.generations import Generation
    from knowledge.passages import Passage
    from knowledge.plan import Stored
    from knowledge.sources.origin import File, Origin
    from knowledge.structure import Structure

BATCH_PASSAGES = 256  # embedded together, across documents, so that batches of like length fill up
BATCH_DOCUMENTS = 256
MOST_EMBEDDED = 2 * BATCH_PASSAGES  # at once
AHEAD = 1  # batches: one is read while one is embedded while one is stored


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading a document: its passages, or the reason why there are none.

    Attributes:
        file: as the origin has it now.
        known: what is stored of it, where that counts.
        same: its content is what is stored.
        passing: the error may be gone next time; what is stored stays until then.
        gone: it was removed after it was listed.
    """

    file: File
    known: Stored | None = None
    digest: bytes | None = None
    title: str = ""
    text: str | None = None
    error: str | None = None
    same: bool = False
    passing: bool = False
    gone: bool = False
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
    files: Iterable[tuple[File, Stored | None]], origin: Origin, converter: Converter
) -> AsyncIterator[Reading]:
    """Yield what was read of each file; one whose content is known already is not parsed again.

    Args:
        files: each with what is stored of it, or None.
        origin: the opened source.
        converter: for what is not text.
    """
    cutter = Cutter()
    for file, known in files:
        try:
            yield await _reading(file, known, origin, converter, cutter)
        except ParseError as error:
            yield Reading(file, known, error=str(error))
        except UnreadableError as error:
            # Without time and version, the next run does not take it as known.
            yield Reading(replace(file, mtime_ns=0, version=None), known, error=str(error), passing=True)
        except GoneError:
            yield Reading(file, known, gone=True)


async def _reading(
    file: File, known: Stored | None, origin: Origin, converter: Converter, cutter: Cutter
) -> Reading:
    if file.error:
        raise ParseError(file.error)
    content = await origin.read(file, known.version if known else None)
    if content.data is None:
        error = known.error if known else None
        return Reading(content.file, known, error=error, same=error is None)
    digest = await asyncio.to_thread(_digest, content.data)
    if known and digest == known.content_hash:
        return Reading(content.file, known, same=True)
    try:
        document = await parse(content.data, content.file.path, converter)
    except ParseError as error:
        return Reading(content.file, known, error=str(error))
    passages = await cutter.cut(document.title, document.text, document.structure)
    return Reading(content.file, known, digest, document.title, document.text, passages=passages)


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


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


async def _no_check() -> None:
    """Go on whatever happens."""


async def embedded(
    pool: Pool,
    embedder: Embedder,
    generation: Generation | None,
    batches: AsyncIterator[list[Item]],
    check: Callable[[], Awaitable[None]] = _no_check,
) -> AsyncIterator[tuple[list[Item], dict[bytes, NDArray[np.float32]]]]:
    """Yield each batch with its passages' vectors by hash; known text is not embedded again.

    A document that makes more than a batch is embedded in parts; `check` is called between them, and what it
    raises ends the stage.
    """
    async for batch in batches:
        passages = [passage for item in batch for passage in item.passages]
        vectors: dict[bytes, NDArray[np.float32]] = {}
        if generation and passages:
            async with pool.connection() as connection:
                vectors = await known_embeddings(connection, generation, passages)
        new = list({p.embedded_hash: p.embedded for p in passages if p.embedded_hash not in vectors}.items())
        for first in range(0, len(new), MOST_EMBEDDED):
            if first:
                await check()
            hashes, texts = zip(*new[first : first + MOST_EMBEDDED], strict=True)
            vectors |= zip(hashes, await embedder.embed(list(texts)), strict=True)
        yield batch, vectors
