"""Threads and direct messages: who is answered, who is left in peace, and what is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grammars.engine.protocol import Turn

if TYPE_CHECKING:
    from running_bot import Bot


async def start(bot: Bot) -> str:
    """Let Maya ask in #ops; return the thread once it is answered."""
    thread = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    await bot.answered("#ops", thread)
    return thread


async def test_a_follow_up_of_the_asker_is_answered_with_the_thread_as_history(bot: Bot) -> None:
    thread = await start(bot)
    await bot.workspace.say("maya", "#ops", "And where are they kept?", thread)
    assert len(await bot.answered("#ops", thread, 2)) == 2
    question, history = bot.answering.asked[-1]
    assert question == "And where are they kept?"
    assert history == (
        Turn("user", "How long are logs kept?"),
        Turn("assistant", "30 days, as you asked: How long are logs kept? [1]"),
    )


async def test_people_who_talk_to_each_other_are_left_in_peace(bot: Bot) -> None:
    thread = await start(bot)
    await bot.workspace.say("jonas", "#ops", "Is that so for the audit logs too?", thread)
    await bot.idle()
    await bot.workspace.say("maya", "#ops", "I think it is", thread)
    await bot.idle()
    await bot.workspace.say("maya", "#ops", "@jonas can you check?", thread)
    await bot.idle()
    assert len(bot.replies("#ops", thread)) == 1
    assert [text for text, _ in await bot.questions()] == ["How long are logs kept?", "", ""]


async def test_the_asker_may_go_on_after_somebody_said_something(bot: Bot) -> None:
    thread = await start(bot)
    await bot.workspace.say("jonas", "#ops", "Good to know.", thread)
    await bot.workspace.say("maya", "#ops", "And what about traces?", thread)
    assert len(await bot.answered("#ops", thread, 2)) == 2


async def test_thanks_are_not_answered(bot: Bot) -> None:
    thread = await start(bot)
    await bot.workspace.say("maya", "#ops", "Great, thank you!", thread)
    await bot.idle()
    assert len(bot.replies("#ops", thread)) == 1


async def test_somebody_else_who_mentions_it_is_answered_and_may_follow_up(bot: Bot) -> None:
    thread = await start(bot)
    await bot.workspace.say("jonas", "#ops", "@almanac And backups?", thread)
    assert len(await bot.answered("#ops", thread, 2)) == 2
    await bot.workspace.say("jonas", "#ops", "how about snapshots", thread)
    assert len(await bot.answered("#ops", thread, 3)) == 3


async def test_a_reply_to_its_own_question_is_answered_whoever_gives_it(bot: Bot) -> None:
    thread = await bot.workspace.say("maya", "#ops", "@almanac")
    await bot.answered("#ops", thread)
    await bot.workspace.say("jonas", "#ops", "How long are logs kept?", thread)
    assert len(await bot.answered("#ops", thread, 2)) == 2


async def test_two_questions_at_once_in_a_thread_are_answered_in_order(bot: Bot) -> None:
    thread = await bot.workspace.say("maya", "#ops", "@almanac Question one?")
    await bot.workspace.say("maya", "#ops", "@almanac Question two?", thread)
    await bot.workspace.say("maya", "#ops", "Question three?", thread)
    answers = await bot.answered("#ops", thread, 3)
    assert [answer["text"].split(" [1]")[0][-4:] for answer in answers] == ["one?", "two?", "ree?"]


async def test_a_thread_that_it_has_no_part_in_is_none_of_its_business(bot: Bot) -> None:
    thread = await bot.workspace.say("maya", "#ops", "How long are logs kept?")
    await bot.workspace.say("maya", "#ops", "Does anybody know?", thread)
    await bot.idle()
    assert await bot.questions() == []


async def test_a_direct_message_is_always_answered(bot: Bot) -> None:
    first = await bot.workspace.say("priya", "priya", "How long are logs kept?")
    await bot.answered("priya", first)
    await bot.workspace.say("priya", "priya", "ok and traces", first)
    assert len(await bot.answered("priya", first, 2)) == 2


async def test_an_edited_or_deleted_direct_message_is_followed(bot: Bot) -> None:
    asked = await bot.workspace.say("priya", "priya", "How long are logs kept?")
    await bot.answered("priya", asked)
    await bot.workspace.edit("priya", "priya", asked, "How long are traces kept?")
    await bot.workspace.wait_for(lambda _: "traces" in bot.replies("priya", asked)[0]["text"])
    await bot.idle()
    await bot.workspace.delete("priya", "priya", asked)
    await bot.workspace.wait_for(lambda _: not bot.replies("priya", asked))
    await bot.idle()


async def test_other_bots_are_never_answered(bot: Bot) -> None:
    state, me = bot.workspace.state, bot.workspace.slack.app.user_id
    message = {"user": "U0OTHERBOT", "bot_id": "B0OTHERBOT", "text": f"<@{me}> How long are logs kept?"}
    state.post(bot.workspace.channel("#ops"), message)
    state.post(bot.workspace.channel("priya"), message)
    await bot.idle()
    assert await bot.questions() == []
