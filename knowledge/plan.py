"""What a run has to do: the files of a source beside the documents that are stored of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import AsyncConnection

    from knowledge.files import File
    from knowledge.sources import Source

# A file written this shortly before it was indexed may have been written again at the same time and size.
CLOCK_GRAIN = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of a document that is stored."""

    id: int
    uri: str
    size: int
    mtime_ns: int
    content_hash: bytes | None
    error: str | None
    indexed_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """The files to read, each with the hash of what is stored of it; and what need not be read."""

    to_read: Sequence[tuple[File, bytes | None]]
    unchanged: int
    failures: Sequence[tuple[File, str]]
    removed: Sequence[int]  # documents' ids


async def stored_documents(connection: AsyncConnection[Any], source: Source) -> list[Stored]:
    """Return what is stored of the source."""
    async with connection.cursor(row_factory=class_row(Stored)) as cursor:
        await cursor.execute(
            "select id, uri, size, mtime_ns, content_hash, error, indexed_at from documents"
            " where source_id = %s",
            [source.id],
        )
        return await cursor.fetchall()


def make_plan(files: Sequence[File], stored: Sequence[Stored], *, full: bool) -> Plan:
    """Compare; with `full`, everything is read and nothing taken as known."""
    known = {document.uri: document for document in stored}
    listed = [(file, known.pop(file.uri, None)) for file in files]
    settled = [(file, doc) for file, doc in listed if doc and not full and _same(file, doc)]
    failures = [(file, doc.error) for file, doc in settled if doc.error]
    settled_uris = {doc.uri for _, doc in settled}
    to_read = [
        (file, doc.content_hash if doc and not full else None)
        for file, doc in listed
        if not doc or doc.uri not in settled_uris
    ]
    return Plan(to_read, len(settled) - len(failures), failures, [document.id for document in known.values()])


def _same(file: File, stored: Stored) -> bool:
    if (file.size, file.mtime_ns) != (stored.size, stored.mtime_ns):
        return False
    written = file.mtime_ns / 1e9
    return written < (stored.indexed_at - CLOCK_GRAIN).timestamp()
