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


def prepare_passage(title: str, text: str, chunk: Chunk) -> Passage:
    """Return a chunk of `text` as a passage; title and heading path are embedded and found with it."""
    body = text[chunk.start : chunk.end]
    context = PATH_SEPARATOR.join(part for part in (title, chunk.heading) if part)
    embedded = f"{context}\n{body}"
    return Passage(
        chunk, body, embedded, hashlib.sha256(embedded.encode()).digest(), Counter(terms(embedded))
    )


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
    document: tuple[int, int],
    passages: Sequence[Passage],
    vectors: dict[bytes, NDArray[np.float32]],
) -> None:
    """Add the passages of a document, given as (source id, document id), within the caller's transaction."""
    if not passages:
        return
    source, document_id = document
    found = await connection.execute(
        "select nextval('passages_id_seq') from generate_series(1, %s)", [len(passages)]
    )
    ids = [number for (number,) in await found.fetchall()]
    rows = [
        (
            number, generation.id, document_id, source, ordinal, passage.chunk.start, passage.chunk.end,
            passage.chunk.heading, passage.text, passage.embedded_hash, passage_terms(passage),
            HalfVector(vectors[passage.embedded_hash]),
        )
        for ordinal, (number, passage) in enumerate(zip(ids, passages, strict=True))
    ]  # fmt: skip
    await _copy(connection, _PASSAGES, rows)
    postings = [
        (generation.id, term, number, source, min(frequency, MOST_FREQUENT), passage_terms(passage))
        for number, passage in zip(ids, passages, strict=True)
        for term, frequency in passage.frequencies.items()
    ]
    await _copy(connection, _POSTINGS, postings)


def passage_terms(passage: Passage) -> int:
    """Return the passage's length as BM25 counts it, in terms."""
    return sum(passage.frequencies.values())


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
