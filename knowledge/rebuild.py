"""Building a generation beside the current one, from the stored documents, and switching to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from knowledge.ahead import ahead
from knowledge.alone import BUILD, alone, alone_now
from knowledge.generations import (
    current_generation,
    drop_generations,
    fits,
    generation_for,
    generations_of,
    sweep_generations,
    switch_generation,
)
from knowledge.parse import structure_of
from knowledge.passages import store_passages
from knowledge.pipeline import AHEAD, Cutter, batches, embedded
from knowledge.runs import whole_runs_open

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from psycopg import AsyncConnection

    from knowledge.database import Pool
    from knowledge.embed import Embedder
    from knowledge.generations import Generation
    from knowledge.passages import Passage

# Called with documents done and documents to do, before the first batch and after each; what it raises ends
# the rebuild.
Steps = Callable[[int, int], Awaitable[None]]

# Whoever stores passages is waited for, and waits.
_NO_STORING = "lock table documents in share mode"

# What the generation still lacks. A document that changes meanwhile loses its passages, and so comes again.
_MISSING = """
    select id, source_id from documents d
     where content is not null and id <> all(%(empty)s)
       and not exists (select from passages p where p.document_id = d.id and p.generation_id = %(generation)s)
     order by id"""

# A run may have brought it meanwhile.
_LACKING = """
    select path, title, content, indexed_at from documents d
     where id = %(document)s and content is not null
       and not exists (
           select from passages p where p.document_id = d.id and p.generation_id = %(generation)s)"""


@dataclass(frozen=True, slots=True)
class _Recut:
    document_id: int
    source_id: int
    indexed_at: object
    passages: Sequence[Passage]


async def _untold(_done: int, _to_do: int) -> None:
    """Tell nobody."""


async def ready_generation(pool: Pool, embedder: Embedder, progress: Steps = _untold) -> bool:
    """See to it that the current generation is this embedder's; return whether it had to be rebuilt.

    Whoever else is at that is waited for.
    """
    async with pool.connection() as connection:
        current = await current_generation(connection)
    if current and fits(current, embedder):
        return False
    async with alone(pool, BUILD):
        generation, is_current = await generation_for(pool, embedder)
        if not is_current:
            await rebuild(pool, embedder, generation, progress)
        return not is_current


async def finish_build(pool: Pool, embedder: Embedder, progress: Steps) -> None:
    """Fill what the generation beside still lacks and switch to it.

    The caller has the building to itself, and sees to it that no other run adds to that generation.
    """
    async with pool.connection() as connection:
        beside = (await generations_of(connection, embedder))[1:]
    if beside:
        await rebuild(pool, embedder, beside[0], progress)


async def give_up_build(pool: Pool, embedder: Embedder) -> None:
    """Drop the generation beside the current one, which goes on serving, if no run still adds to it."""
    async with alone(pool, BUILD) as connection:
        if await whole_runs_open(connection):
            return
        async with connection.transaction():
            await connection.execute(_NO_STORING)
            found = await generations_of(connection, embedder)
            if found and found[0] == await current_generation(connection):
                await drop_generations(connection, [generation.id for generation in found[1:]])


async def sweep(pool: Pool, embedder: Embedder) -> int:
    """Drop what abandoned rebuilds left; return how many there were. One under way is left alone.

    Args:
        pool: of the database.
        embedder: the one that is set. Where another's index serves, its own is going to be built: it is kept.
    """
    async with alone_now(pool, BUILD) as connection:
        if connection is None or await whole_runs_open(connection):
            return 0
        async with connection.transaction():
            await connection.execute(_NO_STORING)
            return await sweep_generations(connection, embedder)


async def rebuild(pool: Pool, embedder: Embedder, generation: Generation, progress: Steps) -> None:
    """Fill `generation` with every stored document, then make it current and drop the old one.

    Questions are answered from the old one throughout. An interrupted rebuild is taken up where it stopped.
    """
    empty: list[int] = []  # documents without passages, which would come again forever
    while not await _switched(pool, generation, empty):
        missing = await _missing(pool, generation, empty)
        done = 0
        await progress(done, len(missing))
        async with (
            ahead(batches(_recuts(pool, generation, missing)), AHEAD) as recuts,
            ahead(embedded(pool, embedder, generation, recuts), AHEAD) as ready,
        ):
            async for batch, vectors in ready:
                async with pool.connection() as connection:
                    documents = await _unchanged(connection, batch)
                    await store_passages(connection, generation, documents, vectors)
                empty += [recut.document_id for recut in batch if not recut.passages]
                done += len(batch)
                await progress(done, len(missing))


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


async def _recuts(
    pool: Pool, generation: Generation, documents: Sequence[tuple[int, int]]
) -> AsyncIterator[_Recut]:
    cutter = Cutter()
    for document_id, source_id in documents:
        async with pool.connection() as connection:
            found = await connection.execute(_LACKING, {"document": document_id, "generation": generation.id})
            row = await found.fetchone()
        if row:
            path, title, content, indexed_at = row
            structure = await asyncio.to_thread(structure_of, path, content)
            passages = await cutter.cut(title, content, structure)
            yield _Recut(document_id, source_id, indexed_at, passages)


async def _switched(pool: Pool, generation: Generation, empty: Sequence[int]) -> bool:
    """Make the generation current if it lacks nothing, while no document can change."""
    async with pool.connection() as connection:
        await connection.execute(_NO_STORING)
        missing = await connection.execute(_MISSING, {"generation": generation.id, "empty": list(empty)})
        if missing.rowcount:
            return False
        await switch_generation(connection, generation)
        return True
