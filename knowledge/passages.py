"""Passages on their way into the database: what is embedded and found of each, and how they are stored."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pgvector import HalfVector

from knowledge.lexical import terms
from knowledge.structure import PATH_SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from psycopg import AsyncConnection

    from knowledge.chunk import Chunk
    from knowledge.generations import Generation

MOST_FREQUENT = 32_767  # a smallint; BM25 is saturated long before


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk with what it is embedded and indexed as."""

    chunk: Chunk
    text: str
    embedded: str
    embedded_hash: bytes
    frequencies: dict[str, int]

    @property
    def term_count(self) -> int:
        """The passage's length as BM25 counts it, in terms."""
        return sum(self.frequencies.values())


def prepare_passage(title: str, text: str, chunk: Chunk) -> Passage:
    """Return a chunk of `text` as a passage; title and heading path are embedded and found with it."""
    body = text[chunk.start : chunk.end]
    embedded = embedded_text(title, chunk.heading, body)
    return Passage(
        chunk, body, embedded, hashlib.sha256(embedded.encode()).digest(), Counter(terms(embedded))
    )


def embedded_text(title: str, heading: str, body: str) -> str:
    """Return what is embedded of a passage: its text under its title and heading path."""
    context = PATH_SEPARATOR.join(part for part in (title, heading) if part)
    return f"{context}\n{body}"


async def known_embeddings(
    connection: AsyncConnection[Any], generation: Generation, passages: Sequence[Passage]
) -> dict[bytes, NDArray[np.float32]]:
    """Return the vectors that the generation already holds, by the hash of what was embedded."""
    rows = await connection.execute(
        "select distinct on (embedded_hash) embedded_hash, embedding from passages"
        " where generation_id = %s and embedded_hash = any(%s)",
        [generation.id, list({passage.embedded_hash for passage in passages})],
    )
    return {digest: np.asarray(vector.to_numpy(), np.float32) for digest, vector in await rows.fetchall()}


async def store_passages(
    connection: AsyncConnection[Any],
    generation: Generation,
    documents: Sequence[tuple[int, int, Sequence[Passage]]],
    vectors: dict[bytes, NDArray[np.float32]],
) -> None:
    """Add passages, within the caller's transaction; a document is (source id, document id, passages)."""
    flat = [
        (source, document, ordinal, passage)
        for source, document, passages in documents
        for ordinal, passage in enumerate(passages)
    ]
    found = await connection.execute(
        "select nextval('passages_id_seq') from generate_series(1, %s)", [len(flat)]
    )
    numbered = [(number, *row) for (number,), row in zip(await found.fetchall(), flat, strict=True)]
    rows = [
        (
            number, generation.id, document, source, ordinal, passage.chunk.start, passage.chunk.end,
            passage.chunk.heading, passage.text, passage.embedded_hash, passage.term_count,
            HalfVector(vectors[passage.embedded_hash]),
        )
        for number, source, document, ordinal, passage in numbered
    ]  # fmt: skip
    await _copy(connection, _PASSAGES, rows)
    postings = [
        (generation.id, term, number, source, min(frequency, MOST_FREQUENT), passage.term_count)
        for number, source, _, _, passage in numbered
        for term, frequency in passage.frequencies.items()
    ]
    await _copy(connection, _POSTINGS, postings)


_PASSAGES = ("passages", {
    "id": "int8", "generation_id": "int4", "document_id": "int8", "source_id": "int4", "ordinal": "int4",
    "start_char": "int4", "end_char": "int4", "heading": "text", "text": "text", "embedded_hash": "bytea",
    "term_count": "int4", "embedding": "halfvec",
})  # fmt: skip
_POSTINGS = ("postings", {
    "generation_id": "int4", "term": "text", "passage_id": "int8", "source_id": "int4", "frequency": "int2",
    "passage_terms": "int4",
})  # fmt: skip


async def _copy(
    connection: AsyncConnection[Any], table: tuple[str, dict[str, str]], rows: Sequence[tuple[Any, ...]]
) -> None:
    name, columns = table
    statement = f"copy {name} ({', '.join(columns)}) from stdin with (format binary)"
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(list(columns.values()))
        for row in rows:
            await copy.write_row(row)
