"""An answer that takes its time: one message that fills, whatever happens on the way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from running_bot import an_answer

from handlers.blocks import WRITING
from handlers.filling import Pace

if TYPE_CHECKING:
    from running_bot import Bot

    from knowledge.answers import Answer

ASKED = "@almanac How long are logs kept?"


@pytest.fixture
def filling(bot: Bot) -> Bot:
    """Show at once what stands, and hold the answers back."""
    bot.delivery.pace = Pace(interval=0.01, patience=0)
    bot.answering.hold = asyncio.Event()
    return bot


def only_quotes() -> Answer:
    return replace(an_answer("", "x"), answer="")


async def filled(bot: Bot, ts: str, words: str = "Logs are kept") -> dict[str, Any]:
    """Wait until the thread shows something unfinished; return it."""
    await bot.workspace.wait_for(lambda _: any(words in one["text"] for one in bot.replies("#ops", ts)), 15)
    (message,) = bot.replies("#ops", ts)
    assert WRITING in str(message["blocks"])
    return message


async def finished(bot: Bot, ts: str) -> dict[str, Any]:
    """Let the answer be finished; return the only message."""
    assert bot.answering.hold is not None
    bot.answering.hold.set()
    await bot.workspace.wait_for(
        lambda _: WRITING not in str([one["blocks"] for one in bot.replies("#ops", ts)]), 15
    )
    await bot.idle()
    (message,) = bot.replies("#ops", ts)
    assert "30 days" in message["text"]
    return message


async def test_a_message_fills_and_the_answer_takes_its_place(filling: Bot) -> None:
    filling.answering.drafts = [only_quotes()]
    ts = await filling.workspace.say("maya", "#ops", ASKED)
    draft = await filled(filling, ts)
    assert "30 days, as you asked" not in draft["text"]
    assert (await finished(filling, ts))["ts"] == draft["ts"]


async def test_an_answer_that_is_there_soon_is_posted_once_and_whole(bot: Bot) -> None:
    bot.answering.drafts = [only_quotes()]
    updates: list[str] = []
    bot.workspace.state.watchers.append(
        lambda change: updates.append(change.kind) if "message" in change.kind else None
    )
    ts = await bot.workspace.say("maya", "#ops", ASKED)
    await bot.answered("#ops", ts)
    assert bot.answering.drafts == []
    assert updates == [updates[0]] * 2, "the question and its answer, neither of them changed"


async def test_a_failure_in_the_middle_is_tried_again_in_the_same_message(filling: Bot) -> None:
    filling.answering.drafts = [only_quotes(), only_quotes()]
    filling.answering.fails = 1
    ts = await filling.workspace.say("maya", "#ops", ASKED)
    draft = await filled(filling, ts)
    assert (await finished(filling, ts))["ts"] == draft["ts"]
    assert len(filling.answering.asked) == 2


async def test_where_it_keeps_failing_the_message_ends_in_an_apology(filling: Bot) -> None:
    filling.answering.drafts = [only_quotes()]
    filling.answering.fails = 3
    ts = await filling.workspace.say("maya", "#ops", ASKED)
    draft = await filled(filling, ts)
    assert filling.answering.hold is not None
    filling.answering.hold.set()
    await filling.workspace.wait_for(lambda _: "Sorry" in filling.replies("#ops", ts)[0]["text"], 15)
    await filling.idle()
    (sorry,) = filling.replies("#ops", ts)
    assert sorry["ts"] == draft["ts"]


async def test_a_question_deleted_while_its_message_fills_has_it_taken_back(filling: Bot) -> None:
    filling.answering.drafts = [only_quotes()]
    ts = await filling.workspace.say("maya", "#ops", ASKED)
    await filled(filling, ts)
    await filling.workspace.delete("maya", "#ops", ts)
    await filling.being_answered(2)
    assert filling.answering.hold is not None
    filling.answering.hold.set()
    await filling.workspace.wait_for(lambda _: not filling.replies("#ops", ts), 15)
    await filling.idle()
    assert filling.replies("#ops", ts) == []


async def test_a_question_edited_while_its_message_fills_ends_in_the_new_answer(filling: Bot) -> None:
    filling.answering.drafts = [only_quotes()]
    ts = await filling.workspace.say("maya", "#ops", ASKED)
    await filled(filling, ts)
    await filling.workspace.edit("maya", "#ops", ts, "@almanac How long are traces kept?")
    await filling.being_answered(2)
    assert "traces" in (await finished(filling, ts))["text"]


async def test_a_post_whose_reply_is_lost_is_found_in_the_thread(
    filling: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = filling.delivery.client
    post = client.chat_postMessage

    async def posted_and_lost(**arguments: Any) -> Any:
        await post(**arguments)
        monkeypatch.setattr(client, "chat_postMessage", post)
        raise TimeoutError

    monkeypatch.setattr(client, "chat_postMessage", posted_and_lost)
    filling.answering.drafts = [only_quotes()]
    ts = await filling.workspace.say("maya", "#ops", ASKED)
    draft = await filled(filling, ts)
    assert (await finished(filling, ts))["ts"] == draft["ts"]


def test_turns_are_spaced_over_all_messages() -> None:
    pace = Pace(interval=10)
    assert [round(pace.wait()) for _ in range(3)] == [0, 10, 20]
