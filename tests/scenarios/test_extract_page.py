"""A record made in the page: the shortcut on a thread, the form with its evidence, a correction, the card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from chromium import MARKS, chromium
from playwright.async_api import Page, expect
from recording_bot import RecordingBot, recording_bot

from bot.demo import App, LocalWorkspace, Shortcut, local_workspace
from handlers import extract

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [*MARKS]


@pytest.fixture
async def workspace() -> AsyncIterator[LocalWorkspace]:
    installed = App(shortcuts=(Shortcut("Extract from this thread", extract.FROM_THREAD),))
    async with local_workspace(app=installed) as workspace:
        yield workspace


@pytest.fixture
async def bot(workspace: LocalWorkspace, conninfo: str) -> AsyncIterator[RecordingBot]:
    async with recording_bot(workspace, conninfo) as bot:
        yield bot


@pytest.fixture
async def page(bot: RecordingBot) -> AsyncIterator[Page]:
    errors: list[str] = []
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 1440, "height": 900})
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(f"{bot.workspace.url}/?as=maya")
        await page.locator("#sidebar").get_by_role("button", name="ops").click()
        yield page
    assert errors == []


async def test_a_thread_becomes_a_form_a_correction_and_a_card(page: Page, bot: RecordingBot) -> None:
    first = await bot.workspace.say("jonas", "#ops", "checkout-api is down, sev2")
    await bot.workspace.say("jonas", "#ops", "41 users cannot pay. TODO: add an alert", first)
    message = page.locator(f"#m{first.replace('.', chr(92) + '.')}")
    await message.hover()
    await message.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Extract from this thread").click()

    modal = page.get_by_role("dialog")
    await modal.get_by_role("combobox").select_option(label="Incident report")
    await expect(modal.get_by_label("Service")).to_have_value("checkout-api")
    await expect(modal).to_contain_text("From the text: “41 users cannot pay.”")
    await expect(modal.get_by_label("What")).to_have_value("add an alert")  # a list of groups
    await modal.get_by_role("button", name="Add: Actions").click()
    await expect(modal).to_contain_text("Actions 2")
    await modal.get_by_label("What").nth(1).fill("write it up")
    await modal.get_by_label("Users").fill("45")
    await modal.get_by_role("button", name="Post").click()
    await expect(modal).to_contain_text("Please complete this required field.")  # nobody said who owns it
    assert bot.ours("#ops") == []
    await modal.get_by_label("Owner").fill("Jonas")
    await modal.get_by_role("button", name="Post").click()
    await expect(modal).to_have_count(0)

    card = page.locator("#channel .message").filter(has_text="Incident report")
    await expect(card).to_contain_text("Maya Lindqvist confirmed this record")
    await expect(card.get_by_role("link", name="41 users cannot pay.")).to_have_count(0)  # corrected since
    await expect(card.get_by_role("link", name="checkout-api is down, sev2").first).to_be_visible()
    await expect(card.get_by_role("cell", name="write it up")).to_be_visible()
    await bot.idle()
    record = bot.delivered.payloads[0][1]["record"]
    assert (record["users"], record["owner"]) == (45, "Jonas")
    assert [action["what"] for action in record["actions"]] == ["add an alert", "write it up"]


async def test_a_schema_is_added_as_a_file_and_stays_chosen_where_the_name_is_refused(
    page: Page, bot: RecordingBot
) -> None:
    await bot.workspace.command("maya", "#ops", "/extract schemas add")
    modal = page.get_by_role("dialog")
    schema = b'{"title": "Visit", "type": "object", "properties": {"who": {"type": "string"}}}'
    file = {"name": "visit.json", "mimeType": "application/json", "buffer": schema}
    await modal.get_by_label("JSON Schema, as a file").set_input_files(file)
    await modal.get_by_label("Name").fill("batch")
    await modal.get_by_role("button", name="Add").click()
    await expect(modal).to_contain_text("means something else")
    await expect(modal).to_contain_text("visit.json")
    await modal.get_by_label("Name").fill("visit")
    await modal.get_by_role("button", name="Add").click()
    await expect(modal).to_contain_text("Use it with")
    assert (await bot.services.find_schema("visit")).title == "Visit"
