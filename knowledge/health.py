"""How the whole is doing, in a few numbers: for health checks, metrics and `almanac doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from knowledge.database import Pool

STAGES = ("embed", "search", "generate", "total")
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)  # seconds


@dataclass(frozen=True, slots=True)
class Health:
    """The state of index, queue and workers at one moment.

    Attributes:
        workers: those that gave a sign of life; `heartbeat_age` is the latest sign's, in seconds.
        waiting: questions whose thread is not up to date yet; `oldest_waiting` in seconds.
    """

    sources: int
    documents: int
    failed_documents: int
    passages: int
    workers: int
    heartbeat_age: float | None
    waiting: int
    oldest_waiting: float


@dataclass(frozen=True, slots=True)
class Latency:
    """How long one stage took, over all answers kept: a cumulative histogram in seconds."""

    stage: str
    buckets: tuple[int, ...]  # answers that took at most BUCKETS[i]
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Activity:
    """What was asked and answered so far."""

    questions: dict[str, int]  # by surface
    answers: dict[bool, int]  # by answerable
    feedback: dict[bool, int]  # by helpful
    latencies: tuple[Latency, ...]


async def health(pool: Pool) -> Health:
    """Count once; a few index scans."""
    async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(_HEALTH)).fetchone()
    assert row is not None
    return Health(**row)


async def activity(pool: Pool) -> Activity:
    """Count everything that was asked, answered and judged."""
    async with pool.connection() as connection:
        return Activity(
            questions=await _counts(connection, _QUESTIONS),
            answers=await _counts(connection, _ANSWERS),
            feedback=await _counts(connection, _FEEDBACK),
            latencies=await _latencies(connection),
        )


async def _counts(connection: AsyncConnection[Any], statement: str) -> dict[Any, int]:
    return dict(await (await connection.execute(statement)).fetchall())


async def _latencies(connection: AsyncConnection[Any]) -> tuple[Latency, ...]:
    rows = await connection.execute(_LATENCIES, {"stages": list(STAGES), "buckets": list(BUCKETS)})
    return tuple(
        Latency(stage, tuple(counts), len_, total) for stage, counts, len_, total in await rows.fetchall()
    )


_HEALTH = """
select (select count(*) from sources) as sources,
       (select count(*) from documents where error is null) as documents,
       (select count(*) from documents where error is not null) as failed_documents,
       (select coalesce(sum(passage_count), 0)::bigint from generations where is_current) as passages,
       w.workers, w.heartbeat_age, q.waiting, q.oldest_waiting
  from (select count(*) as workers,
               extract(epoch from now() - max(last_heartbeat))::float as heartbeat_age
          from procrastinate_workers) w,
       (select count(*) as waiting,
               coalesce(extract(epoch from now() - min(asked_at)), 0)::float as oldest_waiting
          from questions where settled_revision < revision) q
"""

_QUESTIONS = "select surface, count(*) from questions group by surface"

_ANSWERS = """
select (answer->>'answerable')::boolean, count(*) from questions where answer is not null group by 1
"""

_FEEDBACK = "select helpful, count(*) from feedback group by helpful"

# One row a stage; `counts` is cumulative, as Prometheus has it.
_LATENCIES = """
with taken as (
    select stage, (answer->'timings_ms'->>stage)::float / 1000 as seconds
      from questions, unnest(%(stages)s::text[]) as stage
     where answer->'timings_ms' ? stage
)
select stage,
       (select array_agg((select count(*) from taken t where t.stage = s.stage and t.seconds <= bucket)
                         order by bucket)
          from unnest(%(buckets)s::float[]) as bucket),
       count(*), sum(seconds)
  from taken s
 group by stage
"""
