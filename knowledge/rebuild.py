"""Building a generation beside the current one, from the stored documents, and switching to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from knowledge.ahead import ahead
from knowledge.generations import switch_generation
from knowledge.parse import structure_of
from knowledge.passages import store_passages
from knowledge.pipeline import AHEAD, Cutter, batches, embedded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from psycopg import AsyncConnection

    from knowledge.database import Pool
    from knowledge.embed import Embedder
    from knowledge.generations import Generation
    from knowledge.passages import Passage

# What the generation still lacks. A document that changes meanwhile loses its passages, and so comes again.
_MISSING = """
    select id, source_id from documents d
     where content is not null and id <> all(%(empty)s)
       and not exists (select from passages p where p.document_id = d.id and p.generation_id = %(generation)s)
     order by id"""


@dataclass(frozen=True, slots=True)
class _Recut:
    document_id: int
    source_id: int
    indexed_at: object
    passages: Sequence[Passage]


async def rebuild(
    pool: Pool, embedder: Embedder, generation: Generation, progress: Callable[[int, int], None]
) -> None:
    """Fill `generation` with every stored document, then make it current and drop the old one.

    Questions are answered from the old one throughout. An interrupted rebuild is taken up where it stopped.
    """
    empty: list[int] = []  # documents without passages, which would come again forever
    while not await _switched(pool, generation, empty):
        missing = await _missing(pool, generation, empty)
        done = 0
        async with (
            ahead(batches(_recuts(pool, missing)), AHEAD) as recuts,
            ahead(embedded(pool, embedder, generation, recuts), AHEAD) as ready,
        ):
            async for batch, vectors in ready:
                async with pool.connection() as connection:
                    documents = await _unchanged(connection, batch)
                    await store_passages(connection, generation, documents, vectors)
                empty += [recut.document_id for recut in batch if not recut.passages]
                done += len(batch)
                progress(done, len(missing))


async def _unchanged(
    connection: AsyncConnection[Any], batch: Sequence[_Recut]
) -> list[tuple[int, int, Sequence[Passage]]]:
    """Return what is still as it was when it was cut, and keep it so until the transaction ends."""
    rows = await connection.execute(
        "select id, indexed_at from documents where id = any(%s) for share",
        [[recut.document_id for recut in batch]],
    )
    times = dict(await rows.fetchall())
    return [
        (recut.source_id, recut.document_id, recut.passages)
        for recut in batch
        if times.get(recut.document_id) == recut.indexed_at
    ]


async def _missing(pool: Pool, generation: Generation, empty: Sequence[int]) -> list[tuple[int, int]]:
    async with pool.connection() as connection:
        rows = await connection.execute(_MISSING, {"generation": generation.id, "empty": list(empty)})
        return await rows.fetchall()


async def _recuts(pool: Pool, documents: Sequence[tuple[int, int]]) -> AsyncIterator[_Recut]:
    cutter = Cutter()
    for document_id, source_id in documents:
        async with pool.connection() as connection:
            found = await connection.execute(
                "select path, title, content, indexed_at from documents where id = %s", [document_id]
            )
            row = await found.fetchone()
        if row and row[2] is not None:
            path, title, content, indexed_at = row
            passages = await cutter.cut(title, content, structure_of(path, content))
            yield _Recut(document_id, source_id, indexed_at, passages)


async def _switched(pool: Pool, generation: Generation, empty: Sequence[int]) -> bool:
    """Make the generation current if it lacks nothing, while no document can change."""
    async with pool.connection() as connection:
        await connection.execute("lock table documents in share mode")
        missing = await connection.execute(_MISSING, {"generation": generation.id, "empty": list(empty)})
        if missing.rowcount:
            return False
        await switch_generation(connection, generation)
        return True
