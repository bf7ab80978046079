"""What the bot remembers of conversations: each question, its answer, and where that was posted.

A question is keyed by the message that asked it, so that no redelivery, restart or edit makes a second one.
A job brings the thread into the state that the row describes; the transaction that changes the row defers it.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from knowledge.answers import Answer
from knowledge.in_turn import InTurn
from knowledge.stale import check_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from psycopg import AsyncConnection

    from knowledge.database import Pool
    from knowledge.stale import DeferMark

Surface = Literal["mention", "direct", "follow_up", "command"]


class QuestionBusyError(Exception):
    """Another worker is answering this question right now; try again in a moment."""


@dataclass(frozen=True, slots=True)
class MessageKey:
    """The message that asked; a slash command's `ts` is its trigger id."""

    team: str
    channel: str
    ts: str

    def __str__(self) -> str:
        return f"{self.team}:{self.channel}:{self.ts}"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it arrives.

    `thread_ts` is the thread that the answer goes to: the message's own ts starts one. `edited_at` is 0 for a
    message that was never edited.
    """

    key: MessageKey
    asker: str
    text: str
    surface: Surface
    thread_ts: str | None = None
    edited_at: Decimal = Decimal(0)
    response_url: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question as it is remembered.

    Attributes:
        revision: counts the edits, from 1.
        settled: the thread shows this revision's answer, or its silence.
        posting: an attempt came as far as posting; its messages may stand in the thread unrecorded.
        answer: of the current revision, where there is one already.
        replies: the ts of each message of the answer, by part, from 1.
    """

    id: int
    key: MessageKey
    asker: str
    text: str
    surface: Surface
    thread_ts: str | None = None
    revision: int = 1
    settled: bool = False
    retracted: bool = False
    posting: bool = False
    answer: Answer | None = None
    response_url: str | None = field(default=None, repr=False)
    replies: dict[int, str] = field(default_factory=dict)


class Conversations:
    """The questions of every workspace, over a pool that it does not own.

    `defer(connection, question_id, lock)` defers the job that answers, in the connection's transaction;
    `mark`, the one that marks an answer whose quotes are gone.
    """

    def __init__(
        self,
        pool: Pool,
        defer: Callable[[AsyncConnection[Any], int, str], Awaitable[None]],
        mark: DeferMark | None = None,
    ) -> None:
        self._pool = pool
        self._defer, self._mark = defer, mark
        self._in_turn = InTurn()

    async def record(self, asked: Asked) -> bool:
        """Remember a question and defer its job, or take an edited one's new text; False if nothing is new.

        A follow-up is remembered only in a thread that the bot takes part in, and messages of one thread are
        recorded in the order of the calls: else a quick follow-up would overtake the question that starts it.
        """
        async with self._in_turn(f"{asked.key.team}:{asked.key.channel}:{asked.thread_ts}"):
            return await self._change(_RECORD, _as_row(asked))

    async def edit(self, key: MessageKey, text: str, edited_at: Decimal) -> bool:
        """Take over the new text of a question; False where it is unknown or the edit is not new."""
        return await self._change(_EDIT, _as_key(key) | {"text": text, "edited_at": edited_at})

    async def retract(self, key: MessageKey) -> bool:
        """Note that a question was deleted; False where it is unknown or that was known."""
        return await self._change(_RETRACT, _as_key(key))

    async def ask_again(self, question_id: int) -> bool:
        """Have a question answered anew from what is known now; False where it is gone or being answered."""
        return await self._change(_ASK_AGAIN, {"id": question_id})

    async def _change(self, statement: str, values: dict[str, Any]) -> bool:
        async with self._pool.connection() as connection:
            row = await (await connection.execute(statement, values)).fetchone()
            if row is not None:
                await self._defer(connection, row[0], row[1])
        return row is not None

    async def find(self, question_id: int) -> Question | None:
        """Return a question with its answer and replies."""
        async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            row = await (await cursor.execute(_FIND, [question_id])).fetchone()
        return _as_question(row) if row else None

    @asynccontextmanager
    async def holding(self, question_id: int) -> AsyncIterator[None]:
        """Be the only one who answers this question; a process that dies lets go of it.

        Raises:
            QuestionBusyError: another process holds it.
        """
        async with self._pool.connection() as connection:
            row = await (await connection.execute(_HOLD, [f"question {question_id}"])).fetchone()
            if row is None or not row[0]:
                raise QuestionBusyError
            yield

    async def begin_posting(self, question: Question, answer: Answer | None) -> bool:
        """Keep the answer before its first message goes out; False where the question changed meanwhile.

        Its documents may have changed while it was written: it is compared with them as they are now.
        """
        values = {
            "id": question.id,
            "revision": question.revision,
            "answer": Jsonb(answer.as_json()) if answer else None,
        }
        kept = await self._touch(_BEGIN, values)
        if kept and answer:
            cited = [citation.uri for citation in answer.citations]
            await check_answer(self._pool, question.id, cited, self._mark)
        return kept

    async def record_reply(self, question_id: int, part: int, ts: str) -> None:
        """Remember where a part of the answer was posted."""
        await self._touch(_REPLY, {"id": question_id, "part": part, "ts": ts})

    async def forget_reply(self, question_id: int, part: int) -> None:
        """Forget a part that is no longer in the thread."""
        await self._touch(_FORGET, {"id": question_id, "part": part})

    async def settle(self, question: Question) -> None:
        """Note that the thread shows what this revision of the question called for."""
        await self._touch(_SETTLE, {"id": question.id, "revision": question.revision})

    async def ignore(self, question: Question) -> None:
        """Settle a message that was not meant for the bot, and forget what it said."""
        await self._touch(_IGNORE, {"id": question.id, "revision": question.revision})

    async def claim_share(self, question_id: int) -> bool:
        """Return whether the caller is the one to share; a claim that led nowhere lapses in a minute."""
        return await self._touch(_CLAIM, {"id": question_id})

    async def release_share(self, question_id: int) -> None:
        """Give a claim back after sharing failed."""
        await self._touch(_RELEASE, {"id": question_id})

    async def give_feedback(self, question_id: int, person: str, *, helpful: bool) -> bool:
        """Keep a person's verdict, in place of an earlier one; False where there is no such question."""
        return await self._touch(_FEEDBACK, {"id": question_id, "person": person, "helpful": helpful})

    async def _touch(self, statement: str, values: dict[str, Any]) -> bool:
        async with self._pool.connection() as connection:
            return (await connection.execute(statement, values)).rowcount > 0


def _as_key(key: MessageKey) -> dict[str, Any]:
    return {"team": key.team, "channel": key.channel, "ts": key.ts}


def _as_row(asked: Asked) -> dict[str, Any]:
    return _as_key(asked.key) | {
        "thread_ts": asked.thread_ts,
        "asker": asked.asker,
        "surface": asked.surface,
        "text": asked.text,
        "edited_at": asked.edited_at,
        "response_url": asked.response_url,
    }


def _as_question(row: dict[str, Any]) -> Question:
    answer = row.pop("answer")
    key = MessageKey(row.pop("team"), row.pop("channel"), row.pop("ts"))
    replies = {int(part): ts for part, ts in row.pop("replies").items()}
    return Question(key=key, answer=Answer.from_json(answer) if answer else None, replies=replies, **row)


# An edit that puts the mention in makes a question of a message that was none. The same message once more, or
# an edit older than the one that is known, changes nothing.
_RECORD = """
insert into questions as q (team, channel, ts, thread_ts, asker, surface, text, edited_at, response_url)
select %(team)s, %(channel)s, %(ts)s, %(thread_ts)s, %(asker)s, %(surface)s, %(text)s, %(edited_at)s,
       %(response_url)s
 where %(surface)s <> 'follow_up'
    or exists (select 1 from questions t
                where (t.team, t.channel, t.thread_ts) = (%(team)s, %(channel)s, %(thread_ts)s)
                  and t.surface <> 'follow_up')
    or exists (select 1 from replies r join questions t on t.id = r.question_id
                where r.ts = %(thread_ts)s and (t.team, t.channel) = (%(team)s, %(channel)s))
on conflict (team, channel, ts) do update
   set text = excluded.text, edited_at = excluded.edited_at, revision = q.revision + 1
 where excluded.edited_at > q.edited_at and excluded.text <> q.text and not q.retracted
returning id, q.team || ':' || q.channel || ':' || coalesce(q.thread_ts, q.ts)
"""

_EDIT = """
update questions set text = %(text)s, edited_at = %(edited_at)s, revision = revision + 1
 where (team, channel, ts) = (%(team)s, %(channel)s, %(ts)s)
   and edited_at < %(edited_at)s and text <> %(text)s and not retracted
returning id, team || ':' || channel || ':' || coalesce(thread_ts, ts)
"""

_ASK_AGAIN = """
update questions set revision = revision + 1
 where id = %(id)s and settled_revision = revision and not retracted
returning id, team || ':' || channel || ':' || coalesce(thread_ts, ts)
"""

_RETRACT = """
update questions set retracted = true, text = '', answer = null, revision = revision + 1
 where (team, channel, ts) = (%(team)s, %(channel)s, %(ts)s) and not retracted
returning id, team || ':' || channel || ':' || coalesce(thread_ts, ts)
"""

_FIND = """
select id, team, channel, ts, thread_ts, asker, surface, text, revision, retracted, posting, response_url,
       settled_revision = revision as settled,
       case when answer_revision = revision then answer end as answer,
       coalesce((select jsonb_object_agg(part, ts) from replies where question_id = q.id), '{}') as replies
  from questions q where id = %s
"""

# Held until the transaction ends, which the server ends for a process that died.
_HOLD = "select pg_try_advisory_xact_lock(hashtextextended(%s, 0))"

_BEGIN = """
update questions set posting = true, answer = %(answer)s, answer_revision = %(revision)s
 where id = %(id)s and revision = %(revision)s and not retracted
"""

_REPLY = """
insert into replies (question_id, part, ts) values (%(id)s, %(part)s, %(ts)s)
on conflict (question_id, part) do update set ts = excluded.ts
"""

_FORGET = "delete from replies where question_id = %(id)s and part = %(part)s"

_SETTLE = """
update questions set settled_revision = %(revision)s, posting = false
 where id = %(id)s and settled_revision < %(revision)s
"""

_IGNORE = """
update questions set settled_revision = %(revision)s, text = ''
 where id = %(id)s and revision = %(revision)s
"""

_CLAIM = """
update questions q set shared_at = now()
 where id = %(id)s and answer is not null
   and (shared_at is null
        or shared_at < now() - interval '1 minute'
           and not exists (select 1 from replies r where r.question_id = q.id))
"""

_RELEASE = "update questions set shared_at = null where id = %(id)s"

_FEEDBACK = """
insert into feedback (question_id, person, helpful)
select id, %(person)s, %(helpful)s from questions where id = %(id)s
on conflict (question_id, person) do update set helpful = excluded.helpful, given_at = now()
"""
