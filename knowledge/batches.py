"""Many messages read by one schema: a row each, so that a run that was cut goes on where it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row
from psycopg.types.json import Json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg import AsyncConnection

    from knowledge.database import Pool


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that somebody asked for.

    Attributes:
        thread_ts: of the thread whose messages are read; None reads the channel's own.
        wanted: how many messages, the newest ones.
        progress_ts: of the message that shows how far it is.
        parts: how many parts of the result stand under that message.
        listed: whether its messages were fetched.
    """

    id: UUID
    team: str
    channel: str
    asker: str
    schema_name: str
    schema_version: int
    wanted: int
    thread_ts: str | None = None
    progress_ts: str | None = None
    parts: int = 0
    listed: bool = False
    finished_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One message; `result` is an extraction, or `{"error": …}`, once it was read."""

    number: int
    ts: str
    text: str
    author: str | None = None
    result: dict[str, Any] | None = None


class Batches:
    """The batches, over a pool that it does not own; `defer` defers the job that runs one."""

    def __init__(self, pool: Pool, defer: Callable[[AsyncConnection[Any], UUID], Awaitable[None]]) -> None:
        self._pool = pool
        self._defer = defer

    async def begin(self, batch: Batch) -> None:
        """Keep a new batch, and have it run."""
        names = ("id", "team", "channel", "thread_ts", "asker", "schema_name", "schema_version", "wanted")
        async with self._pool.connection() as connection:
            await connection.execute(_BEGIN, {name: getattr(batch, name) for name in names})
            await self._defer(connection, batch.id)

    async def find(self, batch_id: UUID) -> Batch | None:
        """Return a batch."""
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(Batch)) as c,
        ):
            return await (await c.execute(_FIND, [batch_id])).fetchone()

    async def shown(self, batch_id: UUID, progress_ts: str) -> None:
        """Note where its progress is shown."""
        await self._execute("update batches set progress_ts = %s where id = %s", progress_ts, batch_id)

    async def list_rows(self, batch_id: UUID, rows: Sequence[Row]) -> None:
        """Keep which messages are to be read."""
        async with self._pool.connection() as connection, connection.cursor() as cursor:
            values = [(batch_id, row.number, row.ts, row.text, row.author) for row in rows]
            await cursor.executemany(_ROW, values)
            await cursor.execute("update batches set listed = true where id = %s", [batch_id])

    async def rows(self, batch_id: UUID) -> list[Row]:
        """Return its messages, oldest first."""
        async with self._pool.connection() as connection, connection.cursor(row_factory=class_row(Row)) as c:
            return await (await c.execute(_ROWS, [batch_id])).fetchall()

    async def keep(self, batch_id: UUID, number: int, result: dict[str, Any]) -> None:
        """Keep what one message said."""
        statement = "update batch_rows set result = %s where batch_id = %s and number = %s"
        await self._execute(statement, Json(result), batch_id, number)

    async def posted(self, batch_id: UUID, parts: int) -> None:
        """Note how many parts of its result are posted."""
        await self._execute("update batches set parts = %s where id = %s", parts, batch_id)

    async def finish(self, batch_id: UUID, error: str | None = None) -> None:
        """Note that it is over; what people wrote then stays in Slack alone."""
        async with self._pool.connection() as connection:
            await connection.execute(_FINISH, {"id": batch_id, "error": error})
            await connection.execute("update batch_rows set text = '' where batch_id = %s", [batch_id])

    async def _execute(self, statement: str, *values: Any) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(statement, values)


_BEGIN = """
insert into batches (id, team, channel, thread_ts, asker, schema_name, schema_version, wanted)
values (%(id)s, %(team)s, %(channel)s, %(thread_ts)s, %(asker)s, %(schema_name)s, %(schema_version)s,
        %(wanted)s)
"""

_FIND = """
select id, team, channel, asker, schema_name, schema_version, wanted, thread_ts, progress_ts, parts, listed,
       finished_at, error
  from batches where id = %s
"""

_ROW = """
insert into batch_rows (batch_id, number, ts, text, author) values (%s, %s, %s, %s, %s)
on conflict (batch_id, number) do nothing
"""

_ROWS = "select number, ts, text, author, result from batch_rows where batch_id = %s order by number"

_FINISH = "update batches set finished_at = now(), error = %(error)s where id = %(id)s"
