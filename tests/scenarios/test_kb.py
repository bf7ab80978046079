"""`/kb` over a real socket: who may, what is shown, the forms, the runs, and what is kept of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from running_bot import Bot, running_bot, until

from bot.config import Settings
from bot.demo import App, LocalWorkspace, local_workspace
from bot.demo.app import Command
from handlers import kb, kb_forms, kb_modal, kb_origin, kb_progress, kb_search
from handlers.kb_pages import CANCEL_RUNS, EDIT, OLDER, REINDEX
from knowledge.calls import recent_calls
from knowledge.runs import recent_runs
from knowledge.sources import list_sources

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def workspace() -> AsyncIterator[LocalWorkspace]:
    async with local_workspace(app=App(commands=(Command("/kb"), Command("/ask")))) as workspace:
        yield workspace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pods.md").write_text("# Pods\n\nDelete the pod to restart it.\n")
    return tmp_path


@pytest.fixture
async def bot(workspace: LocalWorkspace, conninfo: str, folder: Path) -> AsyncIterator[Bot]:
    settings = Settings(_env_file=None, almanac_folders=(folder,), almanac_admins=())  # type: ignore[call-arg]  # pydantic-settings' own argument
    async with running_bot(workspace, conninfo, settings) as bot:
        async with bot.pool.connection() as connection:
            await connection.execute("delete from sources")
        yield bot


async def whispered(bot: Bot, words: str, user: str = "U0MAYA0001") -> dict[str, Any]:
    """Wait until a person alone sees something in #ops that says these words."""

    def found(_: object) -> dict[str, Any] | None:
        rows = reversed(bot.workspace.channel("#ops").ephemeral.values())
        return next((row for row in rows if row["to"] == user and words in str(row)), None)

    seen = await bot.workspace.wait_for(found, 15)
    assert seen
    return seen


async def told(bot: Bot, words: str) -> dict[str, Any]:
    """Wait until Maya's direct messages hold these words."""

    def found(_: object) -> dict[str, Any] | None:
        rows = bot.workspace.channel("maya").messages.values()
        return next((row for row in rows if words in str(row)), None)

    seen = await bot.workspace.wait_for(found, 15)
    assert seen
    return seen


async def added(bot: Bot, uri: object, **values: Any) -> dict[str, str]:
    """Let Maya add a source in the form; return what is wrong with what she entered."""
    await bot.workspace.command("maya", "#ops", "/kb add")
    await bot.workspace.wait_for(lambda workspace: workspace.modal("maya"))
    given = {kb_modal.URI: str(uri), **values}
    filled = {block: {kb_modal.VALUE: value} for block, value in given.items()}
    problems = await bot.workspace.submit("maya", filled)
    if problems:
        await bot.workspace.close("maya")
    return problems


async def a_run_that_goes_on(bot: Bot) -> None:
    async with bot.pool.connection() as connection:
        await connection.execute("insert into sources (name, uri) values ('slow', 'file:///nowhere')")
        await connection.execute(
            "insert into runs (source_id, cause, state, started_at, seen)"
            " select id, 'watch', 'running', now(), 9 from sources"
        )


def progress(bot: Bot) -> list[dict[str, Any]]:
    """Return the messages that show Maya how far runs are."""
    rows = bot.workspace.channel("maya").messages.values()
    return [row for row in rows if row["text"] in {kb_progress.RUNNING, kb_progress.OVER}]


async def test_only_administrators_may_and_every_call_is_kept(bot: Bot) -> None:
    await bot.workspace.command("jonas", "#ops", "/kb status")
    await whispered(bot, kb.REFUSED, "U0JONAS001")
    await bot.workspace.command("maya", "#ops", "/kb status")
    await whispered(bot, "There are no sources yet")
    calls = await recent_calls(bot.pool)
    assert [(call.person, call.call, call.granted) for call in calls] == [
        ("U0MAYA0001", "/kb status", True),
        ("U0JONAS001", "/kb status", False),
    ]


async def test_help_is_shown_for_whatever_is_not_known(bot: Bot) -> None:
    for words in ("", "help", "frobnicate"):
        await bot.workspace.command("maya", "#ops", f"/kb {words}")
        shown = await whispered(bot, "/kb reindex")
        bot.workspace.channel("#ops").ephemeral.pop(shown["ts"])


async def test_a_source_is_added_indexed_and_searched(bot: Bot, folder: Path) -> None:
    assert await added(bot, folder, name="runbooks", schedule="1h") == {}
    await told(bot, kb_progress.OVER)
    assert "1 seen = 1 indexed" in str(await told(bot, "runbooks"))
    (source,) = await list_sources(bot.pool)
    assert (source.name, source.schedule, source.audience) == ("runbooks", "1h", None)

    await bot.workspace.command("maya", "#ops", "/kb search restart the pod")
    shown = str(await whispered(bot, kb_search.TITLE))
    assert "Delete the pod to restart it." in shown
    assert "lexical" in shown
    await bot.workspace.command("maya", "#ops", "/kb diff")
    assert "pods.md" in str(await whispered(bot, "What changed"))


async def test_a_form_says_field_by_field_what_cannot_be(bot: Bot, folder: Path) -> None:
    assert await added(bot, "/etc") == {kb_modal.URI: kb_origin.NOT_FROM_HERE}
    assert "memory" in (await added(bot, "memory://x"))[kb_modal.URI]
    assert "is no schedule" in (await added(bot, folder, schedule="often"))[kb_modal.SCHEDULE]
    assert await added(bot, folder, link_base="ftp://x") == {kb_modal.LINK: kb_modal.NO_LINK}
    assert await added(bot, folder, audience=[]) == {kb_modal.AUDIENCE: kb_modal.NOBODY}
    assert "does not exist" in (await added(bot, folder / "gone"))[kb_modal.URI]
    assert await list_sources(bot.pool) == []


async def test_a_credential_that_is_typed_into_the_form_is_kept_nowhere(bot: Bot) -> None:
    for address in (
        "https://ghp_hunter2@wiki.example.com/",
        "s3://bucket/docs?sig=hunter2",
        "https://hunter2@[",
    ):
        assert "hunter2" not in str((await added(bot, address))[kb_modal.URI])
    problems = await added(bot, "https://wiki.example.com", link_base="https://hunter2@wiki.example.com")
    assert set(problems) == {kb_modal.LINK}
    async with bot.pool.connection() as connection:
        kept = await (await connection.execute("select call from admin_calls")).fetchall()
    assert "hunter2" not in str(kept)
    assert await list_sources(bot.pool) == []


async def test_a_credential_that_is_typed_is_not_kept(bot: Bot) -> None:
    await bot.workspace.command("maya", "#ops", "/kb search <https://hunter2@wiki.example.com> in the wiki")

    async def recorded() -> bool:
        return bool(await recent_calls(bot.pool))

    await until(recorded)
    (call,) = await recent_calls(bot.pool)
    assert call.call == f"/kb search {kb.LEFT_OUT} in the wiki"


async def test_a_source_that_is_there_is_not_added_again_and_keeps_its_readers(
    bot: Bot, folder: Path
) -> None:
    assert await added(bot, folder, name="runbooks", audience=[], people=["U0MAYA0001"]) == {}
    problems = await added(bot, folder, name="again")
    assert problems == {kb_modal.URI: kb_forms.THERE.format("runbooks")}
    (source,) = await list_sources(bot.pool)
    assert (source.name, source.audience) == ("runbooks", ["U0MAYA0001"])


async def test_one_source_is_read_anew(bot: Bot, folder: Path) -> None:
    assert await added(bot, folder, name="my runbooks") == {}
    await told(bot, kb_progress.OVER)
    await bot.workspace.command("maya", "#ops", "/kb reindex my runbooks full")
    await whispered(bot, kb.FOLLOWED)

    async def done() -> bool:
        (run, *_) = await recent_runs(bot.pool)
        return (run.full_read, run.whole, run.state, run.indexed) == (True, False, "finished", 1)

    await until(done)


async def test_a_source_is_edited_and_removed(bot: Bot, folder: Path) -> None:
    listed = {"audience": [], "people": ["U0MAYA0001"], "groups": ["S0ONCALL01"]}
    assert await added(bot, folder, name="runbooks", **listed) == {}
    (source,) = await list_sources(bot.pool)
    assert source.audience == ["S0ONCALL01", "U0MAYA0001"]
    await told(bot, kb_progress.OVER)

    await bot.workspace.command("maya", "#ops", "/kb sources")
    shown = await whispered(bot, "Sources")
    await bot.workspace.click("maya", "#ops", shown["ts"], EDIT)
    view = await bot.workspace.wait_for(lambda workspace: workspace.modal("maya"))
    assert view["callback_id"] == kb_modal.EDIT_VIEW
    assert await bot.workspace.submit("maya", {"include": {"value": "*.md\n*.txt"}}) == {}
    (source,) = await list_sources(bot.pool)
    assert (source.include, source.audience) == (["*.md", "*.txt"], ["S0ONCALL01", "U0MAYA0001"])

    await bot.workspace.command("maya", "#ops", "/kb remove runbooks")
    await bot.workspace.wait_for(lambda workspace: workspace.modal("maya"))
    assert await bot.workspace.submit("maya") == {}
    await told(bot, "runbooks is removed")
    assert await list_sources(bot.pool) == []


async def test_a_search_for_somebody_else_names_but_does_not_show_what_one_may_not_read(
    bot: Bot, folder: Path
) -> None:
    assert await added(bot, folder, audience=[], people=["U0JONAS001"]) == {}
    await told(bot, kb_progress.OVER)
    await bot.workspace.command("maya", "#ops", "/kb search --as <@U0JONAS001|jonas> restart the pod")
    shown = str(await whispered(bot, kb_search.TITLE))
    assert "which you may not read yourself" in shown
    assert "Delete the pod" not in shown
    await bot.workspace.command("maya", "#ops", "/kb search restart the pod")
    await whispered(bot, kb_search.NOTHING)


async def test_a_run_is_cancelled_with_the_button(bot: Bot) -> None:
    await a_run_that_goes_on(bot)
    await bot.services.reading.listed_readers()
    await bot.jobs.configure_task("kb_follow", queue="administration").defer_async(
        person="U0MAYA0001", runs=[1]
    )
    message = await told(bot, CANCEL_RUNS)
    await bot.workspace.click("maya", "maya", message["ts"], CANCEL_RUNS)

    async def stopped() -> bool:
        async with bot.pool.connection() as connection:
            row = await (await connection.execute("select stop from runs")).fetchone()
        return bool(row and row[0])

    await until(stopped)
    async with bot.pool.connection() as connection:
        await connection.execute("update runs set state = 'cancelled', finished_at = now()")
    await told(bot, kb_progress.OVER)


async def test_commands_are_answered_while_many_runs_are_followed(bot: Bot) -> None:
    await a_run_that_goes_on(bot)
    for _ in range(6):
        await bot.jobs.configure_task("kb_follow", queue="administration").defer_async(
            person="U0MAYA0001", runs=[1]
        )
    await bot.workspace.wait_for(lambda _: len(progress(bot)) == 6, 15)
    await bot.workspace.command("maya", "#ops", "/kb search restart the pod")
    await whispered(bot, kb_search.TITLE)
    async with bot.pool.connection() as connection:
        await connection.execute("update runs set state = 'finished', seen = 0, finished_at = now()")
    await bot.idle()
    assert [message["text"] for message in progress(bot)] == [kb_progress.OVER] * 6


async def test_an_update_that_slack_refuses_is_tried_again_on_the_same_message(bot: Bot) -> None:
    await a_run_that_goes_on(bot)
    await bot.jobs.configure_task("kb_follow", queue="administration").defer_async(
        person="U0MAYA0001", runs=[1]
    )
    await told(bot, CANCEL_RUNS)
    bot.workspace.slack.faults.set(methods=["chat.update"], retry_after=0)
    async with bot.pool.connection() as connection:
        await connection.execute("update runs set indexed = 5")

    async def refused_for_good() -> bool:
        async with bot.pool.connection() as connection:
            found = await connection.execute(
                "select from procrastinate_jobs where task_name = 'kb_follow' and attempts > 0"
            )
            return found.rowcount > 0

    await until(refused_for_good)
    bot.workspace.slack.faults.set(methods=[])
    await told(bot, "5 of 9")
    async with bot.pool.connection() as connection:
        await connection.execute("update runs set state = 'cancelled', finished_at = now()")
    await told(bot, kb_progress.OVER)
    assert len(progress(bot)) == 1


async def test_every_failure_is_named_on_some_page(bot: Bot) -> None:
    async with bot.pool.connection() as connection:
        await connection.execute("insert into sources (name, uri) values ('scans', 'file:///scans')")
        await connection.execute(
            "insert into documents (source_id, uri, path, error, size, mtime_ns)"
            " select s.id, 'file:///scans/' || n, 'scan' || lpad(n::text, 2, '0') || '.pdf', 'It is empty.',"
            " 0, 0 from sources s, generate_series(1, 45) n"
        )
    await bot.workspace.command("maya", "#ops", "/kb status")
    await whispered(bot, "and 42 more: /kb failures scans")
    await bot.workspace.command("maya", "#ops", "/kb failures scans")
    shown = await whispered(bot, "Page 1 of 3")
    named = set(re.findall(r"scan\d\d\.pdf", str(shown)))
    for page in (2, 3):
        await bot.workspace.click("maya", "#ops", shown["ts"], f"kb_page_{page}")
        shown = await whispered(bot, f"Page {page} of 3")
        named |= set(re.findall(r"scan\d\d\.pdf", str(shown)))
    assert len(named) == 45


async def test_more_changes_than_are_listed_are_counted(bot: Bot) -> None:
    await a_run_that_goes_on(bot)
    async with bot.pool.connection() as connection:
        await connection.execute(
            "insert into changes (run_id, uri, path, change)"
            " select r.id, 'file:///' || n, n || '.md', 'added' from runs r, generate_series(1, 1150) n"
        )
    await bot.workspace.command("maya", "#ops", "/kb diff")
    await whispered(bot, "The latest 1,000 of 1,150 documents that changed since")


async def test_whoever_sees_a_run_in_the_status_can_cancel_it(bot: Bot) -> None:
    await a_run_that_goes_on(bot)
    await bot.workspace.command("maya", "#ops", "/kb status")
    shown = await whispered(bot, CANCEL_RUNS)
    await bot.workspace.click("maya", "#ops", shown["ts"], CANCEL_RUNS)
    await whispered(bot, kb.CANCELLED)
    assert (await recent_runs(bot.pool))[0].stop


async def test_long_lists_are_paged_in_place(bot: Bot) -> None:
    async with bot.pool.connection() as connection:
        await connection.execute(
            "insert into sources (name, uri)"
            " select 'source ' || n, 'https://s' || n from generate_series(1, 12) n"
        )
    await bot.workspace.command("maya", "#ops", "/kb sources")
    shown = await whispered(bot, OLDER)
    await bot.workspace.click("maya", "#ops", shown["ts"], "kb_page_2")
    await whispered(bot, "Page 2 of 3")
    assert len(bot.workspace.channel("#ops").ephemeral) == 1


async def test_the_home_shows_administrators_how_it_is_doing(bot: Bot, folder: Path) -> None:
    async with bot.pool.connection() as connection:
        await connection.execute(
            "insert into sources (name, uri, audience) values ('board', 'https://b', '{U0MAYA0001}')"
        )
    for user, seen in (("maya", True), ("jonas", False)):
        await bot.workspace.open_home(user)
        person = bot.workspace.state.find_person(user)
        assert person
        home = await bot.workspace.wait_for(lambda w, who=person.id: w.state.homes.get(who))
        assert (REINDEX in str(home)) is seen
        assert ("board" in str(home)) is seen
    await bot.workspace.click_view("maya", bot.workspace.state.homes["U0MAYA0001"]["id"], "kb_add")
    await bot.workspace.wait_for(lambda workspace: workspace.modal("maya"))
