"""What was asked of the administration, by whom, and whether it was granted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.rows import class_row

if TYPE_CHECKING:
    from knowledge.database import Pool


@dataclass(frozen=True, slots=True)
class Call:
    """One call; `channel` is None where it did not come from one."""

    team: str
    channel: str | None
    person: str
    call: str
    granted: bool


async def record_call(pool: Pool, call: Call) -> None:
    """Keep a call."""
    async with pool.connection() as connection:
        await connection.execute(
            "insert into admin_calls (team, channel, person, call, granted) values (%s, %s, %s, %s, %s)",
            [call.team, call.channel, call.person, call.call, call.granted],
        )


async def recent_calls(pool: Pool, *, limit: int = 100) -> list[Call]:
    """Return the latest calls, the newest first."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Call)) as cursor:
        await cursor.execute(
            "select team, channel, person, call, granted from admin_calls order by id desc limit %s", [limit]
        )
        return await cursor.fetchall()
