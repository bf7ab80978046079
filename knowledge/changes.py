"""What runs brought in: which documents were added, changed and removed, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.rows import class_row

if TYPE_CHECKING:
    from datetime import datetime

    from knowledge.database import Pool

MOST_CHANGES = 1_000


@dataclass(frozen=True, slots=True)
class Change:
    """A document's last change; `change` is `added`, `changed` or `removed`."""

    source: str
    path: str
    change: str
    changed_at: datetime


async def changes_since(pool: Pool, since: datetime, source: str | None = None) -> list[Change]:
    """Return each document's last change since a moment, the newest first; of one source, or of all."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Change)) as cursor:
        await cursor.execute(_SINCE, {"since": since, "source": source, "limit": MOST_CHANGES})
        return await cursor.fetchall()


# A document that was added and changed since is one that was added; one that came and went is left out.
_SINCE = """
select source, path, change, changed_at
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
