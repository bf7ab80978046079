"""Answers whose quotes are gone: found in the transaction that changes a document, marked in their threads.

A quote is stale where its document was removed, or does not hold it word for word any more; where it stands
again, the mark is taken off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from psycopg import AsyncConnection

    from knowledge.database import Pool

    # Defers the job that marks one answer: (connection, question id, lock of its thread).
    DeferMark = Callable[[AsyncConnection[Any], int, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class StaleQuote:
    """A quote that its document does not hold any more; `change` is `changed` or `removed`."""

    marker: int
    uri: str
    quote: str
    change: str


async def stale_quotes(pool: Pool, question_id: int) -> list[StaleQuote]:
    """Return which quotes of a question's present answer are gone, in the order of their markers."""
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=class_row(StaleQuote))
        await cursor.execute(_OF_QUESTION, [question_id])
        return await cursor.fetchall()


async def note_changes(
    connection: AsyncConnection[Any], uris: Sequence[str], defer: DeferMark | None
) -> None:
    """Compare every quote of these documents with what is stored of them now, in the caller's transaction.

    Each answer whose marks changed gets a job through `defer`, committed with the change or not at all.
    """
    if not uris:
        return
    await _compare(connection, uris, None, defer)


async def check_answer(pool: Pool, question_id: int, uris: Sequence[str], defer: DeferMark | None) -> None:
    """Compare the quotes of an answer that was just stored with their documents, which may have changed.

    A document that is being replaced is waited for. So either this sees what became of it, or whoever changes
    it later sees the answer. They are taken one at a time: holding two could wait in a circle.
    """
    for uri in dict.fromkeys(uris):
        async with pool.connection() as connection:
            await connection.execute("select from documents where uri = %s for share", [uri])
            await _compare(connection, [uri], question_id, defer)


async def _compare(
    connection: AsyncConnection[Any], uris: Sequence[str], question_id: int | None, defer: DeferMark | None
) -> None:
    rows = await connection.execute(_COMPARE, {"uris": list(uris), "question": question_id})
    marked = await rows.fetchall()
    if defer:
        for marked_id, lock in marked:
            await defer(connection, marked_id, lock)


async def forget_source(
    connection: AsyncConnection[Any], source_id: int, defer: DeferMark | None = None
) -> None:
    """Remove a source's documents, and note what quoted them."""
    rows = await connection.execute("delete from documents where source_id = %s returning uri", [source_id])
    await note_changes(connection, [uri for (uri,) in await rows.fetchall()], defer)


# A newer revision of the answer has markers of the same numbers: the text decides.
_OF_QUESTION = """
select s.marker, s.uri, s.quote, s.change
  from stale_quotes s
  join questions q on q.id = s.question_id
 where s.question_id = %s and not q.retracted
   and exists (select from jsonb_array_elements(q.answer->'citations') c
                where (c->>'marker')::int = s.marker and c->>'quote' = s.quote)
 order by s.marker"""

# The index on the citations finds the answers; of those few, each quote is looked for in its document.
_COMPARE = """
with quoted as materialized (
    select q.id, q.team || ':' || q.channel || ':' || coalesce(q.thread_ts, q.ts) as lock, u.uri,
           (c->>'marker')::int as marker, c->>'quote' as quote, d.id is not null as there,
           coalesce(position(c->>'quote' in d.content) > 0, false) as holds
      from unnest(%(uris)s::text[]) as u (uri)
      join questions q
        on q.answer->'citations' @> jsonb_build_array(jsonb_build_object('uri', u.uri)) and not q.retracted
     cross join jsonb_array_elements(q.answer->'citations') as c
      left join documents d on d.uri = u.uri
     where c->>'uri' = u.uri and (%(question)s::bigint is null or q.id = %(question)s)
),
gone as (
    insert into stale_quotes as s (question_id, marker, uri, quote, change)
    select distinct on (id, marker) id, marker, uri, quote,
           case when bool_or(there) over (partition by id, marker) then 'changed' else 'removed' end
      from quoted
     where not exists (select from quoted k where (k.id, k.marker) = (quoted.id, quoted.marker) and k.holds)
    on conflict (question_id, marker) do update
        set uri = excluded.uri, quote = excluded.quote, change = excluded.change, found_at = now()
     where (s.quote, s.change) is distinct from (excluded.quote, excluded.change)
    returning question_id
),
back as (
    delete from stale_quotes s
     using quoted k
     where k.holds and (s.question_id, s.marker) = (k.id, k.marker)
    returning s.question_id
)
select distinct k.id, k.lock
  from quoted k
 where k.id in (select question_id from gone union all select question_id from back)"""
