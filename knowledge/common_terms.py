"""Which terms are so common that a search cannot read all of their postings.

They are counted anew when the index has grown or shrunk by a fifth since. In between their counts are a
little old, which moves a BM25 weight by a few hundredths: idf is a logarithm, and theirs is small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knowledge.database import Pool

COMMON = 1_000  # passages that hold a term from which on it is noted
MOVED = 0.2  # share of the passages that came or went since the last count


async def count_common_terms(pool: Pool) -> None:
    """Count the common terms of each generation that has changed enough; of 200,000 passages in seconds."""
    async with pool.connection() as connection:
        found = await connection.execute(_DUE, {"common": COMMON, "moved": MOVED})
        for (generation,) in await found.fetchall():
            await connection.execute("delete from common_terms where generation_id = %s", [generation])
            await connection.execute(_COUNT, {"generation": generation, "common": COMMON})


# Who finds one that another is counting leaves it to them.
_DUE = """
with due as (
    select id from generations
     where passage_count >= %(common)s
       and abs(passage_count - terms_counted_at) > %(moved)s * terms_counted_at
       for no key update skip locked
)
update generations g set terms_counted_at = passage_count from due where g.id = due.id returning g.id"""

_COUNT = """
insert into common_terms (generation_id, term, documents)
select generation_id, term, count(*) from postings
 where generation_id = %(generation)s
 group by generation_id, term having count(*) >= %(common)s"""
