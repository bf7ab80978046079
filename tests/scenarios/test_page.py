"""The page, driven in headless Chromium, with a real Bolt app behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from chromium import MARKS, chromium
from playwright.async_api import Browser, Page, expect
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo import App, LocalWorkspace, Shortcut, local_workspace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [*MARKS, pytest.mark.asyncio(loop_scope="module")]

DOCUMENT = "# Logs 📚\n\nLogs are kept for 30 days."
ANSWER = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "Logs are kept for *30 days*. [1] <!channel|x>"}},
    {
        "type": "actions",
        "elements": [
            {"type": "button", "action_id": "more", "text": {"type": "plain_text", "text": "Correct it"}}
        ],
    },
]
FORM = {
    "type": "modal",
    "callback_id": "form",
    "title": {"type": "plain_text", "text": "Correct the answer"},
    "submit": {"type": "plain_text", "text": "Save"},
    "blocks": [
        {
            "type": "input",
            "block_id": "days",
            "label": {"type": "plain_text", "text": "Days"},
            "element": {"type": "plain_text_input", "action_id": "v"},
        }
    ],
}


def listen(app: AsyncApp) -> None:
    """A small bot: answers mentions, opens a form, refuses one value, takes a command and a shortcut."""

    @app.event("app_mention")
    async def answer(event: dict[str, Any], client: AsyncWebClient) -> None:
        place = {"channel": event["channel"], "thread_ts": event["ts"]}
        await client.assistant_threads_setStatus(
            channel_id=event["channel"], thread_ts=event["ts"], status="is looking it up…"
        )
        if "slowly" not in event["text"]:
            await client.chat_postMessage(**place, text="30 days", blocks=ANSWER)

    @app.action("more")
    async def more(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)
        await ack()

    @app.view("form")
    async def form(ack: Any, view: dict[str, Any]) -> None:
        wrong = view["state"]["values"]["days"]["v"]["value"] != "30"
        await ack(response_action="errors", errors={"days": "It is 30."}) if wrong else await ack()

    @app.command("/ask")
    async def ask(ack: Any, command: dict[str, Any]) -> None:
        await ack(f"Privately: {command['text']}")

    @app.shortcut("extract")
    async def extract(ack: Any, shortcut: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.chat_postMessage(
            channel=shortcut["channel"]["id"], text=f"Noted: {shortcut['message']['text']}"
        )


@pytest_asyncio.fixture(loop_scope="module")
async def workspace() -> AsyncIterator[LocalWorkspace]:
    async def documents(name: str) -> str | None:
        return DOCUMENT if name == "logs.md" else None

    installed = App(shortcuts=(Shortcut("Extract from this message", "extract"),))
    async with local_workspace(app=installed, documents=documents) as workspace:
        app = AsyncApp(client=AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url))
        listen(app)
        handler = AsyncSocketModeHandler(app, workspace.app_token)
        await handler.connect_async()
        yield workspace
        await handler.close_async()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def page(workspace: LocalWorkspace, browser: Browser) -> AsyncIterator[Page]:
    page = await browser.new_page(viewport={"width": 1440, "height": 900})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(f"{workspace.url}/?as=maya")
    await page.wait_for_selector("#channel textarea")
    yield page
    await page.close()
    assert errors == []


async def send(page: Page, text: str, pane: str = "#channel") -> None:
    await page.fill(f"{pane} textarea", text)
    await page.press(f"{pane} textarea", "Enter")


async def test_a_question_is_asked_answered_corrected_and_deleted(
    page: Page, workspace: LocalWorkspace
) -> None:
    await page.type("#channel textarea", "@alm")
    await page.keyboard.press("Tab")  # completes the mention
    await page.keyboard.type("how long are <b>logs</b> kept?")
    await page.keyboard.press("Enter")
    await page.click("#channel .thread-summary")
    thread = page.locator("#thread")
    await expect(thread.locator(".message").nth(0)).to_contain_text("how long are <b>logs</b> kept?")
    await expect(thread.locator(".message").nth(1)).to_contain_text("Logs are kept for 30 days. [1]")
    await expect(thread.locator(".message strong", has_text="30 days")).to_be_visible()

    await thread.get_by_role("button", name="Correct it").click()
    modal = page.get_by_role("dialog")
    await modal.get_by_label("Days").fill("31")
    await modal.get_by_role("button", name="Save").click()
    await expect(modal.get_by_role("alert")).to_have_text("It is 30.")
    await modal.get_by_label("Days").fill("30")
    await modal.get_by_role("button", name="Save").click()
    await expect(modal).to_have_count(0)

    await send(page, "thank you", "#thread")
    await expect(page.locator("#channel .thread-summary")).to_contain_text("2 replies")
    ts = workspace.messages("#general")[0]["ts"]
    question = page.locator(f"#m{ts.replace('.', chr(92) + '.')}")
    await question.hover()
    await question.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Edit message").click()
    await page.get_by_label("Edit message").fill("how long?")
    await page.keyboard.press("Enter")
    await expect(question).to_contain_text("how long? (edited)")
    await question.hover()
    await question.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Delete message").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(question).to_contain_text("This message was deleted.")


async def test_a_status_is_seen_while_the_app_works(page: Page) -> None:
    await send(page, "@almanac slowly, please")
    await expect(page.locator("#channel .thread-summary")).to_contain_text("Almanac is looking it up…")


async def test_a_command_is_completed_and_answered_for_one_person_alone(
    page: Page, workspace: LocalWorkspace
) -> None:
    await page.type("#channel textarea", "/a")
    await expect(page.get_by_role("option", name="/ask")).to_be_visible()
    await page.keyboard.press("Enter")
    await page.keyboard.type("where?")
    await page.keyboard.press("Enter")
    await expect(page.locator(".ephemeral")).to_contain_text("Only visible to you")
    await expect(page.locator(".ephemeral")).to_contain_text("Privately: where?")
    await page.get_by_role("button", name="Acting as Maya Lindqvist").click()
    await page.get_by_role("menuitem", name="Jonas Weber").click()
    await expect(page.get_by_role("button", name="Acting as Jonas Weber")).to_be_visible()
    await expect(page.locator(".ephemeral")).to_have_count(0)


async def test_a_shortcut_reactions_and_unread_channels(page: Page, workspace: LocalWorkspace) -> None:
    ts = await workspace.say("jonas", "#general", "disk full")
    await workspace.say("jonas", "#ops", "@maya look at this")
    ops = page.locator("#sidebar").get_by_role("button", name="ops")
    await expect(ops.locator(".badge")).to_have_text("1")
    message = page.locator(f"#m{ts.replace('.', chr(92) + '.')}")
    await message.hover()
    await message.get_by_role("button", name="React with :eyes:").click()
    await expect(message.locator(".reaction")).to_contain_text("1")
    await message.hover()
    await message.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Extract from this message").click()
    await expect(page.locator("#channel .messages")).to_contain_text("Noted: disk full")
    await ops.click()
    await expect(page.locator("#channel .mention.mine")).to_have_text("@Maya Lindqvist")
    await expect(ops.locator(".badge")).to_have_count(0)


async def test_text_of_others_never_becomes_markup(page: Page, workspace: LocalWorkspace) -> None:
    hostile = '<img src=x onerror="document.title=1"> </script> javascript:alert(1) &lt;!channel&gt;'
    await workspace.say("jonas", "#general", hostile)
    client = AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)
    blocks = [
        {"type": "markdown", "text": "[click](javascript:alert(1)) <img src=x onerror=alert(1)> <b>x</b>"}
    ]
    await client.chat_postMessage(channel="#general", text="x", blocks=blocks)
    await expect(page.locator("#channel .message")).to_have_count(2)
    await expect(page.locator("#channel .message").nth(0)).to_contain_text(hostile)
    assert await page.locator("#channel .body :is(img, script, b)").count() == 0
    assert await page.locator("#channel .body a").count() == 0


async def test_the_document_viewer_marks_the_quote(page: Page, workspace: LocalWorkspace) -> None:
    start = DOCUMENT.index("Logs are kept")
    await page.goto(f"{workspace.url}/documents/logs.md#{start}-{len(DOCUMENT)}")
    await expect(page.locator("mark")).to_have_text("Logs are kept for 30 days.")
