"""Generations of the index: one is current; a rebuild fills another beside it, then they switch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import class_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import AsyncConnection

    from knowledge.database import Pool
    from knowledge.embed import Embedder

LARGEST_DIMENSIONS = 4000  # what pgvector's HNSW takes of a halfvec
# pgvector's own defaults: recall@10 of .986 on 100,000 MiniLM vectors at ef_search 80.
LINKS, BUILD_CANDIDATES = 16, 64


@dataclass(frozen=True, slots=True)
class Generation:
    """One embedder's index of everything."""

    id: int
    embedder: str
    dimensions: int


class GenerationError(RuntimeError):
    """The index and the embedder do not fit together; the message says which command mends it."""


class SwitchedError(GenerationError):
    """The index was switched to another embedder meanwhile: run `almanac reindex` again."""


def fits(generation: Generation, embedder: Embedder) -> bool:
    """Whether the embedder's vectors can be compared with those of the generation."""
    return (generation.embedder, generation.dimensions) == (embedder.name, embedder.dimensions)


async def current_generation(connection: AsyncConnection[Any]) -> Generation | None:
    """Return the generation that questions are answered from, or None before the first `reindex`."""
    async with connection.cursor(row_factory=class_row(Generation)) as cursor:
        await cursor.execute("select id, embedder, dimensions from generations where is_current")
        return await cursor.fetchone()


async def generation_for(pool: Pool, embedder: Embedder) -> tuple[Generation, bool]:
    """Return the generation that `embedder` fills, and whether it is current already.

    The first of all is current from its start; another embedder's is built beside it. One that an interrupted
    run left unfinished is taken up again.
    """
    async with (
        pool.connection() as connection,
        connection.cursor(row_factory=class_row(Generation)) as cursor,
    ):
        # Two first runs must not both create it.
        await connection.execute("lock table generations in share row exclusive mode")
        found = await cursor.execute(
            "select id, embedder, dimensions from generations where embedder = %s and dimensions = %s"
            " order by is_current desc, id desc limit 1",
            [embedder.name, embedder.dimensions],
        )
        generation = await found.fetchone() or await _create(connection, embedder)
        current = await current_generation(connection)
        return generation, current is not None and current.id == generation.id


async def own_generation(pool: Pool, embedder: Embedder) -> Generation:
    """Return the current generation, which is this embedder's; the first of all is made.

    Raises:
        SwitchedError: another embedder's is current.
    """
    async with pool.connection() as connection:
        current = await current_generation(connection)
    if current is None:
        current, _ = await generation_for(pool, embedder)
    if not fits(current, embedder):
        raise SwitchedError(str(SwitchedError.__doc__))
    return current


async def generations_to_fill(connection: AsyncConnection[Any], embedder: Embedder) -> list[Generation]:
    """Return the generations that a run stores into; the first of them is the current one.

    Raises:
        SwitchedError: another embedder's is current.
    """
    found = await generations_of(connection, embedder)
    if not found or found[0] != await current_generation(connection):
        raise SwitchedError(str(SwitchedError.__doc__))
    return found


async def generations_of(connection: AsyncConnection[Any], embedder: Embedder) -> list[Generation]:
    """Return what has to hold every document of this embedder: the current one, then one being filled."""
    async with connection.cursor(row_factory=class_row(Generation)) as cursor:
        await cursor.execute(
            "select id, embedder, dimensions from generations where embedder = %s and dimensions = %s"
            " order by is_current desc, id",
            [embedder.name, embedder.dimensions],
        )
        return await cursor.fetchall()


async def build_beside(pool: Pool, embedder: Embedder) -> Generation | None:
    """Return the generation that a whole rebuild fills beside the current one of the same embedder.

    One that an interrupted rebuild left is taken up again. None where nothing of this embedder is current:
    `generation_for` has the one to fill then.
    """
    async with pool.connection() as connection:
        await connection.execute("lock table generations in share row exclusive mode")
        found = await generations_of(connection, embedder)
        current = await current_generation(connection)
        if current is None or current not in found:
            return None
        return found[1] if len(found) > 1 else await _create(connection, embedder)


async def sweep_generations(connection: AsyncConnection[Any], embedder: Embedder) -> int:
    """Drop what no rebuild will take up; the caller sees to it that none is under way.

    Only this embedder's is kept where another's is current: that is going to be built.

    Returns:
        How many there were.
    """
    left = await connection.execute(_LEFT, [embedder.name, embedder.dimensions])
    return await drop_generations(connection, [number for (number,) in await left.fetchall()])


_LEFT = """
select id from generations
 where not is_current
   and ((embedder, dimensions) <> (%s, %s)
        or (embedder, dimensions) in (select embedder, dimensions from generations where is_current))"""


async def drop_generations(connection: AsyncConnection[Any], numbers: Sequence[int]) -> int:
    """Drop generations with their passages and return how many; no run may be storing into them."""
    for number in numbers:
        await connection.execute(sql.SQL("drop index if exists {}").format(_index_name(number)))
    await connection.execute("delete from generations where id = any(%s)", [list(numbers)])
    return len(numbers)


async def switch_generation(connection: AsyncConnection[Any], generation: Generation) -> None:
    """Make `generation` the current one and drop every other, within the caller's transaction."""
    others = await connection.execute("select id from generations where id <> %s", [generation.id])
    await drop_generations(connection, [number for (number,) in await others.fetchall()])
    await connection.execute("update generations set is_current = true where id = %s", [generation.id])


async def _create(connection: AsyncConnection[Any], embedder: Embedder) -> Generation:
    if embedder.dimensions > LARGEST_DIMENSIONS:
        raise GenerationError(
            f"{embedder.name} makes vectors of {embedder.dimensions} numbers; pgvector indexes up to"
            f" {LARGEST_DIMENSIONS}. Choose another ALMANAC_EMBEDDER."
        )
    async with connection.cursor(row_factory=class_row(Generation)) as cursor:
        await cursor.execute(
            "insert into generations (embedder, dimensions, is_current)"
            " values (%s, %s, not exists (select from generations where is_current))"
            " returning id, embedder, dimensions",
            [embedder.name, embedder.dimensions],
        )
        generation = await cursor.fetchone()
    assert generation is not None
    await connection.execute(
        sql.SQL(
            "create index {} on passages using hnsw ((embedding::halfvec({})) halfvec_cosine_ops)"
            " with (m = {}, ef_construction = {}) where generation_id = {}"
        ).format(_index_name(generation.id), generation.dimensions, LINKS, BUILD_CANDIDATES, generation.id)
    )
    return generation


def _index_name(number: int) -> sql.Identifier:
    return sql.Identifier(f"passages_embedding_{number}")
