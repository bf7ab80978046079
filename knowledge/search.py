"""Hybrid retrieval: vectors and BM25 in one statement, each passage with every stage's score."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

from pgvector import HalfVector
from psycopg import sql
from psycopg.rows import dict_row

from knowledge.answers import Retrieved
from knowledge.audience import MAY_READ, readers_parameter
from knowledge.embed import Matcher
from knowledge.generations import GenerationError, current_generation
from knowledge.lexical import terms
from knowledge.repeats import without_repeats
from knowledge.reread import REREAD, reread
from knowledge.sources.registry import document_link

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from psycopg import AsyncConnection

    from knowledge.audience import Audience
    from knowledge.database import Pool
    from knowledge.embed import Embedder
    from knowledge.generations import Generation

# Robertson and Zaragoza, The Probabilistic Relevance Framework (2009); b below their 0.75, since passages are
# of like length by construction. Figures: docs/decisions/retrieval.md.
BM25_K1, BM25_B = 1.2, 0.5
DENSE_WEIGHT = 0.7  # of the cosine; the rest is BM25's, as a share of the best
POSTINGS, WIDER = 5_000, 2  # of common terms read a search; how many more candidates where some are left
EF_SEARCH = 400  # candidates that HNSW keeps: recall@10 of .95 and more on 200,000 passages
MOST_EF = 1_000  # that pgvector takes; what more is wanted comes from scanning on
SPARE = 10  # passages beyond those that are wanted, for repeats among them
# Where more of them are repeats, so many times as many are fetched, up to so many in all.
FURTHER, MOST_FETCHED = 4, 20_000
# Up to so many passages an audience may read, each is compared: exact, and no slower than HNSW with a filter.
COMPARED = 10_000
# Beyond, HNSW looks on until enough rows pass the filter, however far from the question they lie.
MOST_SCANNED, SCAN_MEMORY = 1_000_000, 8


async def search(
    pool: Pool,
    embedder: Embedder,
    query: str,
    *,
    k: int = 5,
    candidates: int = 50,
    audience: Audience | None = None,
) -> list[Retrieved]:
    """Return the `k` best passages for `query`, best first, with their scores as `dense`, `lexical`, `fused`.

    What repeats a better passage is left out, and where many do, more are fetched; fewer than `k`
    are returned where there are no more. Where the embedder can, it reads the first passages once more, and
    one more score says what it found.

    Args:
        pool: of the database.
        embedder: the one that the index was built with.
        query: the question, as it was asked.
        k: passages to return.
        candidates: the best of each leg, which are then scored by both; more where more are wanted.
        audience: who will see the result: what one of them may not read is left out by the statement itself.
            None, which is for the operator, leaves nothing out.

    Raises:
        GenerationError: the index was built with another embedder.
    """
    matcher = embedder if isinstance(embedder, Matcher) else None
    wanted = max(k, REREAD) if matcher else k
    vector = (await embedder.embed([query]))[0]
    fetched, found = wanted + SPARE, list[Retrieved]()
    while True:
        wide = max(candidates, fetched)
        ranked = await _ranked(pool, embedder, query, vector, k=fetched, candidates=wide, audience=audience)
        found = without_repeats(ranked)[:wanted]
        if len(found) == wanted or len(ranked) < fetched or fetched >= MOST_FETCHED:
            break
        fetched *= FURTHER
    if matcher:
        found = await reread(matcher, query, found)
    return [replace(passage, rank=rank) for rank, passage in enumerate(found[:k], 1)]


async def fused(
    pool: Pool, embedder: Embedder, query: str, *, k: int, candidates: int, audience: Audience | None
) -> list[Retrieved]:
    """Return the `k` best passages as the statement ranks them: repeats too, nothing read once more.

    The arguments and what is raised are those of `search`.
    """
    vector = (await embedder.embed([query]))[0]
    return await _ranked(pool, embedder, query, vector, k=k, candidates=candidates, audience=audience)


async def _ranked(
    pool: Pool,
    embedder: Embedder,
    query: str,
    vector: NDArray[np.float32],
    *,
    k: int,
    candidates: int,
    audience: Audience | None,
) -> list[Retrieved]:
    values = {
        "terms": list(dict.fromkeys(terms(query))), "vector": HalfVector(vector), "k": k,
        "candidates": candidates, "readers": readers_parameter(audience), "compared": COMPARED,
        "k1": BM25_K1, "b": BM25_B, "dense_weight": DENSE_WEIGHT, "postings": POSTINGS, "wider": WIDER,
    }  # fmt: skip
    async with pool.connection() as connection, connection.transaction():
        # One snapshot: the generation that is read first is the one that is searched.
        await connection.execute("set transaction isolation level repeatable read, read only")
        generation = await current_generation(connection)
        rows = await _rows(connection, _checked(generation, embedder), values) if generation else []
    return [_retrieved(rank, row) for rank, row in enumerate(rows, 1)]


def _checked(generation: Generation, embedder: Embedder) -> Generation:
    if (generation.embedder, generation.dimensions) == (embedder.name, embedder.dimensions):
        return generation
    raise GenerationError(
        f"The index was built with the embedder {generation.embedder}, and the one in use is"
        f" {embedder.name}: run `almanac reindex`, or set ALMANAC_EMBEDDER back."
    )


async def _rows(
    connection: AsyncConnection[Any], generation: Generation, values: dict[str, Any]
) -> list[dict[str, Any]]:
    ef = min(MOST_EF, max(EF_SEARCH, values["candidates"]))
    await connection.execute(_SCAN, [str(ef), MOST_SCANNED, SCAN_MEMORY])
    # The number and the width stand in the statement itself: only so does the partial index match.
    statement = sql.SQL(_HYBRID).format(generation=generation.id, dimensions=generation.dimensions)
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, values)
        return await cursor.fetchall()


def _retrieved(rank: int, row: dict[str, Any]) -> Retrieved:
    return Retrieved(
        rank=rank,
        source=row["source"],
        uri=row["uri"],
        title=row["title"],
        heading=row["heading"],
        text=row["text"],
        start=row["start_char"],
        end=row["end_char"],
        scores={stage: round(row[stage], 4) for stage in ("dense", "lexical", "fused")},
        link=document_link(row["link_base"], row["path"], row["uri"]),
        changed_at=row["changed_at"] and row["changed_at"].astimezone(UTC).isoformat(timespec="seconds"),
        passage_id=row["id"],
    )


# With a filter, HNSW must look on until enough rows pass it. And all here has an index: the planner cannot
# know how few passages the readable sources hold, and would read them all for a narrow audience.
_SCAN = """
select set_config('enable_seqscan', 'off', true),
       set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', %s, true),
       set_config('hnsw.max_scan_tuples', %s::int::text, true),
       set_config('hnsw.scan_mem_multiplier', %s::int::text, true)"""

# What a term that so many passages hold adds to the score of one that holds it `m.frequency` times. In float8
# throughout: Postgres takes `bigint + 0.5` for numeric, whose logarithm costs more than all of the rest.
_BM25 = """ln(1 + (greatest(g.passage_count - {0}, 0)::float8 + 0.5) / ({0}::float8 + 0.5))
               * m.frequency * (%(k1)s::float8 + 1)
               / (m.frequency + %(k1)s::float8
                  * (1 - %(b)s::float8
                     + %(b)s::float8 * m.passage_terms * g.passage_count / g.term_count))"""

_HYBRID = f"""
with readable as materialized (
    select coalesce(array_agg(id), array[]::int[]) as ids,
           count(*) < (select count(*) from sources) as filtered
      from sources s
     where {MAY_READ}
),
-- Whether the audience may read so few passages that each is compared; they are not counted beyond.
audience as materialized (
    select ids, case when filtered then (
               select count(*) <= %(compared)s
                 from (select from passages
                        where generation_id = {{generation}} and source_id = any(ids)
                        limit %(compared)s + 1) few)
           else false end as narrow
      from readable
),
-- The lexical leg: BM25 from the postings alone, of the rarest terms first, as many as may be read. (What is
-- left is common, so it weighs little: the idea of MaxScore, Turtle and Flood 1995.) In an index of some ten
-- thousand passages that is all of them.
asked as materialized (
    select a.term, c.documents,
           sum(coalesce(c.documents, 0)) over rarest <= %(postings)s
               or row_number() over rarest = 1 as is_read
      from unnest(%(terms)s::text[]) a (term)
      left join common_terms c on c.generation_id = {{generation}} and c.term = a.term
    window rarest as (order by coalesce(c.documents, 0), a.term)
),
-- Every posting of a term is read, so its number is at hand.
matches as (
    select passage_id, source_id, frequency, passage_terms, count(*) over (partition by term) as documents
      from postings
     where generation_id = {{generation}}
       and term = any((select array_agg(term) from asked where is_read)::text[])
),
lexical as (
    select m.passage_id, sum({_BM25.format("m.documents")}) as score
      from matches m, generations g
     where g.id = {{generation}} and m.source_id = any((select ids from audience)::int[])
     group by m.passage_id
),
lexical_best as materialized (
    select passage_id from lexical order by score desc, passage_id
     limit %(candidates)s * (select case when bool_and(is_read) then 1 else %(wider)s end from asked)
),
-- The dense leg. One of its halves is empty; in the wide one, the expression is the index's own.
wide as (
    select id as passage_id from passages
     where generation_id = {{generation}} and source_id = any((select ids from audience)::int[])
       and (select not narrow from audience)
     order by embedding::halfvec({{dimensions}}) <=> %(vector)s::halfvec({{dimensions}})
     limit %(candidates)s
),
compared as materialized (
    select id, embedding::halfvec({{dimensions}}) <=> %(vector)s::halfvec({{dimensions}}) as distance
      from passages
     where generation_id = {{generation}} and source_id = any((select ids from audience)::int[])
       and (select narrow from audience)
),
dense_best as materialized (
    select passage_id from wide
     union all
    (select id from compared order by distance, id limit %(candidates)s)
),
-- Both legs' best, scored by both: what they have of the terms that were left is looked up.
best as materialized (
    select passage_id from lexical_best union select passage_id from dense_best
),
rest as (
    select b.passage_id, sum({_BM25.format("a.documents")}) as score
      from best b
     cross join (select term, documents from asked where not is_read) a
     cross join generations g
     cross join lateral (
           select frequency, passage_terms from postings
            where generation_id = {{generation}} and term = a.term and passage_id = b.passage_id
            limit 1) m
     where g.id = {{generation}}
     group by b.passage_id
),
scored as (
    select p.id, 1 - (p.embedding::halfvec({{dimensions}}) <=> %(vector)s::halfvec({{dimensions}})) as dense,
           coalesce(l.score, 0) + coalesce(r.score, 0) as lexical
      from best b
      join passages p on p.id = b.passage_id
      left join lexical l on l.passage_id = p.id
      left join rest r on r.passage_id = p.id
),
fused as (
    select *, %(dense_weight)s * dense
              + (1 - %(dense_weight)s) * lexical / greatest(max(lexical) over (), 1e-9) as fused
      from scored
),
-- Where a source's documents age, an old one counts less: half, after each half-life.
aged as (
    select f.id, f.dense, f.lexical, d.changed_at,
           f.fused * coalesce(
               power(0.5, greatest(0, extract(epoch from now() - d.changed_at)) / 86400 / s.half_life_days),
               1)::float8 as fused
      from fused f
      join passages p on p.id = f.id
      join sources s on s.id = p.source_id
      join (select id, coalesce(to_timestamp(nullif(mtime_ns, 0) / 1e9), changed_at) as changed_at
              from documents) d on d.id = p.document_id
)
select p.id, s.name as source, s.link_base, d.uri, d.path, d.title, p.heading, p.text,
       p.start_char, p.end_char, f.dense, f.lexical, f.fused, f.changed_at
  from (select * from aged order by fused desc, id limit %(k)s) f
  join passages p on p.id = f.id
  join documents d on d.id = p.document_id
  join sources s on s.id = p.source_id
 order by f.fused desc, p.id"""  # noqa: S608 - the condition is ours; the braces are filled by psycopg
