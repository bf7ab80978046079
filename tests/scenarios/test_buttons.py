"""What people can press and type: /ask, sharing, what was retrieved, feedback, the home."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from handlers import ask, blocks, errors, feedback, retrieved

if TYPE_CHECKING:
    from running_bot import Bot


def whispers(bot: Bot, channel: str, user: str) -> list[dict[str, Any]]:
    """Return what only this person sees in a channel."""
    person = bot.workspace.state.find_person(user)
    assert person is not None
    return [row for row in bot.workspace.channel(channel).ephemeral.values() if row["to"] == person.id]


async def asked_privately(bot: Bot, question: str = "How long are logs kept?") -> dict[str, Any]:
    """Let Jonas ask privately in #ops; return the answer that he sees."""
    await bot.workspace.command("jonas", "#ops", f"/ask {question}")
    seen = await bot.workspace.wait_for(lambda _: whispers(bot, "#ops", "jonas")[1:])
    await bot.idle()
    return seen[0]


async def test_ask_is_answered_to_the_asker_alone(bot: Bot) -> None:
    answer = await asked_privately(bot)
    assert "30 days" in answer["text"]
    assert whispers(bot, "#ops", "jonas")[0]["text"] == ask.LOOKING
    assert bot.workspace.messages("#ops") == []


async def test_a_private_answer_is_shared_once(bot: Bot) -> None:
    answer = await asked_privately(bot)
    for _ in range(2):
        await bot.workspace.click("jonas", "#ops", answer["ts"], blocks.SHARE)
    await bot.workspace.wait_for(
        lambda _: any(one["text"] == ask.SHARED for one in whispers(bot, "#ops", "jonas"))
    )
    (shared,) = await bot.workspace.wait_for(lambda _: bot.workspace.messages("#ops"))
    person = bot.workspace.state.find_person("jonas")
    assert person is not None
    opening = shared["blocks"][0]["elements"][0]["elements"]
    assert opening[0] == {"type": "user", "user_id": person.id}
    assert "How long are logs kept?" in shared["text"]
    assert shared.get("thread_ts") is None


async def test_a_thread_under_a_shared_answer_goes_on(bot: Bot) -> None:
    answer = await asked_privately(bot)
    await bot.workspace.click("jonas", "#ops", answer["ts"], blocks.SHARE)
    (shared,) = await bot.workspace.wait_for(lambda _: bot.workspace.messages("#ops"))
    await bot.idle()

    await bot.workspace.say("jonas", "#ops", "And traces?", shared["ts"])
    assert len(await bot.answered("#ops", shared["ts"], 2)) == 2


async def test_sharing_that_fails_says_so_and_can_be_tried_again(bot: Bot) -> None:
    answer = await asked_privately(bot)
    await bot.workspace.move("almanac", "#ops", join=False)
    await bot.workspace.click("jonas", "#ops", answer["ts"], blocks.SHARE)
    await bot.workspace.wait_for(
        lambda _: any(one["text"] == errors.NOT_INVITED for one in whispers(bot, "#ops", "jonas"))
    )
    await bot.workspace.move("almanac", "#ops", join=True)
    await bot.workspace.click("jonas", "#ops", answer["ts"], blocks.SHARE)
    assert await bot.workspace.wait_for(lambda _: bot.workspace.messages("#ops"))


async def test_ask_without_a_question_says_how(bot: Bot) -> None:
    await bot.workspace.command("jonas", "#ops", "/ask")
    (hint,) = whispers(bot, "#ops", "jonas")
    assert hint["text"] == ask.USAGE


async def test_a_private_question_that_fails_is_told_privately(bot: Bot) -> None:
    bot.answering.fails = 3
    answer = await asked_privately(bot)
    assert "(reference " in answer["text"]


async def test_what_was_retrieved_is_shown_with_its_scores(bot: Bot) -> None:
    ts = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    (answer,) = await bot.answered("#ops", ts)
    await bot.workspace.click("priya", "#ops", answer["ts"], blocks.SHOW_RETRIEVED)
    view = await bot.workspace.wait_for(lambda w: w.modal("priya"))
    assert view["title"]["text"] == retrieved.TITLE
    assert "dense 0.71" in str(view["blocks"])
    assert "Logs are kept for 30 days & then <removed>." in str(view["blocks"])


async def test_what_was_retrieved_for_a_question_that_is_gone(bot: Bot) -> None:
    ts = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    (answer,) = await bot.answered("#ops", ts)
    async with bot.pool.connection() as connection:
        await connection.execute("delete from questions")
    await bot.workspace.click("priya", "#ops", answer["ts"], blocks.SHOW_RETRIEVED)
    view = await bot.workspace.wait_for(lambda w: w.modal("priya"))
    assert retrieved.GONE in str(view["blocks"])


async def test_feedback_is_kept_and_thanked_for(bot: Bot) -> None:
    ts = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    (answer,) = await bot.answered("#ops", ts)
    down = answer["blocks"][-1]["elements"][0]["negative_button"]["value"]
    await bot.workspace.click("priya", "#ops", answer["ts"], blocks.FEEDBACK, value=down)
    seen = await bot.workspace.wait_for(lambda _: whispers(bot, "#ops", "priya"))
    assert seen[0]["text"] == feedback.THANKS[False]
    async with bot.pool.connection() as connection:
        rows = await (await connection.execute("select person, helpful from feedback")).fetchall()
    assert rows == [("U0PRIYA001", False)]


async def test_a_button_that_fails_tells_the_person_with_a_reference(bot: Bot) -> None:
    ts = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    (answer,) = await bot.answered("#ops", ts)
    async with bot.pool.connection() as connection:
        await connection.execute("alter table feedback rename to elsewhere")
    up = answer["blocks"][-1]["elements"][0]["positive_button"]["value"]
    await bot.workspace.click("priya", "#ops", answer["ts"], blocks.FEEDBACK, value=up)
    seen = await bot.workspace.wait_for(lambda _: whispers(bot, "#ops", "priya"))
    assert "(reference " in seen[0]["text"]
    assert "elsewhere" not in seen[0]["text"]


async def test_an_event_that_cannot_be_recorded_is_not_acknowledged_and_comes_again(bot: Bot) -> None:
    async with bot.pool.connection() as connection:
        await connection.execute("alter table questions rename to elsewhere")
    socket = bot.workspace.slack.socket
    socket.redelivery = replace(socket.redelivery, ack_timeout=0.2, delays=(0.0, 0.1, 0.1))
    ts = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    seen = await bot.workspace.wait_for(lambda _: whispers(bot, "#ops", "maya"))
    assert "(reference " in seen[0]["text"]
    assert seen[0]["thread_ts"] == ts
    await bot.idle()
    assert len(whispers(bot, "#ops", "maya")) == 1


async def test_the_home_lists_what_it_knows(bot: Bot) -> None:
    await bot.workspace.open_home("maya")
    home = await bot.workspace.wait_for(lambda w: w.state.homes.get("U0MAYA0001"))
    assert "docs" in str(home["blocks"])
    assert "1 document" in str(home["blocks"])
