"""A mention, and what the network does to it: one answer in its thread."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from running_bot import an_answer

from bot.demo.errors import ApiError
from bot.demo.methods import METHODS
from bot.demo.methods.method import Method
from handlers import reply, working

if TYPE_CHECKING:
    import pytest
    from running_bot import Bot


async def test_a_mention_is_answered_in_its_thread(bot: Bot) -> None:
    ts = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    (answer,) = await bot.answered("#ops", ts)
    assert answer["thread_ts"] == ts
    assert "30 days, as you asked: How long are logs kept?" in answer["text"]
    assert "Logs are kept for 30 days &amp; then &lt;removed&gt;." in answer["text"]
    assert bot.workspace.state.statuses == {}


async def test_it_shows_that_it_is_working_and_clears_it(bot: Bot) -> None:
    shown: list[tuple[str, str]] = []
    bot.workspace.state.watchers.append(
        lambda change: shown.append((change.kind, change.data.get("status", "")))
    )
    ts = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    await bot.answered("#ops", ts)
    statuses = [status for kind, status in shown if kind == "status"]
    assert working.STATUS in statuses
    assert statuses[-1] == ""


async def test_where_slack_takes_no_status_it_reacts_and_takes_that_back(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "assistant.threads.setStatus", Method(_refuse))
    changes: list[str] = []
    bot.workspace.state.watchers.append(lambda change: changes.append(change.kind))
    ts = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    await bot.answered("#ops", ts)
    assert changes.index("reaction_added") < changes.index("reaction_removed")
    assert not bot.workspace.messages("#ops", ts)[0].get("reactions")


async def test_an_event_that_comes_three_times_is_answered_once(bot: Bot) -> None:
    bot.workspace.slack.faults.set(copies=3)
    ts = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    assert len(await bot.answered("#ops", ts)) == 1
    assert len(bot.answering.asked) == 1


async def test_an_edited_question_gets_its_answer_updated(bot: Bot) -> None:
    ts = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    (first,) = await bot.answered("#ops", ts)
    await bot.workspace.edit("maya", "#ops", ts, "@almanac How long are traces kept?")
    await bot.workspace.wait_for(lambda _: "traces" in bot.replies("#ops", ts)[0]["text"])
    await bot.idle()
    (second,) = bot.replies("#ops", ts)
    assert second["ts"] == first["ts"]


async def test_a_question_edited_while_it_is_answered_shows_the_last_answer(bot: Bot) -> None:
    bot.answering.hold = asyncio.Event()
    ts = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    await bot.being_answered(1)
    await bot.workspace.edit("maya", "#ops", ts, "@almanac How long are traces kept?")
    await bot.being_answered(2)
    bot.answering.hold.set()
    (answer,) = await bot.answered("#ops", ts)
    assert "traces" in answer["text"]


async def test_a_mention_put_in_by_an_edit_is_answered(bot: Bot) -> None:
    ts = await bot.workspace.say("maya", "#ops", "How long are logs kept?")
    await bot.workspace.edit("maya", "#ops", ts, "@almanac How long are logs kept?")
    assert len(await bot.answered("#ops", ts)) == 1


async def test_a_deleted_question_has_its_answer_taken_back(bot: Bot) -> None:
    ts = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    await bot.answered("#ops", ts)
    await bot.workspace.delete("maya", "#ops", ts)
    await bot.workspace.wait_for(lambda _: not bot.replies("#ops", ts))
    await bot.idle()
    assert bot.replies("#ops", ts) == []


async def test_a_question_deleted_before_its_answer_gets_none(bot: Bot) -> None:
    bot.answering.hold = asyncio.Event()
    ts = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    await bot.being_answered(1)
    await bot.workspace.delete("maya", "#ops", ts)
    await bot.being_answered(2)
    bot.answering.hold.set()
    await bot.idle()
    assert [m for m in bot.workspace.messages("#ops") if m["user"] == bot.workspace.slack.app.user_id] == []


async def test_a_long_answer_is_continued_and_shrinks_again(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "All of it matters. " * 1_500

    async def answer(question: str, **_: Any) -> Any:
        return an_answer(question, long if "everything" in question else None)

    monkeypatch.setattr(bot.delivery, "services", _with_answer(bot, answer))
    ts = await bot.workspace.say("maya", "#ops", "@almanac Tell me everything")
    parts = await bot.answered("#ops", ts, 2)
    assert len(parts) >= 3
    assert all(part["text"] for part in parts)
    await bot.workspace.edit("maya", "#ops", ts, "@almanac Tell me the short form")
    await bot.workspace.wait_for(lambda _: len(bot.replies("#ops", ts)) == 1)
    await bot.idle()
    (short,) = bot.replies("#ops", ts)
    assert short["ts"] == parts[0]["ts"]


async def test_a_mention_without_a_question_gets_a_hint(bot: Bot) -> None:
    ts = await bot.workspace.say("maya", "#ops", "@almanac")
    (hint,) = await bot.answered("#ops", ts)
    assert hint["text"] == reply.HELP
    assert bot.answering.asked == []


async def test_an_unanswerable_question_gets_the_nearest_documents(bot: Bot) -> None:
    ts = await bot.workspace.say("maya", "#ops", "@almanac Where is the unknown?")
    (answer,) = await bot.answered("#ops", ts)
    assert "couldn't find" in answer["text"]
    assert "Logs" in answer["text"]


async def test_rate_limits_and_dropped_sockets_lose_nothing(bot: Bot) -> None:
    bot.workspace.slack.faults.set(every=3)
    bot.workspace.slack.socket.drop()
    asked = [await bot.workspace.say("maya", "#ops", f"@almanac Question {n}?") for n in range(3)]
    for ts in asked:
        assert len(await bot.answered("#ops", ts)) == 1
    assert bot.workspace.slack.faults.refused > 0


async def test_a_crash_between_posting_and_recording_posts_nothing_twice(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashes = [ConnectionResetError("killed"), ConnectionResetError("killed again")]

    async def record_reply(question_id: int, part: int, ts: str) -> None:
        if crashes:
            raise crashes.pop()
        await original.record_reply(question_id, part, ts)

    original = bot.services
    monkeypatch.setattr(bot.delivery, "services", replace(original, record_reply=record_reply))
    ts = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    await bot.answered("#ops", ts)
    assert crashes == []
    assert len(bot.replies("#ops", ts)) == 1
    assert len(bot.answering.asked) == 1


async def test_an_error_is_tried_again_and_then_told_in_one_sentence_with_a_reference(bot: Bot) -> None:
    bot.answering.fails = 3
    ts = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    (sorry,) = await bot.answered("#ops", ts)
    assert sorry["text"].startswith("Sorry, something went wrong on my side; please try again (reference ")
    assert "tripped" not in sorry["text"]
    await bot.workspace.edit("maya", "#ops", ts, "@almanac How long are logs kept, please?")
    await bot.workspace.wait_for(lambda _: "30 days" in bot.replies("#ops", ts)[0]["text"])
    await bot.idle()
    assert len(bot.replies("#ops", ts)) == 1


def _refuse(_slack: Any, _given: Any) -> Any:
    raise ApiError("feature_not_enabled")


def _with_answer(bot: Bot, answer: Any) -> Any:
    return replace(bot.services, answer=answer)
