"""Storing what was read and embedded, a batch of documents at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knowledge.passages import store_passages

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from psycopg import AsyncConnection

    from knowledge.generations import Generation
    from knowledge.pipeline import Reading
    from knowledge.runs import Run
    from knowledge.sources.origin import File

Vectors = dict[bytes, "NDArray[np.float32]"]


async def store_readings(
    connection: AsyncConnection[Any],
    generations: Sequence[Generation],
    run: Run,
    readings: Sequence[Reading],
    vectors: Vectors,
) -> list[str]:
    """Replace each document and its passages by what was read, within the caller's transaction.

    Returns:
        The URIs of the documents whose text is not what it was.
    """
    await _touch(connection, run, [reading.file for reading in readings if reading.same])
    gone = [reading.known.id for reading in readings if reading.gone and reading.known]
    uris = await remove_documents(connection, run, gone)
    changed = {r.file.uri: r for r in readings if not r.same and not r.gone}
    rows = await _replace(connection, run, list(changed.values()))
    ids = {uri: number for uri, number, _ in rows if not changed[uri].passing}
    await connection.execute("delete from passages where document_id = any(%s)", [list(ids.values())])
    documents = [(run.source_id, number, changed[uri].passages) for uri, number in ids.items()]
    for generation in generations:
        await store_passages(connection, generation, documents, vectors)
    return uris + [uri for uri, _, different in rows if different]


async def remove_documents(connection: AsyncConnection[Any], run: Run, documents: Sequence[int]) -> list[str]:
    """Remove documents with their passages, within the caller's transaction; return their URIs."""
    if not documents:
        return []
    values = {"run": run.id, "ids": list(documents)}
    return [uri for (uri,) in await (await connection.execute(_REMOVE, values)).fetchall()]


async def _touch(connection: AsyncConnection[Any], run: Run, files: Sequence[File]) -> None:
    """Note the new size, time and version of files whose content is the same."""
    if files:
        await connection.execute(_TOUCH, {"source": run.source_id, **_facts(files)})


async def _replace(
    connection: AsyncConnection[Any], run: Run, readings: Sequence[Reading]
) -> list[tuple[str, int, bool]]:
    """Insert or update the documents; return URI, id and whether the text is another."""
    values = {
        "source": run.source_id,
        "run": run.id,
        **_facts([reading.file for reading in readings]),
        "titles": [reading.title for reading in readings],
        "contents": [reading.text for reading in readings],
        "errors": [reading.error for reading in readings],
        "hashes": [reading.digest for reading in readings],
        "passing": [reading.passing for reading in readings],
    }
    return await (await connection.execute(_REPLACE, values)).fetchall()


def _facts(files: Sequence[File]) -> dict[str, list[Any]]:
    return {
        "uris": [file.uri for file in files],
        "paths": [file.path for file in files],
        "sizes": [file.size for file in files],
        "mtimes": [file.mtime_ns for file in files],
        "versions": [file.version for file in files],
    }


_REMOVE = """
with removed as (delete from documents where id = any(%(ids)s) returning uri, path)
insert into changes (run_id, uri, path, change)
select %(run)s, uri, path, 'removed' from removed
on conflict (run_id, uri) do update set change = 'removed', changed_at = now()
returning uri"""

# A document that could not be read for a while, and is as it was, is mended by this.
_TOUCH = """
    update documents d
       set path = f.path, size = f.size, mtime_ns = f.mtime_ns, version = f.version, error = null,
           indexed_at = now()
      from unnest(%(uris)s::text[], %(paths)s::text[], %(sizes)s::bigint[], %(mtimes)s::bigint[],
                  %(versions)s::text[]) f (uri, path, size, mtime_ns, version)
     where d.source_id = %(source)s and d.uri = f.uri"""

# A passing error leaves title, text and hash as they are.
_REPLACE = """
with read as (
    select * from unnest(%(uris)s::text[], %(paths)s::text[], %(sizes)s::bigint[], %(mtimes)s::bigint[],
                         %(versions)s::text[], %(titles)s::text[], %(contents)s::text[], %(errors)s::text[],
                         %(hashes)s::bytea[], %(passing)s::bool[])
               as r (uri, path, size, mtime_ns, version, title, content, error, content_hash, passing)
),
before as (
    select d.uri, d.title, d.content, d.content_hash, d.changed_at
      from documents d where d.source_id = %(source)s and d.uri = any(%(uris)s)
),
merged as (
    select r.uri, r.path, r.size, r.mtime_ns, r.version, r.error, b.uri is null as is_new,
           case when r.passing then coalesce(b.title, '') else r.title end as title,
           case when r.passing then b.content else r.content end as content,
           case when r.passing then b.content_hash else r.content_hash end as content_hash,
           not r.passing and b.content is distinct from r.content as different,
           b.changed_at
      from read r left join before b on b.uri = r.uri
),
noted as (
    insert into changes (run_id, uri, path, change)
    select %(run)s, uri, path, case when is_new then 'added' else 'changed' end from merged where different
    on conflict (run_id, uri) do update set change = excluded.change, changed_at = now()
),
kept as (
    insert into documents (source_id, run_id, uri, path, size, mtime_ns, version, title, content, error,
                           content_hash, changed_at)
    select %(source)s, %(run)s, uri, path, size, mtime_ns, version, title, content, error, content_hash,
           case when different then now() else coalesce(changed_at, now()) end
      from merged
    on conflict (source_id, uri) do update set
        run_id = excluded.run_id, path = excluded.path, size = excluded.size, mtime_ns = excluded.mtime_ns,
        version = excluded.version, title = excluded.title, content = excluded.content,
        error = excluded.error, content_hash = excluded.content_hash, changed_at = excluded.changed_at,
        indexed_at = now()
    returning uri, id
)
select k.uri, k.id, m.different from kept k join merged m on m.uri = k.uri"""
