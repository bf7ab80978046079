"""Records that were extracted: what was made of which text, by which schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Json, Jsonb

if TYPE_CHECKING:
    from knowledge.database import Pool


async def save_record(
    pool: Pool,
    *,
    id: str,  # noqa: A002 - the column's name
    schema_id: int | None,
    text_hash: bytes,
    model: str,
    extraction: dict[str, Any] | None = None,
    error: str | None = None,
) -> None:
    """Keep a record, or why there is none; the text itself is not kept."""
    made = extraction or {}
    async with pool.connection() as connection:
        await connection.execute(
            """
            insert into records
                (id, schema_id, text_hash, model, record, evidence, missing, timings_ms, error)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            (
                UUID(id),
                schema_id,
                text_hash,
                model,
                Json(made["record"]) if extraction else None,
                Jsonb(made.get("evidence", {})),
                Jsonb(made.get("missing", [])),
                Jsonb(made.get("timings_ms", {})),
                error,
            ),
        )


async def find_record(pool: Pool, trace_id: str) -> dict[str, Any] | None:
    """Return a record's row by its trace id, with its schema's name and version; None where there is none."""
    async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """
            select records.*, schemas.name as schema, schemas.version
              from records left join schemas on schemas.id = records.schema_id
             where records.id = %s
            """,
            (UUID(trace_id),),
        )
        return await cursor.fetchone()
