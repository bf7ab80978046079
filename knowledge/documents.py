"""The stored documents, as the parser left them: what every offset counts in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from knowledge.database import Pool


async def stored_text(pool: Pool, name: str) -> str | None:
    """Return a document's text by its URI, or by its path within its source; None where there is none."""
    async with pool.connection() as connection:
        row = await (await connection.execute(_TEXT, {"name": name})).fetchone()
    return row[0] if row else None


async def line_numbers(pool: Pool, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Return the line, from 1, of each (URI, character offset) in the stored text."""
    wanted = list(places)
    values = {"uris": [uri for uri, _ in wanted], "offsets": [offset for _, offset in wanted]}
    async with pool.connection() as connection:
        rows = await (await connection.execute(_LINES, values)).fetchall()
    return {(uri, offset): line for uri, offset, line in rows}


_TEXT = """
select content from documents
 where (uri = %(name)s or path = %(name)s) and content is not null
 order by uri <> %(name)s limit 1
"""

_LINES = """
select p.uri, p.start, 1 + length(before) - length(replace(before, E'\\n', ''))
  from unnest(%(uris)s::text[], %(offsets)s::int[]) as p (uri, start)
  join documents d on d.uri = p.uri, left(d.content, p.start) as before
"""
