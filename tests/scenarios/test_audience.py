"""Who will see a reply decides what it is made of: members, guests, groups, and what changes about them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from handlers import ask, audience, blocks
from handlers.audience import Audiences
from handlers.audience_cache import Cache

if TYPE_CHECKING:
    from running_bot import Bot

QUESTION = "How long are logs kept?"


async def asked(bot: Bot, user: str, channel: str, question: str = QUESTION) -> list[list[str]]:
    """Ask, and return for whom it was answered."""
    ts = await bot.workspace.say(user, channel, f"@almanac {question}")
    await bot.answered(channel, ts)
    readers = bot.answering.audiences[-1]
    assert readers is not None
    return readers.as_json()


async def listed(bot: Bot, *names: str) -> None:
    async with bot.pool.connection() as connection:
        await connection.execute("update sources set audience = %s", [list(names)])


async def whispered(bot: Bot, user: str, words: str) -> dict[str, Any]:
    """Wait until a person is told something that nobody else sees in #ops."""

    def found(_: object) -> dict[str, Any] | None:
        rows = bot.workspace.channel("#ops").ephemeral.values()
        return next((row for row in rows if row["to"] == user and words in row["text"]), None)

    seen = await bot.workspace.wait_for(found)
    assert seen
    return seen


async def test_a_channel_of_members_is_everyone_and_one_with_a_guest_is_not(bot: Bot) -> None:
    assert await asked(bot, "maya", "#ops") == [["everyone"]]
    assert await asked(bot, "maya", "#vendors") == [["everyone"], ["guests"]]
    assert await asked(bot, "tom", "tom") == [["guests"]]


async def test_where_nothing_is_found_for_outsiders_the_reason_is_told(bot: Bot) -> None:
    ts = await bot.workspace.say("maya", "#vendors", "@almanac Something unknown?")
    (reply,) = await bot.answered("#vendors", ts)
    assert audience.OUTSIDERS in reply["text"]
    ts = await bot.workspace.say("maya", "#ops", "@almanac Something unknown?")
    (reply,) = await bot.answered("#ops", ts)
    assert audience.OUTSIDERS not in reply["text"]


async def test_groups_and_channels_that_a_source_lists_count_for_who_is_in_them(bot: Bot) -> None:
    await listed(bot, "S0ONCALL01", "C0OPS00001")
    assert await asked(bot, "maya", "maya") == [["C0OPS00001", "S0ONCALL01", "everyone"]]
    assert await asked(bot, "priya", "priya") == [["C0OPS00001", "everyone"]]
    assert await asked(bot, "maya", "#ops") == [["C0OPS00001", "everyone"]]
    assert await asked(bot, "maya", "#vendors") == [["C0OPS00001", "everyone"], ["guests"]]


async def test_a_guest_who_joins_is_noticed_and_one_who_leaves_too(bot: Bot) -> None:
    assert await asked(bot, "maya", "#ops") == [["everyone"]]
    for join, expected in ((True, [["everyone"], ["guests"]]), (False, [["everyone"]])):
        await bot.workspace.move("tom", "#ops", join=join)
        await bot.idle()
        assert await asked(bot, "maya", "#ops") == expected


async def test_where_slack_cannot_be_asked_only_the_place_itself_counts(bot: Bot) -> None:
    await listed(bot, "C0OPS00001")
    app = bot.workspace.slack.app
    bot.workspace.slack.app = replace(app, scopes=frozenset({"chat:write", "channels:history"}))
    try:
        assert await asked(bot, "maya", "#ops", "Something unknown?") == [["C0OPS00001"]]
    finally:
        bot.workspace.slack.app = app
    reply = bot.workspace.messages("#ops")[-1]
    assert audience.UNASKED in reply["text"]


async def test_an_answer_is_not_shared_with_a_channel_that_may_not_read_it(bot: Bot) -> None:
    await listed(bot, "U0JONAS001")
    await bot.workspace.command("jonas", "#ops", f"/ask {QUESTION}")
    answer = await whispered(bot, "U0JONAS001", "30 days")
    await bot.idle()
    await bot.workspace.click("jonas", "#ops", answer["ts"], blocks.SHARE)
    await whispered(bot, "U0JONAS001", ask.UNREADABLE)
    assert bot.workspace.messages("#ops") == []
    await listed(bot, "everyone")  # the channel may read it now, and the refusal did not use up the button
    await bot.workspace.click("jonas", "#ops", answer["ts"], blocks.SHARE)
    assert await bot.workspace.wait_for(lambda _: bot.workspace.messages("#ops"))


async def test_an_answer_whose_document_is_gone_is_not_shared(bot: Bot) -> None:
    await bot.workspace.command("jonas", "#ops", f"/ask {QUESTION}")
    answer = await whispered(bot, "U0JONAS001", "30 days")
    await bot.idle()
    async with bot.pool.connection() as connection:
        await connection.execute("delete from documents")
    await bot.workspace.click("jonas", "#ops", answer["ts"], blocks.SHARE)
    await whispered(bot, "U0JONAS001", ask.GONE)


async def test_what_was_retrieved_is_not_shown_to_one_who_may_not_read_it(bot: Bot) -> None:
    ts = await bot.workspace.say("maya", "#ops", f"@almanac {QUESTION}")
    (answer,) = await bot.answered("#ops", ts)
    await listed(bot, "S0ONCALL01")
    for person, shown in (("jonas", True), ("priya", False)):
        await bot.workspace.click(person, "#ops", answer["ts"], blocks.SHOW_RETRIEVED)
        view = await bot.workspace.wait_for(lambda workspace, person=person: workspace.modal(person))
        assert ("Logs are kept for 30 days" in str(view["blocks"])) is shown


async def test_the_same_uri_in_a_source_for_everyone_does_not_open_the_one_that_is_not(bot: Bot) -> None:
    await bot.workspace.command("maya", "#ops", f"/ask {QUESTION}")
    private = await whispered(bot, "U0MAYA0001", "30 days")
    ts = await bot.workspace.say("maya", "#ops", f"@almanac {QUESTION}")
    (public,) = await bot.answered("#ops", ts)
    await listed(bot, "U0MAYA0001")
    async with bot.pool.connection() as connection:
        await connection.execute("insert into sources (name, uri) values ('copy', 'file:///')")
        await connection.execute(
            "insert into documents (source_id, uri, path, content, size, mtime_ns)"
            " select (select id from sources where name = 'copy'), uri, path, 'Another text.', 0, 0"
            " from documents"
        )
    await bot.workspace.click("priya", "#ops", public["ts"], blocks.SHOW_RETRIEVED)
    view = await bot.workspace.wait_for(lambda workspace: workspace.modal("priya"))
    assert "Logs are kept for 30 days" not in str(view["blocks"])
    await bot.workspace.click("maya", "#ops", private["ts"], blocks.SHARE)
    await whispered(bot, "U0MAYA0001", ask.UNREADABLE)


async def test_somebody_of_another_workspace_counts_as_nobody_who_is_not_listed(bot: Bot) -> None:
    await listed(bot, "U0PRIYA001")

    async def elsewhere(**_: Any) -> dict[str, Any]:
        return {"user": {"id": "U0PRIYA001", "team_id": "T0ANOTHER1"}}

    audiences = Audiences(bot.delivery.client, bot.services.reading)
    audiences.directory._client.users_info = elsewhere  # type: ignore[assignment, method-assign]  # a stranger
    assert (await audiences.of_person("U0PRIYA001")).audience.as_json() == [["U0PRIYA001"]]


async def test_the_cache_is_bounded_expires_and_follows_versions() -> None:
    now = [0.0]
    cache: Cache[str] = Cache(2, 10, lambda: now[0])
    for name in ("a", "b", "c"):
        cache.put(name, name, 1)
    assert [cache.get(name, 1) for name in ("a", "b", "c")] == [None, "b", "c"]
    assert cache.get("b", 2) is None
    now[0] = 10.0
    assert cache.get("c", 1) is None
