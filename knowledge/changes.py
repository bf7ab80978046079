"""What runs brought in: which documents were added, changed and removed, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from knowledge.database import Pool

MOST_CHANGES = 1_000  # that are returned


@dataclass(frozen=True, slots=True)
class Change:
    """A document's last change; `change` is `added`, `changed` or `removed`."""

    source: str
    path: str
    change: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Changes:
    """The latest changes, the newest first, and how many there are in all."""

    latest: Sequence[Change]
    count: int


async def changes_since(pool: Pool, since: datetime, source: str | None = None) -> Changes:
    """Return each document's last change since a moment; of one source, or of all."""
    async with pool.connection() as connection:
        values = {"since": since, "source": source, "limit": MOST_CHANGES}
        rows = await (await connection.execute(_SINCE, values)).fetchall()
    return Changes([Change(*change) for *change, _ in rows], rows[0][-1] if rows else 0)


# A document that was added and changed since is one that was added; one that came and went is left out.
_SINCE = """
select source, path, change, changed_at, count(*) over ()
  from (select distinct on (r.source_id, c.uri) s.name as source, c.path, c.changed_at,
               first_value(c.change) over whole as first,
               case when first_value(c.change) over whole = 'added' and c.change = 'changed' then 'added'
                    else c.change end as change
          from changes c join runs r on r.id = c.run_id join sources s on s.id = r.source_id
         where c.changed_at >= %(since)s and (%(source)s::text is null or s.name = %(source)s)
        window whole as (partition by r.source_id, c.uri order by c.run_id
                         rows between unbounded preceding and unbounded following)
         order by r.source_id, c.uri, c.run_id desc) latest
 where not (first = 'added' and change = 'removed')
 order by changed_at desc, source, path
 limit %(limit)s"""
