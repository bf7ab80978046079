from __future__ import annotations

from typing import TYPE_CHECKING

from knowledge.documents import line_numbers, stored_text

if TYPE_CHECKING:
    from knowledge.database import Pool

TEXT = "one\ntwo ünï\n\nfour"


async def store(pool: Pool) -> None:
    async with pool.connection() as connection:
        await connection.execute(
            "with s as (insert into sources (name, uri) values ('docs', 'file:///docs') returning id)"
            " insert into documents (source_id, uri, path, content, content_hash, size, mtime_ns)"
            " select id, 'file:///docs/a.md', 'a.md', %s, '', 0, 0 from s",
            [TEXT],
        )


async def test_a_documents_text_is_found_by_uri_and_by_path(pool: Pool) -> None:
    await store(pool)
    assert await stored_text(pool, "file:///docs/a.md") == TEXT
    assert await stored_text(pool, "a.md") == TEXT
    assert await stored_text(pool, "b.md") is None


async def test_offsets_become_lines(pool: Pool) -> None:
    await store(pool)
    places = [("file:///docs/a.md", offset) for offset in (0, 3, 4, TEXT.index("ünï"), TEXT.index("four"))]
    lines = await line_numbers(pool, [*places, ("file:///gone.md", 0)])
    assert [lines[place] for place in places] == [1, 1, 2, 2, 4]
    assert ("file:///gone.md", 0) not in lines
