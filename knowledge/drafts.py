"""Drafts: records on their way from a message, through a person's hands, into a channel.

The rows are all there is, as with questions: every step changes the row and defers a job in one transaction,
and a job brings what Slack shows into the state that the row describes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from psycopg.rows import dict_row
from psycopg.types.json import Json, Jsonb

from knowledge.corrections import keep_correction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg import AsyncConnection

    from knowledge.database import Pool

    Defer = Callable[[AsyncConnection[Any], UUID], Awaitable[None]]

State = Literal["choosing", "reading", "ready", "confirmed", "posted", "failed", "dropped"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A message that is read, and where it stands in the draft's text, in characters."""

    ts: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """A record in the making.

    Attributes:
        thread_ts: of the thread that the record is posted to; None is the channel itself.
        messages: what is read; empty where a person pasted the text.
        whole_thread: the messages are to be fetched: all of the first one's thread.
        files: attachments that are still to be fetched, each with its `name` and `url`.
        state: `choosing` a schema, `reading`, `ready` for a person, `confirmed` by them, `posted`; or
            `failed` (with `error`), or `dropped` by the person.
        revision: counts the forms that were shown.
        extraction: as `Extraction.as_json` gives it.
        record: as the person has it now.
        card_ts: of the message that shows the record.
        triage: nobody asked: its channel is set to have every message read.
    """

    id: UUID
    team: str
    channel: str
    asker: str
    thread_ts: str | None = None
    schema_name: str | None = None
    schema_version: int | None = None
    messages: tuple[Piece, ...] = ()
    whole_thread: bool = False
    files: tuple[dict[str, str], ...] = ()
    text: str = ""
    state: State = "choosing"
    revision: int = 1
    extraction: dict[str, Any] | None = None
    record: Any = None
    error: str | None = None
    confirmed_by: str | None = None
    confirmed_at: datetime | None = None
    card_ts: str | None = None
    delivered_at: datetime | None = None
    triage: bool = False


class Drafts:
    """The drafts of every workspace, over a pool that it does not own.

    `defer(connection, draft_id)` defers the job that carries a draft on, in the connection's transaction, and
    `deliver` likewise the one that sends a confirmed record to the webhook, where there is one.
    """

    def __init__(self, pool: Pool, defer: Defer, deliver: Defer | None = None) -> None:
        self._pool = pool
        self._defer = defer
        self._deliver = deliver

    async def begin(self, draft: Draft) -> None:
        """Keep a new draft, for which a schema is still to be chosen."""
        async with self._pool.connection() as connection:
            await connection.execute(_BEGIN, _as_row(draft))

    async def triage(self, draft: Draft, limit: int) -> bool:
        """Have a message read that nobody asked about; False where it is known, or the channel had enough.

        Args:
            draft: its id is made from the message, so that the same one comes out the same.
            limit: of messages a minute in its channel.
        """
        async with self._pool.connection() as connection:
            values = _as_row(draft) | {"schema": draft.schema_name, "limit": limit}
            row = await (await connection.execute(_TRIAGE, values)).fetchone()
            if row is not None:
                await self._defer(connection, draft.id)
        return row is not None

    async def choose(self, draft_id: UUID, schema_name: str) -> Draft | None:
        """Have a draft read by a schema, anew where it was read by another; None where it is too late."""
        return await self._move(_CHOOSE, {"id": draft_id, "schema": schema_name}, defer=True)

    async def find(self, draft_id: UUID) -> Draft | None:
        """Return a draft."""
        return await self._move(_FIND, {"id": draft_id})

    async def gather(self, draft: Draft, text: str, messages: Sequence[Piece]) -> None:
        """Keep what is to be read."""
        values = {"id": draft.id, "text": text, "messages": _as_json(messages)}
        await self._move(_GATHER, values)

    async def extracted(self, draft: Draft, extraction: dict[str, Any], record: Any) -> Draft | None:
        """Keep what was read; None where the draft was dropped or another schema chosen meanwhile."""
        values = _version(draft) | {
            "extraction": Json(extraction),
            "record": Json(record),
            "schema_version": extraction.get("version"),
        }
        return await self._move(_EXTRACTED, values)

    async def fail(self, draft: Draft, error: str) -> Draft | None:
        """Note that nothing could be read, with a sentence that says why."""
        return await self._move(_FAIL, _version(draft) | {"error": error})

    async def edit(self, draft: Draft, record: Any) -> Draft | None:
        """Keep what a person has changed so far, for a new form; None where another form is newer."""
        return await self._move(_EDIT, _version(draft) | {"record": Json(record)})

    async def confirm(
        self, draft: Draft, record: Any, person: str | None, example: Any = None
    ) -> Draft | None:
        """Take a record as confirmed, and have it posted; None where it was already.

        Args:
            draft: as it was shown.
            record: what the person made of it; valid.
            person: who says so; None where the channel is set to ask nobody.
            example: a training case, where corrections are to be kept.
        """
        values = _version(draft) | {"record": Json(record), "person": person}
        async with self._pool.connection() as connection:
            confirmed = await self._change(connection, _CONFIRM, values)
            if confirmed is not None:
                await self._defer(connection, draft.id)
                if example is not None:
                    await keep_correction(connection, draft.id, example)
        return confirmed

    async def drop(self, draft_id: UUID) -> None:
        """Forget what was being made: the person closed the form."""
        await self._move(_DROP, {"id": draft_id})

    async def posted(self, draft: Draft, ts: str | None) -> None:
        """Note where the card stands, None where Slack took none; then the webhook gets the record."""
        async with self._pool.connection() as connection:
            done = await self._change(connection, _POSTED, {"id": draft.id, "ts": ts})
            if done is not None and self._deliver is not None:
                await self._deliver(connection, draft.id)

    async def delivered(self, draft_id: UUID) -> None:
        """Note that the webhook took it."""
        await self._move(_DELIVERED, {"id": draft_id})

    async def last_schema(self, team: str, channel: str) -> str | None:
        """Return the schema by which a channel's last record was made."""
        async with self._pool.connection() as connection:
            row = await (await connection.execute(_LAST, {"team": team, "channel": channel})).fetchone()
        return str(row[0]) if row else None

    async def _move(self, statement: str, values: dict[str, Any], *, defer: bool = False) -> Draft | None:
        async with self._pool.connection() as connection:
            draft = await self._change(connection, statement, values)
            if draft is not None and defer:
                await self._defer(connection, draft.id)
        return draft

    async def _change(
        self, connection: AsyncConnection[Any], statement: str, values: dict[str, Any]
    ) -> Draft | None:
        async with connection.cursor(row_factory=dict_row) as cursor:
            row = await (await cursor.execute(statement, values)).fetchone()
        return _as_draft(row) if row else None


def _version(draft: Draft) -> dict[str, Any]:
    return {"id": draft.id, "revision": draft.revision}


def _as_json(messages: Sequence[Piece]) -> Jsonb:
    return Jsonb([{"ts": one.ts, "start": one.start, "end": one.end} for one in messages])


def _as_row(draft: Draft) -> dict[str, Any]:
    names = ("id", "team", "channel", "thread_ts", "asker", "whole_thread", "text")
    row = {name: getattr(draft, name) for name in names}
    return row | {"messages": _as_json(draft.messages), "files": Jsonb(list(draft.files))}


def _as_draft(row: dict[str, Any]) -> Draft:
    row.pop("created_at")
    messages = tuple(Piece(**one) for one in row["messages"])
    return Draft(**row | {"messages": messages, "files": tuple(row["files"])})


_BEGIN = """
insert into drafts (id, team, channel, thread_ts, asker, whole_thread, files, text, messages)
values (%(id)s, %(team)s, %(channel)s, %(thread_ts)s, %(asker)s, %(whole_thread)s, %(files)s,
        %(text)s, %(messages)s)
"""

_TRIAGE = """
insert into drafts (id, team, channel, thread_ts, asker, whole_thread, files, text, messages,
                    schema_name, state, triage)
select %(id)s, %(team)s, %(channel)s, %(thread_ts)s, %(asker)s, %(whole_thread)s, %(files)s,
       %(text)s, %(messages)s, %(schema)s, 'reading', true
 where %(limit)s > (select count(*) from drafts
                     where (team, channel) = (%(team)s, %(channel)s) and triage
                       and created_at > now() - interval '1 minute')
on conflict (id) do nothing
returning id
"""

_FIND = "select * from drafts where id = %(id)s"

_CHOOSE = """
update drafts set schema_name = %(schema)s, schema_version = null, state = 'reading', error = null,
                  extraction = null, record = null, revision = revision + 1
 where id = %(id)s and state in ('choosing', 'reading', 'ready', 'failed')
returning *
"""

_GATHER = (
    "update drafts set text = %(text)s, messages = %(messages)s, files = '[]' where id = %(id)s returning *"
)

_EXTRACTED = """
update drafts set extraction = %(extraction)s, record = %(record)s, schema_version = %(schema_version)s,
                  state = 'ready', revision = revision + 1
 where id = %(id)s and revision = %(revision)s and state = 'reading'
returning *
"""

_FAIL = """
update drafts set state = 'failed', error = %(error)s
 where id = %(id)s and revision = %(revision)s and state = 'reading'
returning *
"""

_EDIT = """
update drafts set record = %(record)s, revision = revision + 1
 where id = %(id)s and revision = %(revision)s and state = 'ready'
returning *
"""

_CONFIRM = """
update drafts set record = %(record)s, state = 'confirmed', confirmed_by = %(person)s, confirmed_at = now()
 where id = %(id)s and revision = %(revision)s and state = 'ready'
returning *
"""

# What was never confirmed is nobody's: neither its text nor its record is kept.
_DROP = """
update drafts set state = 'dropped', text = '', extraction = null, record = null
 where id = %(id)s and state in ('choosing', 'reading', 'ready', 'failed')
returning *
"""

# From here on only the record counts: what people wrote stays in Slack.
_POSTED = """
update drafts set state = 'posted', card_ts = %(ts)s, text = ''
 where id = %(id)s and state = 'confirmed'
returning *
"""

_DELIVERED = "update drafts set delivered_at = now() where id = %(id)s returning *"

_LAST = """
select schema_name from drafts
 where team = %(team)s and channel = %(channel)s and state in ('confirmed', 'posted')
 order by created_at desc limit 1
"""
