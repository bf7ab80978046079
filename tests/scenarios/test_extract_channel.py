"""Channels that administrators set up: records without asking, and every message sorted. Off by default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from recording_bot import RecordingBot, recording_bot

from handlers import extract, triage
from handlers.extract_views import POSTED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.demo import LocalWorkspace

COMPLETE = "checkout-api is down, sev2, 41 users. Ana is on it."


@pytest.fixture
async def bot(workspace: LocalWorkspace, conninfo: str) -> AsyncIterator[RecordingBot]:
    async with recording_bot(workspace, conninfo) as bot:  # Maya administers the workspace
        yield bot


async def told(bot: RecordingBot, words: str, person: str = "maya") -> str:
    """Run `/extract channel` in #ops; return what only this person reads."""
    count = len(bot.workspace.channel("#ops").ephemeral)
    await bot.workspace.command(person, "#ops", f"/extract channel {words}")
    return str((await bot.whispers("#ops", count + 1))[-1]["text"])


def reactions(bot: RecordingBot, ts: str) -> list[str]:
    message = bot.workspace.channel("#ops").messages[ts]
    return [one["name"] for one in message.get("reactions", [])]


async def test_nothing_is_read_unless_an_administrator_turns_it_on(bot: RecordingBot) -> None:
    await bot.workspace.say("jonas", "#ops", COMPLETE)
    assert "Only an administrator" in await told(bot, "triage incident", "jonas")
    assert "Messages are left alone." in await told(bot, "", "jonas")
    await bot.workspace.say("jonas", "#ops", COMPLETE)
    await bot.idle()
    assert bot.reading.texts == []


async def test_where_administrators_are_named_no_other_may(workspace: LocalWorkspace, conninfo: str) -> None:
    jonas = workspace.state.find_person("jonas")
    assert jonas is not None
    async with recording_bot(workspace, conninfo, admins=frozenset([jonas.id])) as bot:
        assert "Only an administrator" in await told(bot, "automatic on")
        assert "by themselves" in await told(bot, "automatic on", "jonas")


async def test_every_message_gets_the_emoji_of_its_class(bot: RecordingBot) -> None:
    assert "an emoji for its class" in await told(bot, "triage incident")
    ts = await bot.workspace.say("jonas", "#ops", COMPLETE)
    await bot.workspace.wait_for(lambda _: reactions(bot, ts))
    await bot.idle()
    assert reactions(bot, ts) == [triage.EMOJI[1]]  # sev2 is the second option
    assert bot.ours("#ops") == []
    assert await bot.rows("select text, record from drafts") == [("", None)]
    assert "left alone" in await told(bot, "triage off")


async def test_a_reply_holds_the_record_where_it_is_complete(bot: RecordingBot) -> None:
    await told(bot, "triage incident reply")
    await bot.workspace.say("jonas", "#ops", "something broke")
    ts = await bot.workspace.say("jonas", "#ops", COMPLETE)
    (card,) = await bot.said("#ops")
    assert card["thread_ts"] == ts
    assert "subtype" not in card  # it is not sent to the channel as well
    assert "Posted without asking" in str(card["blocks"])
    assert bot.delivered.payloads[0][1]["confirmed_by"] is None


async def test_a_flood_is_read_up_to_the_limit(bot: RecordingBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triage, "MOST_A_MINUTE", 3)
    await told(bot, "triage incident")
    for number in range(6):
        await bot.workspace.say("jonas", "#ops", f"{COMPLETE} {number}")
        await bot.idle()
    assert len(bot.reading.texts) == 3


async def test_a_complete_record_is_posted_without_asking_an_incomplete_one_is_shown(
    bot: RecordingBot,
) -> None:
    assert "by themselves" in await told(bot, "automatic on")
    await bot.workspace.command("jonas", "#ops", f"/extract incident {COMPLETE}")
    (card,) = await bot.said("#ops")
    assert "Posted without asking" in str(card["blocks"])
    assert POSTED in str(bot.modal("jonas")["blocks"])
    ts = await bot.workspace.say("jonas", "#ops", "something broke")
    await bot.workspace.shortcut("jonas", extract.FROM_MESSAGE, "#ops", ts)
    form: dict[str, Any] = await bot.form("jonas")
    assert form["submit"]["text"] == "Post"
    assert len(bot.ours("#ops")) == 1


@pytest.mark.parametrize("words", ["triage", "triage incident loudly", "automatic maybe"])
async def test_what_makes_no_sense_is_explained(bot: RecordingBot, words: str) -> None:
    assert "/extract channel automatic on" in await told(bot, words)
