"""What a run has to do: the files of a source beside the documents that are stored of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import AsyncConnection

    from knowledge.runs import Run
    from knowledge.sources.origin import File
    from knowledge.sources.registry import Source

# A file written this shortly before it was indexed may have been written again at the same time and size.
CLOCK_GRAIN = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of a document that is stored."""

    id: int
    uri: str
    size: int
    mtime_ns: int
    version: str | None
    content_hash: bytes | None
    error: str | None
    indexed_at: datetime
    run_id: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run has to do, and what it need not.

    Attributes:
        to_read: the files to read, each with what is stored of it; None where nothing is taken as known.
        unchanged: documents that are as they were.
        indexed: documents that this run indexed already, before it was interrupted.
        failures: files that failed before and did not change since, with the reason.
        removed: documents that are gone.
    """

    to_read: Sequence[tuple[File, Stored | None]]
    unchanged: int
    indexed: int
    failures: Sequence[tuple[File, str]]
    removed: Sequence[Stored]

    @property
    def seen(self) -> int:
        """How many documents the source has."""
        return len(self.to_read) + self.unchanged + self.indexed + len(self.failures)


async def stored_documents(connection: AsyncConnection[Any], source: Source) -> list[Stored]:
    """Return what is stored of the source."""
    async with connection.cursor(row_factory=class_row(Stored)) as cursor:
        await cursor.execute(
            "select id, uri, size, mtime_ns, version, content_hash, error, indexed_at, run_id from documents"
            " where source_id = %s",
            [source.id],
        )
        return await cursor.fetchall()


def make_plan(files: Sequence[File], stored: Sequence[Stored], run: Run) -> Plan:
    """Compare; a full run takes nothing as known but what it did itself."""
    known = {document.uri: document for document in stored}
    listed = [(file, known.pop(file.uri, None)) for file in files]
    settled = [(file, doc) for file, doc in listed if doc and _settled(file, doc, run)]
    settled_uris = {doc.uri for _, doc in settled}
    failures = [(file, doc.error) for file, doc in settled if doc.error]
    indexed = sum(doc.run_id == run.id and not doc.error for _, doc in settled)
    to_read = [
        (file, None if run.full_read else doc)
        for file, doc in listed
        if not doc or doc.uri not in settled_uris
    ]
    unchanged = len(settled) - len(failures) - indexed
    return Plan(to_read, unchanged, indexed, failures, list(known.values()))


def _settled(file: File, stored: Stored, run: Run) -> bool:
    return (stored.run_id == run.id or not run.full_read) and _same(file, stored)


def _same(file: File, stored: Stored) -> bool:
    if file.error:
        return file.error == stored.error
    if file.version is not None:
        return file.version == stored.version
    if not file.mtime_ns or (file.size, file.mtime_ns) != (stored.size, stored.mtime_ns):
        return False
    written = file.mtime_ns / 1e9
    return written < (stored.indexed_at - CLOCK_GRAIN).timestamp()
