"""An answer whose quote is gone says so in its thread, and is asked again at the press of a button."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from running_bot import QUOTE, until

from handlers import stale
from knowledge.jobs import Marker
from knowledge.sources import remove_source
from knowledge.stale import note_changes, stale_quotes

if TYPE_CHECKING:
    from running_bot import Bot

URI = "file:///docs/logs.md"
MARK = stale.CHANGED.format("[1] is")


async def stored(bot: Bot, content: str | None) -> None:
    """Store a text of the document that is quoted, or remove it, as a run would."""
    async with bot.pool.connection() as connection:
        await connection.execute("delete from documents where uri = %s", [URI])
        if content is not None:
            await connection.execute(
                "insert into documents (source_id, uri, path, content, size, mtime_ns)"
                " select id, %s, 'logs.md', %s, 0, 0 from sources",
                [URI, content],
            )
        await note_changes(connection, [URI], Marker(bot.jobs))


async def asked(bot: Bot) -> tuple[str, dict[str, Any]]:
    await stored(bot, f"# Logs\n\n{QUOTE}\n")
    ts = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    (answer,) = await bot.answered("#ops", ts)
    return ts, answer


async def shown(bot: Bot, ts: str, *, marked: bool) -> dict[str, Any]:
    """Wait until the answer is marked, or is not, and return it."""

    async def is_so() -> bool:
        replies = bot.replies("#ops", ts)
        return bool(replies) and (MARK in str(replies[0]["blocks"])) is marked

    await until(is_so)
    await bot.idle()
    (answer,) = bot.replies("#ops", ts)
    return answer


def content(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [{key: value for key, value in block.items() if key != "block_id"} for block in message["blocks"]]


async def test_a_quote_that_is_gone_is_marked_and_one_that_is_back_is_not(bot: Bot) -> None:
    ts, before = await asked(bot)
    await stored(bot, f"# Logs, moved\n\nMore of them.\n\n{QUOTE}\n")
    await bot.idle()
    assert content(bot.replies("#ops", ts)[0]) == content(before)
    await stored(bot, "# Logs\n\nLogs are kept for 90 days.\n")
    await shown(bot, ts, marked=True)
    (quote,) = await stale_quotes(bot.pool, 1)
    assert (quote.marker, quote.quote, quote.change) == (1, QUOTE, "changed")
    await stored(bot, None)
    await bot.idle()
    assert [quote.change for quote in await stale_quotes(bot.pool, 1)] == ["removed"]
    await stored(bot, QUOTE)
    assert content(await shown(bot, ts, marked=False)) == content(before)
    assert await stale_quotes(bot.pool, 1) == []


async def test_an_answer_whose_document_changed_while_it_was_written_is_marked_at_once(bot: Bot) -> None:
    bot.answering.hold = asyncio.Event()
    ts = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    await bot.being_answered(1)
    await stored(bot, "# Logs\n\nLogs are kept for 90 days.\n")
    bot.answering.hold.set()
    await shown(bot, ts, marked=True)
    assert [quote.change for quote in await stale_quotes(bot.pool, 1)] == ["changed"]


@pytest.mark.parametrize("removed", [False, True])
async def test_an_answer_that_is_stored_while_its_document_is_being_changed_waits_for_that(
    bot: Bot, *, removed: bool
) -> None:
    bot.answering.hold = asyncio.Event()
    ts = await bot.workspace.say("maya", "#ops", "@almanac How long are logs kept?")
    await bot.being_answered(1)
    async with bot.pool.connection() as connection:
        # A run that has compared the answers that it saw, and not committed yet.
        change = "delete from documents" if removed else "update documents set content = 'for 90 days'"
        await connection.execute(f"{change} where uri = %s", [URI])
        await note_changes(connection, [URI], Marker(bot.jobs))
        bot.answering.hold.set()

        async def waits() -> bool:
            rows = await connection.execute("select 1 from pg_locks where not granted")
            return rows.rowcount > 0

        await until(waits)
    await shown(bot, ts, marked=True)
    (quote,) = await stale_quotes(bot.pool, 1)
    assert quote.change == ("removed" if removed else "changed")


async def test_the_button_asks_again_and_the_new_answer_stands_in_the_old_ones_place(bot: Bot) -> None:
    ts, answer = await asked(bot)
    await remove_source(bot.pool, "docs", defer=Marker(bot.jobs))
    await shown(bot, ts, marked=True)
    assert len(bot.answering.asked) == 1
    await bot.workspace.click("jonas", "#ops", answer["ts"], stale.ASK_AGAIN)

    async def answered_again() -> bool:
        return len(bot.answering.asked) == 2 and not await bot.busy()

    await until(answered_again)
    (again,) = bot.replies("#ops", ts)
    assert again["ts"] == answer["ts"]
    assert MARK not in str(again["blocks"])
