"""A message becomes a record: shortcut, modal with evidence, correction, card; over a real socket."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from recording_bot import RecordingBot, recording_bot

from handlers import extract, extract_schemas, extract_views
from handlers.schema_modal_blocks import ADD_GROUP, REMOVE_GROUP
from knowledge.corrections import list_corrections

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.demo import LocalWorkspace

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


async def test_a_file_that_cannot_be_read_is_named(bot: RecordingBot) -> None:
    files = [{"name": "core.bin", "content": base64.b64encode(bytes(range(256))).decode()}]
    ts = await bot.workspace.say("jonas", "#ops", "", files=files)
    await bot.workspace.shortcut("maya", extract.FROM_MESSAGE, "#ops", ts)
    view = await bot.workspace.wait_for(lambda workspace: workspace.modal("maya"))
    assert view is not None
    await bot.workspace.click_view("maya", view["id"], extract_views.CHOOSE_SCHEMA, value="incident")
    await bot.workspace.wait_for(lambda _: "warning" in str(bot.modal("maya")["blocks"]))
    assert bot.reading.texts == []


async def test_a_schema_is_added_in_slack_and_used(bot: RecordingBot) -> None:
    await bot.workspace.command("maya", "#ops", "/extract schemas add")
    await bot.workspace.wait_for(lambda workspace: workspace.modal("maya"))
    wrong = {"name": {"value": "visit"}, "definition": {"value": '{"type": "objet"}'}}
    (said,) = (await bot.workspace.submit("maya", wrong)).items()
    assert said[0] == extract_schemas.PARTS[0]
    assert "/type" in said[1]
    definition = {"title": "Visit", "type": "object", "properties": {"who": {"type": "string"}}}
    right = wrong | {"definition": {"value": json.dumps(definition)}}
    assert await bot.workspace.submit("maya", right) == {}
    assert "Use it with" in str(bot.modal("maya")["blocks"])
    await bot.workspace.close("maya")
    await bot.workspace.command("maya", "#ops", "/extract visit Berta came by")
    assert inputs_of(await bot.form("maya"))["Who"]["element"]["initial_value"] == "Berta"
    await bot.workspace.command("maya", "#ops", "/extract schemas")
    (listed,) = await bot.whispers("#ops")
    assert "Visit" in str(listed["blocks"])
