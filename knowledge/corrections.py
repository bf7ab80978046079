"""What people corrected in records before they confirmed them: training cases, where that is turned on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.types.json import Json

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import AsyncConnection

    from knowledge.database import Pool


async def keep_correction(connection: AsyncConnection[Any], draft_id: UUID, example: Any) -> None:
    """Keep a case in the form that grammars/tuning/fields.py reads, in the caller's transaction."""
    await connection.execute(
        "insert into corrections (draft_id, example) values (%s, %s) on conflict (draft_id) do nothing",
        [draft_id, Json(example)],
    )


async def list_corrections(pool: Pool) -> list[dict[str, Any]]:
    """Return the cases, oldest first."""
    async with pool.connection() as connection:
        cursor = await connection.execute("select example from corrections order by given_at, draft_id")
        return [row[0] for row in await cursor.fetchall()]
