"""A message becomes a record: shortcut, modal with evidence, correction, card; over a real socket."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from recording_bot import RecordingBot, add_schema_unchecked, recording_bot

from handlers import extract, extract_schemas, extract_views
from handlers.extract_post import post_record, standing_parts
from handlers.schema_modal_blocks import ADD_GROUP, REMOVE_GROUP
from knowledge.corrections import list_corrections
from knowledge.drafts import Draft

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.demo import LocalWorkspace
    from knowledge.schemas import Schema

TEXT = "<!channel> checkout-api is down, sev2, 41 users affected. Ana is on it.\nTODO: add an alert <b>"


@pytest.fixture
async def bot(workspace: LocalWorkspace, conninfo: str) -> AsyncIterator[RecordingBot]:
    async with recording_bot(workspace, conninfo) as bot:
        yield bot


def inputs_of(view: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the input blocks by their label."""
    return {block["label"]["text"]: block for block in view["blocks"] if block["type"] == "input"}


def entered(view: dict[str, Any], **values: Any) -> dict[str, dict[str, Any]]:
    """Return what a person typed, by block and action."""
    return {inputs_of(view)[label]["block_id"]: {"value": value} for label, value in values.items()}


async def shortcut(bot: RecordingBot, text: str = TEXT, callback: str = extract.FROM_MESSAGE) -> str:
    """Let Jonas say something in #ops and Maya use the shortcut on it; return its ts."""
    ts = await bot.workspace.say("jonas", "#ops", text)
    await bot.workspace.shortcut("maya", callback, "#ops", ts)
    return ts


async def chosen(bot: RecordingBot, schema: str = "incident") -> dict[str, Any]:
    """Choose the schema in Maya's modal; return the form that follows."""
    view = await bot.workspace.wait_for(lambda workspace: workspace.modal("maya"))
    assert view is not None
    await bot.workspace.click_view("maya", view["id"], extract_views.CHOOSE_SCHEMA, value=schema)
    return await bot.form("maya")


async def test_a_message_becomes_a_form_a_correction_and_a_card(bot: RecordingBot) -> None:
    ts = await shortcut(bot)
    form = await chosen(bot)
    found = inputs_of(form)
    assert found["Users"]["element"]["initial_value"] == "41"
    said = "<!channel> checkout-api is down, sev2, 41 users affected."  # plain text: it pings nobody
    assert found["Users"]["hint"] == {"type": "plain_text", "text": f"From the text: “{said}”"}
    assert found["Severity"]["element"]["initial_option"]["text"]["text"] == "sev2"
    assert bot.ours("#ops") == []  # nothing is posted before somebody confirms

    assert await bot.workspace.submit("maya", entered(form, Users="45")) == {}
    assert bot.workspace.modal("maya") is None
    (card,) = await bot.said("#ops")
    assert card["blocks"][0]["text"]["text"] == "Incident report"
    assert (card["thread_ts"], card["subtype"]) == (ts, "thread_broadcast")
    fields = [field["text"] for field in card["blocks"][1]["fields"]]
    assert fields[:3] == ["*Service*\ncheckout-api", "*Severity*\nsev2", "*Users*\n45"]
    written = next(
        block["elements"][0]["elements"][0]["text"]
        for block in card["blocks"]
        if block["type"] == "rich_text" and block["elements"][0]["type"] == "rich_text_preformatted"
    )
    assert json.loads(written)["users"] == 45
    assert "<!channel>" not in card["text"]
    assert "<b>" not in card["text"]
    ((delivery, payload),) = bot.delivered.payloads
    assert payload["record"]["users"] == 45
    assert payload["evidence"]["/service"]["quote"] == "checkout-api"
    assert "/users" not in payload["evidence"]  # the text says 41
    assert payload["id"] == delivery
    (row,) = await bot.rows("select state, card_ts, text, delivered_at is not null from drafts")
    assert row == ("posted", card["ts"], "", True)


async def test_the_modal_is_there_within_a_second_while_the_model_reads(bot: RecordingBot) -> None:
    bot.reading.hold = asyncio.Event()
    began = time.monotonic()
    await bot.workspace.command("maya", "#ops", f"/extract incident {TEXT}")
    view = await bot.workspace.wait_for(lambda workspace: workspace.modal("maya"), 1.0)
    assert time.monotonic() - began < 1.0
    assert view is not None
    assert "Reading…" in json.dumps(view["blocks"], ensure_ascii=False)
    bot.reading.hold.set()
    assert inputs_of(await bot.form("maya"))["Service"]["element"]["initial_value"] == "checkout-api"


async def test_a_whole_thread_is_read_and_quotes_lead_to_their_message(bot: RecordingBot) -> None:
    first = await bot.workspace.say("jonas", "#ops", "checkout-api is slow")
    second = await bot.workspace.say("maya", "#ops", "sev3, I'd say. 12 users", first)
    await bot.workspace.shortcut("maya", extract.FROM_THREAD, "#ops", second)
    form = await chosen(bot)
    assert bot.reading.texts == ["checkout-api is slow\n\nsev3, I'd say. 12 users"]
    await bot.workspace.submit("maya", entered(form, Owner="Jonas", Users="13"))
    (card,) = await bot.said("#ops")
    assert card["thread_ts"] == first
    assert f"p{second.replace('.', '')}" in json.dumps(card["blocks"])


async def test_what_is_missing_is_demanded_at_its_field(bot: RecordingBot) -> None:
    await shortcut(bot, "something broke")
    form = await chosen(bot)
    found = inputs_of(form)
    named = {found[label]["block_id"] for label in ("Service", "Severity", "Owner")}
    assert set(await bot.workspace.submit("maya", {})) == named  # Slack's own client
    short = entered(form, Service="ab", Severity="0", Owner="Ana")
    assert await bot.workspace.submit("maya", short) == {
        found["Service"]["block_id"]: "This has to have at least 3 characters."
    }
    assert await bot.workspace.submit("maya", entered(form, Service="cart", Severity="0", Owner="Ana")) == {}
    await bot.said("#ops")
    assert bot.delivered.payloads[0][1]["record"]["service"] == "cart"


async def test_groups_are_added_and_removed_and_what_was_typed_stays(bot: RecordingBot) -> None:
    await shortcut(bot)
    form = await chosen(bot)
    typed = entered(form, Users="50")
    await bot.workspace.click_view("maya", form["id"], ADD_GROUP, values=typed)
    more = await bot.workspace.wait_for(
        lambda _: (
            (view := bot.modal("maya")) and view["private_metadata"] != form["private_metadata"] and view
        )
    )
    assert inputs_of(more)["Users"]["element"]["initial_value"] == "50"
    first = next(one for one in more["blocks"] if one.get("accessory", {}).get("action_id") == REMOVE_GROUP)
    await bot.workspace.click_view("maya", more["id"], REMOVE_GROUP, block_id=first["block_id"])
    fewer = await bot.workspace.wait_for(
        lambda _: (
            (view := bot.modal("maya")) and view["private_metadata"] != more["private_metadata"] and view
        )
    )
    await bot.workspace.submit("maya", entered(fewer, What="write it up"))
    await bot.said("#ops")
    record = bot.delivered.payloads[0][1]["record"]
    assert (record["users"], record["actions"]) == (50, [{"what": "write it up", "who": None}])


async def test_a_text_is_pasted_and_a_schema_chosen(bot: RecordingBot) -> None:
    await bot.workspace.command("maya", "#ops", "/extract")
    view = await bot.workspace.wait_for(lambda workspace: workspace.modal("maya"))
    assert view is not None
    values = {extract_views.SCHEMA_BLOCK: {"value": "incident"}, extract_views.TEXT_BLOCK: {"value": TEXT}}
    await bot.workspace.submit("maya", values)
    await bot.form("maya")
    await bot.workspace.submit("maya", {})
    (card,) = await bot.said("#ops")
    assert "thread_ts" not in card


async def test_a_text_that_cannot_be_read_is_said_in_the_modal(bot: RecordingBot) -> None:
    await bot.workspace.command("maya", "#ops", "/extract incident unreadable")
    view = await bot.workspace.wait_for(
        lambda workspace: (view := workspace.modal("maya")) and "no text" in str(view["blocks"]) and view
    )
    assert view["submit"] is None
    assert bot.ours("#ops") == []


async def test_an_unknown_schema_is_named_with_those_there_are(bot: RecordingBot) -> None:
    await bot.workspace.command("maya", "#ops", "/extract invioce 12 EUR")
    (whisper,) = await bot.whispers("#ops")
    assert "There are: incident" in whisper["text"]


async def test_a_closed_form_leaves_nothing_behind(bot: RecordingBot) -> None:
    await shortcut(bot)
    await chosen(bot)
    await bot.workspace.close("maya")
    await bot.idle()
    async with asyncio.timeout(5):
        while await bot.rows("select 1 from drafts where state <> 'dropped' or text <> ''"):  # noqa: ASYNC110 - a row
            await asyncio.sleep(0.02)
    assert bot.ours("#ops") == []


async def test_a_record_is_posted_once_though_its_job_runs_twice(bot: RecordingBot) -> None:
    await shortcut(bot)
    await chosen(bot)
    await bot.workspace.submit("maya", {})
    await bot.said("#ops")
    (row,) = await bot.rows("update drafts set state = 'confirmed', card_ts = null returning id")
    from handlers.extract_worker import Extracting

    again = Extracting(_client(bot), bot.services, bot.workspace.slack.app.user_id)
    await again.carry(row[0], attempt=1)
    assert len(bot.ours("#ops")) == 1


LONG = {f"k{n}": {"type": "string"} for n in range(30)}


async def long_card(bot: RecordingBot, thread_ts: str) -> tuple[Draft, Schema]:
    """Return a confirmed record whose card takes several messages."""
    await add_schema_unchecked(bot.pool, "long", {"title": "Long", "type": "object", "properties": LONG})
    place, record = bot.workspace.channel("#ops"), dict.fromkeys(LONG, "word " * 400)
    extraction = {"record": record, "evidence": {}, "model": "patterns"}
    draft = Draft(uuid4(), bot.workspace.state.team_id, place.id, "U", thread_ts, "long", 1, text="x")
    now = datetime.now(UTC)
    confirmed = replace(draft, record=record, extraction=extraction, confirmed_by="U", confirmed_at=now)
    return confirmed, await bot.services.find_schema("long")


@pytest.mark.parametrize("in_thread", [True, False])
async def test_a_card_that_was_cut_off_gets_the_parts_that_it_lacks(
    bot: RecordingBot, in_thread: bool
) -> None:
    ts = await bot.workspace.say("jonas", "#ops", TEXT)
    state, place = bot.workspace.state, bot.workspace.channel("#ops")
    draft, schema = await long_card(bot, ts)
    draft = draft if in_thread else replace(draft, thread_ts=None)
    jonas = {"user": place.members[0], "text": "and another thing"} | ({"thread_ts": ts} if in_thread else {})
    for _ in range(205):  # more than a page
        state.post(place, jonas)
    first = await post_record(_client(bot), draft, schema, {})
    whole = [one["text"] for one in bot.ours("#ops")]
    assert len(whole) > 4
    for one in bot.ours("#ops")[2:]:
        state.delete(place, one["ts"])
    for _ in range(205):
        state.post(place, jonas)

    standing = await standing_parts(_client(bot), draft, bot.workspace.slack.app.user_id)
    assert [*standing] == [0, 1]
    assert await post_record(_client(bot), draft, schema, standing) == first
    assert [one["text"] for one in bot.ours("#ops")] == whole
    standing = await standing_parts(_client(bot), draft, bot.workspace.slack.app.user_id)
    await post_record(_client(bot), draft, schema, standing)
    assert len(bot.ours("#ops")) == len(whole)  # nothing was lacking


def _client(bot: RecordingBot) -> Any:
    from handlers.client import build_client

    return build_client(bot.workspace.bot_token, bot.workspace.api_url)


async def test_a_webhook_that_is_down_gets_the_record_later_and_holds_nothing_up(bot: RecordingBot) -> None:
    bot.delivered.fails = 2
    await shortcut(bot)
    await chosen(bot)
    await bot.workspace.submit("maya", {})
    await bot.said("#ops")
    assert (bot.delivered.fails, len(bot.delivered.payloads)) == (0, 1)
    assert await bot.rows("select delivered_at is not null from drafts") == [(True,)]


async def test_where_the_bot_is_not_invited_the_record_is_kept_and_the_person_told(bot: RecordingBot) -> None:
    await shortcut(bot)
    await chosen(bot)
    await bot.workspace.move("almanac", "#ops", join=False)
    await bot.workspace.submit("maya", {})
    (told,) = await bot.said("maya")
    assert "Invite me" in told["text"]
    assert (await bot.rows("select state from drafts"))[0] == ("posted",)


async def test_corrections_become_examples_only_where_that_is_on(
    workspace: LocalWorkspace, conninfo: str
) -> None:
    async with recording_bot(workspace, conninfo, learn=True) as bot:
        for users in ("45", "41"):
            await shortcut(bot)
            form = await (chosen(bot) if users == "45" else bot.form("maya"))
            await bot.workspace.submit(
                "maya", entered(form, Users=users, Owner="Jonas" if users == "45" else "Ana")
            )
        await bot.said("#ops", 2)
        (example,) = await list_corrections(bot.pool)
    assert example["expected"]["users"] == 45
    assert example["evidence"]["/service"] == "checkout-api"
    assert "/users" not in example["evidence"]
    assert "41 users" in example["text"]


async def test_the_schema_of_a_channels_last_record_is_taken_at_once(bot: RecordingBot) -> None:
    await shortcut(bot)
    await chosen(bot)
    await bot.workspace.submit("maya", {})
    await bot.said("#ops")
    await shortcut(bot, "mail-api, sev3, Ana")
    assert inputs_of(await bot.form("maya"))["Service"]["element"]["initial_value"] == "mail-api"


async def test_a_shared_file_is_read_with_its_message(bot: RecordingBot) -> None:
    page = b"<html><body><h1>Report</h1><p>checkout-api is down, sev2. Ana is on it.</p></body></html>"
    files = [{"name": "report.html", "content": base64.b64encode(page).decode()}]
    ts = await bot.workspace.say("jonas", "#ops", "the report, 41 users:", files=files)
    await bot.workspace.shortcut("maya", extract.FROM_MESSAGE, "#ops", ts)
    found = inputs_of(await chosen(bot))
    assert found["Users"]["element"]["initial_value"] == "41"
    assert found["Service"]["element"]["initial_value"] == "checkout-api"


async def test_the_files_of_a_thread_are_read_with_their_messages_and_pictures_are_passed_over(
    bot: RecordingBot,
) -> None:
    def file(name: str, content: bytes) -> dict[str, str]:
        return {"name": name, "content": base64.b64encode(content).decode()}

    shared = [file("report.txt", b"checkout-api is down, sev2."), file("core.bin", bytes(range(256)))]
    first = await bot.workspace.say("jonas", "#ops", "41 users cannot pay")
    second = await bot.workspace.say("maya", "#ops", "", first, files=shared)
    await bot.workspace.say("jonas", "#ops", "Ana is on it", first)
    await bot.workspace.shortcut("maya", extract.FROM_THREAD, "#ops", first)
    found = inputs_of(await chosen(bot))
    assert bot.reading.texts == ["41 users cannot pay\n\ncheckout-api is down, sev2.\n\nAna is on it"]
    assert found["Service"]["element"]["initial_value"] == "checkout-api"
    await bot.workspace.submit("maya", {})
    (card,) = await bot.said("#ops")
    assert f"p{second.replace('.', '')}" in json.dumps(card["blocks"])  # where the file was shared


async def test_a_file_that_cannot_be_read_is_named(bot: RecordingBot) -> None:
    files = [{"name": "core.bin", "content": base64.b64encode(bytes(range(256))).decode()}]
    ts = await bot.workspace.say("jonas", "#ops", "", files=files)
    await bot.workspace.shortcut("maya", extract.FROM_MESSAGE, "#ops", ts)
    view = await bot.workspace.wait_for(lambda workspace: workspace.modal("maya"))
    assert view is not None
    await bot.workspace.click_view("maya", view["id"], extract_views.CHOOSE_SCHEMA, value="incident")
    await bot.workspace.wait_for(lambda _: "warning" in str(bot.modal("maya")["blocks"]))
    assert bot.reading.texts == []


VISIT = {"title": "Visit", "type": "object", "properties": {"who": {"type": "string"}}}


async def shown_in(bot: RecordingBot, words: str) -> dict[str, Any]:
    """Wait until Maya's modal says something."""
    return await bot.workspace.wait_for(
        lambda workspace: (view := workspace.modal("maya")) and words in str(view["blocks"]) and view, 20
    )


def upload(content: bytes, name: str = "visit.json") -> dict[str, Any]:
    """Return what an input holds in which a person put a file."""
    return {"value": [{"name": name, "content": base64.b64encode(content).decode()}]}


async def test_a_schema_is_added_in_slack_and_used(bot: RecordingBot) -> None:
    await bot.workspace.command("maya", "#ops", "/extract schemas add")
    await bot.workspace.wait_for(lambda workspace: workspace.modal("maya"))
    wrong = {"name": {"value": "visit"}, "definition": {"value": '{"type": "objet"}'}}
    assert await bot.workspace.submit("maya", wrong) == {}
    again = await shown_in(bot, "/type")  # what only the check can say is said above what was typed
    assert inputs_of(again)["JSON Schema, pasted"]["element"]["initial_value"] == '{"type": "objet"}'
    right = wrong | {"definition": {"value": json.dumps(VISIT)}}
    assert await bot.workspace.submit("maya", right) == {}
    await shown_in(bot, "Use it with")
    await bot.workspace.close("maya")
    await bot.workspace.command("maya", "#ops", "/extract visit Berta came by")
    assert inputs_of(await bot.form("maya"))["Who"]["element"]["initial_value"] == "Berta"
    await bot.workspace.command("maya", "#ops", "/extract schemas")
    (listed,) = await bot.whispers("#ops")
    assert "Visit" in str(listed["blocks"])


async def test_a_schema_is_added_as_a_file(bot: RecordingBot) -> None:
    await bot.workspace.command("maya", "#ops", "/extract schemas add")
    await shown_in(bot, extract_schemas.FILE)
    file = {"name": {"value": "visit"}, "file": upload(b"\xff\xfe{\x00")}
    assert await bot.workspace.submit("maya", file) == {}
    await shown_in(bot, "visit.json is not UTF-8 text")
    assert await bot.workspace.submit("maya", file | {"file": upload(json.dumps(VISIT).encode())}) == {}
    await shown_in(bot, "Use it with")
    assert (await bot.services.find_schema("visit")).definition == VISIT


@pytest.mark.parametrize(
    ("typed", "at", "said"),
    [
        ({"name": {"value": "batch"}, "definition": {"value": "{}"}}, "name", "means something else"),
        ({"name": {"value": "visit"}, "definition": {"value": "{"}}, "definition", "not JSON"),
        ({"name": {"value": "visit"}}, "definition", extract_schemas.NEITHER),
        (
            {"name": {"value": "visit"}, "definition": {"value": "{}"}, "file": upload(b"{}")},
            "file",
            extract_schemas.BOTH,
        ),
    ],
)
async def test_what_is_wrong_with_a_schema_at_first_sight_is_said_at_its_input(
    bot: RecordingBot, typed: dict[str, Any], at: str, said: str
) -> None:
    await bot.workspace.command("maya", "#ops", "/extract schemas add")
    await shown_in(bot, extract_schemas.FILE)
    ((block, words),) = (await bot.workspace.submit("maya", typed)).items()
    assert block == at
    assert said in words


async def test_a_schema_whose_check_takes_long_is_acknowledged_at_once(
    workspace: LocalWorkspace, conninfo: str
) -> None:
    checked = asyncio.Event()

    async def add_slowly(name: str, definition: Any) -> None:
        await checked.wait()
        raise RuntimeError("the check tripped")

    async with recording_bot(workspace, conninfo, add_schema=add_slowly) as bot:
        await bot.workspace.command("maya", "#ops", "/extract schemas add")
        await shown_in(bot, extract_schemas.FILE)
        typed = {"name": {"value": "visit"}, "definition": {"value": json.dumps(VISIT)}}
        async with asyncio.timeout(2):
            assert await bot.workspace.submit("maya", typed) == {}
        assert "Checking visit" in str(bot.modal("maya")["blocks"])
        checked.set()
        again = await shown_in(bot, "something went wrong on my side")
    assert inputs_of(again)["Name"]["element"]["initial_value"] == "visit"
