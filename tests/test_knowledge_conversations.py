from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from knowledge.answers import Answer
from knowledge.conversations import Asked, Conversations, MessageKey, QuestionBusyError

if TYPE_CHECKING:
    from knowledge.database import Pool

ASKED = Asked(MessageKey("T1", "C1", "10.000001"), "U1", "When do we deploy?", "mention", "10.000001")


class Deferred(list[tuple[int, str]]):
    async def __call__(self, _connection: Any, question_id: int, lock: str) -> None:
        self.append((question_id, lock))


@pytest.fixture
def deferred() -> Deferred:
    return Deferred()


@pytest.fixture
def conversations(pool: Pool, deferred: Deferred) -> Conversations:
    return Conversations(pool, deferred)


def an_answer(text: str = "On Tuesdays.") -> Answer:
    return Answer("When do we deploy?", True, text, (), (), "embedded", None, "t1")


async def test_the_same_message_makes_one_question_and_one_job(
    conversations: Conversations, deferred: Deferred
) -> None:
    assert await conversations.record(ASKED)
    assert not await conversations.record(ASKED)
    assert len(deferred) == 1
    assert deferred[0][1] == "T1:C1:10.000001"


async def test_an_edit_counts_once_and_never_backwards(
    conversations: Conversations, deferred: Deferred
) -> None:
    await conversations.record(ASKED)
    assert await conversations.edit(ASKED.key, "When do we roll back?", Decimal("20.5"))
    assert not await conversations.edit(ASKED.key, "When do we roll back?", Decimal("20.5"))
    assert not await conversations.edit(ASKED.key, "An older edit", Decimal("20.4"))
    assert not await conversations.record(ASKED)
    assert not await conversations.record(replace(ASKED, text="An older edit", edited_at=Decimal("20.4")))
    question = await conversations.find(deferred[0][0])
    assert question is not None
    assert (question.text, question.revision) == ("When do we roll back?", 2)


async def test_a_mention_put_in_by_an_edit_is_a_question(conversations: Conversations) -> None:
    assert await conversations.record(replace(ASKED, edited_at=Decimal(11)))


async def test_an_edit_of_what_was_no_question_is_nothing(conversations: Conversations) -> None:
    assert not await conversations.edit(ASKED.key, "Anything", Decimal(11))


async def test_a_retracted_question_stays_retracted_and_its_text_goes(
    conversations: Conversations, deferred: Deferred
) -> None:
    await conversations.record(ASKED)
    assert await conversations.retract(ASKED.key)
    assert not await conversations.retract(ASKED.key)
    assert not await conversations.edit(ASKED.key, "Back again", Decimal(30))
    question = await conversations.find(deferred[0][0])
    assert question is not None
    assert question.retracted
    assert question.text == ""


async def test_a_quick_follow_up_does_not_overtake_the_question_before_it(pool: Pool) -> None:
    first_is_deferred, go_on, deferred = asyncio.Event(), asyncio.Event(), Deferred()

    async def defer(connection: Any, question_id: int, lock: str) -> None:
        if not deferred:
            first_is_deferred.set()
            await go_on.wait()
        await deferred(connection, question_id, lock)

    conversations = Conversations(pool, defer)
    mention = asyncio.create_task(conversations.record(ASKED))
    await first_is_deferred.wait()
    follow_up = replace(ASKED, key=replace(ASKED.key, ts="10.000002"), surface="follow_up")
    quick = asyncio.create_task(conversations.record(follow_up))
    await asyncio.wait([quick], timeout=0.2)  # time to overtake, if it could
    go_on.set()
    assert [await mention, await quick] == [True, True]
    assert [found.surface for number, _ in deferred if (found := await conversations.find(number))] == [
        "mention",
        "follow_up",
    ]


async def test_follow_ups_are_kept_only_in_threads_it_takes_part_in(conversations: Conversations) -> None:
    follow_up = replace(ASKED, key=MessageKey("T1", "C1", "11.0"), surface="follow_up")
    assert not await conversations.record(follow_up)
    await conversations.record(ASKED)
    assert await conversations.record(follow_up)
    elsewhere = replace(follow_up, key=MessageKey("T1", "C2", "12.0"))
    assert not await conversations.record(elsewhere)


async def test_a_follow_up_alone_does_not_make_it_take_part(
    conversations: Conversations, deferred: Deferred, pool: Pool
) -> None:
    await conversations.record(ASKED)
    await conversations.record(replace(ASKED, key=MessageKey("T1", "C1", "11.0"), surface="follow_up"))
    async with pool.connection() as connection:
        await connection.execute("delete from questions where surface = 'mention'")
    assert not await conversations.record(
        replace(ASKED, key=MessageKey("T1", "C1", "12.0"), surface="follow_up")
    )


async def test_a_thread_under_a_shared_answer_is_one_it_takes_part_in(
    conversations: Conversations, deferred: Deferred
) -> None:
    await conversations.record(replace(ASKED, surface="command", thread_ts=None))
    await conversations.record_reply(deferred[0][0], 1, "15.0")
    under = Asked(MessageKey("T1", "C1", "16.0"), "U1", "And on Fridays?", "follow_up", "15.0")
    assert await conversations.record(under)


async def test_an_answer_is_kept_until_it_is_settled(
    conversations: Conversations, deferred: Deferred
) -> None:
    await conversations.record(ASKED)
    question = await conversations.find(deferred[0][0])
    assert question is not None
    assert await conversations.begin_posting(question, an_answer())
    await conversations.record_reply(question.id, 1, "12.0")
    crashed = await conversations.find(question.id)
    assert crashed is not None
    assert (crashed.posting, crashed.settled, crashed.answer) == (True, False, an_answer())
    assert crashed.replies == {1: "12.0"}
    await conversations.settle(question)
    settled = await conversations.find(question.id)
    assert settled is not None
    assert (settled.posting, settled.settled) == (False, True)


async def test_an_answer_to_an_older_revision_is_not_posted(
    conversations: Conversations, deferred: Deferred
) -> None:
    await conversations.record(ASKED)
    question = await conversations.find(deferred[0][0])
    assert question is not None
    await conversations.edit(ASKED.key, "Another question", Decimal(20))
    assert not await conversations.begin_posting(question, an_answer())
    edited = await conversations.find(question.id)
    assert edited is not None
    assert edited.answer is None
    assert not edited.settled


async def test_only_one_process_answers_a_question_at_a_time(conversations: Conversations) -> None:
    async with conversations.holding(1), conversations.holding(2):
        with pytest.raises(QuestionBusyError):
            async with conversations.holding(1):
                pytest.fail("held twice")
    async with conversations.holding(1):
        pass


async def test_an_ignored_message_is_forgotten(conversations: Conversations, deferred: Deferred) -> None:
    await conversations.record(ASKED)
    question = await conversations.find(deferred[0][0])
    assert question is not None
    await conversations.ignore(question)
    ignored = await conversations.find(question.id)
    assert ignored is not None
    assert (ignored.text, ignored.settled) == ("", True)


async def test_an_answer_is_shared_by_one(conversations: Conversations, deferred: Deferred) -> None:
    await conversations.record(replace(ASKED, surface="command", thread_ts=None))
    question = await conversations.find(deferred[0][0])
    assert question is not None
    assert not await conversations.claim_share(question.id)
    await conversations.begin_posting(question, an_answer())
    assert await conversations.claim_share(question.id)
    assert not await conversations.claim_share(question.id)
    await conversations.release_share(question.id)
    assert await conversations.claim_share(question.id)


async def test_feedback_is_one_verdict_a_person(
    conversations: Conversations, deferred: Deferred, pool: Pool
) -> None:
    await conversations.record(ASKED)
    number = deferred[0][0]
    assert await conversations.give_feedback(number, "U1", helpful=True)
    assert await conversations.give_feedback(number, "U1", helpful=False)
    assert not await conversations.give_feedback(number + 1, "U1", helpful=True)
    async with pool.connection() as connection:
        rows = await (await connection.execute("select person, helpful from feedback")).fetchall()
    assert rows == [("U1", False)]


async def test_a_question_whose_job_cannot_be_deferred_is_not_kept(pool: Pool) -> None:
    async def refuse(connection: Any, question_id: int, lock: str) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await Conversations(pool, refuse).record(ASKED)
    async with pool.connection() as connection:
        assert await (await connection.execute("select count(*) from questions")).fetchone() == (0,)
