from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from psycopg.types.json import Jsonb

from knowledge.health import BUCKETS, Health, activity, health

if TYPE_CHECKING:
    from knowledge.database import Pool


async def ask(pool: Pool, ts: str, *, answerable: bool | None = None, seconds: float = 0.0) -> None:
    """Put a question into the database; with its answer where `answerable` is given."""
    answer = {"answerable": answerable, "timings_ms": {"total": seconds * 1000, "search": 3.0}}
    async with pool.connection() as connection:
        await connection.execute(
            "insert into questions (team, channel, ts, asker, surface, text, answer, settled_revision)"
            " values ('T1', 'C1', %s, 'U1', 'mention', 'why?', %s, %s)",
            [ts, None if answerable is None else Jsonb(answer), int(answerable is not None)],
        )


async def test_an_empty_database_is_all_zeros(pool: Pool) -> None:
    assert await health(pool) == Health(0, 0, 0, 0, 0, None, 0, 0.0)


async def test_an_unsettled_question_waits(pool: Pool) -> None:
    await ask(pool, "1.1")
    await ask(pool, "1.2", answerable=True)
    found = await health(pool)
    assert found.waiting == 1
    assert found.oldest_waiting >= 0


async def test_a_worker_is_known_by_its_heartbeat(pool: Pool) -> None:
    async with pool.connection() as connection:
        await connection.execute(
            "insert into procrastinate_workers (last_heartbeat)"
            " values (now() - interval '5 seconds'), (now() - interval '2 seconds')"
        )
    found = await health(pool)
    assert found.workers == 2
    assert found.heartbeat_age == pytest.approx(2, abs=1)


async def test_answers_are_counted_with_their_latencies(pool: Pool) -> None:
    await ask(pool, "1.1", answerable=True, seconds=0.2)
    await ask(pool, "1.2", answerable=True, seconds=3.0)
    await ask(pool, "1.3", answerable=False, seconds=90.0)
    await ask(pool, "1.4")
    found = await activity(pool)
    assert found.questions == {"mention": 4}
    assert found.answers == {True: 2, False: 1}
    total = next(latency for latency in found.latencies if latency.stage == "total")
    assert dict(zip(BUCKETS, total.buckets, strict=True)) == {
        0.05: 0,
        0.1: 0,
        0.25: 1,
        0.5: 1,
        1.0: 1,
        2.5: 1,
        5.0: 2,
        10.0: 2,
        30.0: 2,
        60.0: 2,
    }
    assert (total.count, total.seconds) == (3, pytest.approx(93.2))
