"""What happened for each answer, kept so that anyone can see which part failed: the search or the model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from psycopg.types.json import Jsonb

from grammars.engine.protocol import Turn
from knowledge.answers import Answer
from knowledge.audience import readers_parameter

if TYPE_CHECKING:
    from knowledge.audience import Audience
    from knowledge.database import Pool


@dataclass(frozen=True, slots=True)
class Trace:
    """One question and what became of it.

    Attributes:
        id: a UUID, as `Answer.trace_id`.
        query: what was searched for.
        answer: None where there was an error.
        output: what the model wrote, before it was checked.
        error: why there is no answer.
        audience: who was to see it; kept, and not read back.
    """

    id: str
    question: str
    query: str
    history: tuple[Turn, ...] = ()
    answer: Answer | None = None
    output: str | None = None
    error: str | None = None
    audience: Audience | None = None


async def save_trace(pool: Pool, trace: Trace) -> None:
    """Keep a trace."""
    async with pool.connection() as connection:
        await connection.execute(
            """
            insert into traces (id, question, history, query, answer, output, error, audience)
            values (%s, %s, %s, %s, %s, %s, %s, %s)
            """,
            (
                UUID(trace.id),
                trace.question,
                Jsonb([asdict(turn) for turn in trace.history]),
                trace.query,
                Jsonb(trace.answer.as_json()) if trace.answer else None,
                trace.output,
                trace.error,
                readers_parameter(trace.audience),
            ),
        )


async def find_trace(pool: Pool, trace_id: str) -> Trace | None:
    """Return a trace, or None where there is none of that id."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "select question, query, history, answer, output, error from traces where id = %s",
            (UUID(trace_id),),
        )
        row = await cursor.fetchone()
    if row is None:
        return None
    question, query, history, answer, output, error = row
    turns = tuple(Turn(**turn) for turn in history)
    return Trace(trace_id, question, query, turns, answer and Answer.from_json(answer), output, error)
