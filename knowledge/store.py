"""Storing what was read and embedded, a batch of documents at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knowledge.passages import store_passages

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from psycopg import AsyncConnection

    from knowledge.files import File
    from knowledge.generations import Generation
    from knowledge.pipeline import Reading


async def store_readings(
    connection: AsyncConnection[Any],
    generation: Generation,
    source_id: int,
    readings: Sequence[Reading],
    vectors: dict[bytes, NDArray[np.float32]],
) -> None:
    """Replace each document and its passages by what was read, within the caller's transaction."""
    await _touch(connection, source_id, [reading.file for reading in readings if reading.same])
    changed = {reading.file.uri: reading for reading in readings if not reading.same}
    ids = await _replace(connection, source_id, list(changed.values()))
    await connection.execute("delete from passages where document_id = any(%s)", [list(ids.values())])
    documents = [(source_id, ids[uri], reading.passages) for uri, reading in changed.items()]
    await store_passages(connection, generation, documents, vectors)


async def _touch(connection: AsyncConnection[Any], source_id: int, files: Sequence[File]) -> None:
    """Note the new size and time of files whose content is the same."""
    if files:
        await connection.execute(_TOUCH, {"source": source_id, **_facts(files)})


async def _replace(
    connection: AsyncConnection[Any], source_id: int, readings: Sequence[Reading]
) -> dict[str, int]:
    """Insert or update the documents and return their ids by URI."""
    values = {
        "source": source_id,
        **_facts([reading.file for reading in readings]),
        "titles": [reading.title for reading in readings],
        "contents": [reading.text for reading in readings],
        "errors": [reading.error for reading in readings],
        "hashes": [reading.digest for reading in readings],
    }
    return dict(await (await connection.execute(_REPLACE, values)).fetchall())


def _facts(files: Sequence[File]) -> dict[str, list[Any]]:
    return {
        "uris": [file.uri for file in files],
        "paths": [file.path for file in files],
        "sizes": [file.size for file in files],
        "mtimes": [file.mtime_ns for file in files],
    }


_TOUCH = """
    update documents d set size = f.size, mtime_ns = f.mtime_ns, indexed_at = now()
      from unnest(%(uris)s::text[], %(sizes)s::bigint[], %(mtimes)s::bigint[]) f (uri, size, mtime_ns)
     where d.source_id = %(source)s and d.uri = f.uri"""

_REPLACE = """
    insert into documents (source_id, uri, path, size, mtime_ns, title, content, error, content_hash)
    select %(source)s, *
      from unnest(%(uris)s::text[], %(paths)s::text[], %(sizes)s::bigint[], %(mtimes)s::bigint[],
                  %(titles)s::text[], %(contents)s::text[], %(errors)s::text[], %(hashes)s::bytea[])
    on conflict (source_id, uri) do update set
        path = excluded.path, size = excluded.size, mtime_ns = excluded.mtime_ns, title = excluded.title,
        content = excluded.content, error = excluded.error, content_hash = excluded.content_hash,
        indexed_at = now()
    returning uri, id"""
