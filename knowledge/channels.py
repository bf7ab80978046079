"""What administrators set for single channels: off until somebody turns it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from psycopg.rows import class_row

if TYPE_CHECKING:
    from knowledge.database import Pool

TriageBy = Literal["emoji", "reply"]


@dataclass(frozen=True, slots=True)
class Mode:
    """How records come about in a channel.

    Attributes:
        automatic: a complete record is posted without asking.
        triage_schema: the schema by which every message is read; None reads none.
        triage_by: whether a message then gets an emoji for its class, or a reply with its record.
    """

    automatic: bool = False
    triage_schema: str | None = None
    triage_by: TriageBy = "emoji"


class Channels:
    """The modes of channels, over a pool that it does not own."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def mode(self, team: str, channel: str) -> Mode:
        """Return a channel's mode."""
        async with self._pool.connection() as connection, connection.cursor(row_factory=class_row(Mode)) as c:
            found = await (await c.execute(_FIND, {"team": team, "channel": channel})).fetchone()
        return found or Mode()

    async def set_mode(self, team: str, channel: str, mode: Mode, person: str) -> None:
        """Set a channel's mode, in the name of a person."""
        values = {
            "team": team,
            "channel": channel,
            "automatic": mode.automatic,
            "schema": mode.triage_schema,
            "by": mode.triage_by,
            "person": person,
        }
        async with self._pool.connection() as connection:
            await connection.execute(_SET, values)


_FIND = """
select automatic, triage_schema, triage_by from channel_modes where (team, channel) = (%(team)s, %(channel)s)
"""

_SET = """
insert into channel_modes (team, channel, automatic, triage_schema, triage_by, set_by)
values (%(team)s, %(channel)s, %(automatic)s, %(schema)s, %(by)s, %(person)s)
on conflict (team, channel) do update
   set automatic = excluded.automatic, triage_schema = excluded.triage_schema,
       triage_by = excluded.triage_by, set_by = excluded.set_by, set_at = now()
"""
