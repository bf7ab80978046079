"""Buttons, modals, commands, shortcuts and response URLs, against a real Bolt app."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo import (
    ApiError,
    App,
    LocalWorkspace,
    NotAcknowledgedError,
    Redelivery,
    Shortcut,
    inputs,
    local_workspace,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


BUTTON = {
    "type": "actions",
    "elements": [{"type": "button", "text": plain("Go"), "action_id": "go", "value": "7"}],
}
FORM = {
    "type": "modal",
    "callback_id": "form",
    "private_metadata": "draft 7",
    "title": plain("Form"),
    "submit": plain("Save"),
    "blocks": [
        {
            "type": "input",
            "block_id": "name",
            "label": plain("Name"),
            "element": {"type": "plain_text_input", "action_id": "v", "min_length": 3},
        },
        {
            "type": "input",
            "block_id": "level",
            "label": plain("Level"),
            "element": {
                "type": "static_select",
                "action_id": "v",
                "options": [{"text": plain("Low"), "value": "low"}, {"text": plain("High"), "value": "high"}],
                "initial_option": {"text": plain("Low"), "value": "low"},
            },
        },
    ],
}


@contextlib.asynccontextmanager
async def running(**options: Any) -> AsyncIterator[tuple[LocalWorkspace, AsyncApp]]:
    """A workspace and a connected Bolt app."""
    async with local_workspace(**options) as workspace:
        app = AsyncApp(client=AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url))
        handler = AsyncSocketModeHandler(app, workspace.app_token)
        await handler.connect_async()
        try:
            yield workspace, app
        finally:
            await handler.close_async()


def opens(app: AsyncApp, view: dict[str, Any]) -> None:
    """Make the button `go` open a view."""

    @app.action("go")
    async def go(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=view)
        await ack()


async def with_button(workspace: LocalWorkspace, app: AsyncApp) -> str:
    """Post a message with the button; return its ts."""
    posted = await app.client.chat_postMessage(channel="#ops", text="x", blocks=[BUTTON])
    return str(posted["ts"])


async def test_a_click_brings_message_value_and_a_response_url() -> None:
    async with running() as (workspace, app):

        @app.action("go")
        async def go(ack: Any, respond: Any, action: dict[str, Any], body: dict[str, Any]) -> None:
            await ack()
            await respond(text=f"{action['value']} by {body['user']['id']}", replace_original=True)

        ts = await with_button(workspace, app)
        await workspace.click("maya", "#ops", ts, "go")
        maya = workspace.state.find_person("maya")
        await workspace.wait_for(lambda w: w.messages("#ops")[0]["text"] == f"7 by {maya.id}")
        assert "blocks" not in workspace.messages("#ops")[0]


async def test_an_ephemeral_messages_click_comes_without_its_content() -> None:
    async with running() as (workspace, app):
        bodies: list[dict[str, Any]] = []

        @app.action("go")
        async def go(ack: Any, respond: Any, body: dict[str, Any]) -> None:
            bodies.append(body)
            await ack()
            await respond(delete_original=True)

        maya = workspace.state.find_person("maya")
        sent = await app.client.chat_postEphemeral(channel="#ops", user=maya.id, text="x", blocks=[BUTTON])
        with pytest.raises(ApiError, match="message_not_found"):
            await workspace.click("jonas", "#ops", sent["message_ts"], "go")
        await workspace.click("maya", "#ops", sent["message_ts"], "go")
        await workspace.wait_for(lambda w: not w.channel("#ops").ephemeral)
        assert "message" not in bodies[0]
        assert bodies[0]["container"]["is_ephemeral"] is True


async def test_a_modal_is_filled_refused_field_by_field_and_taken() -> None:
    async with running() as (workspace, app):
        opens(app, FORM)
        taken: list[dict[str, Any]] = []

        @app.view("form")
        async def form(ack: Any, view: dict[str, Any]) -> None:
            taken.append(view)
            if view["state"]["values"]["name"]["v"]["value"] == "nobody":
                await ack(response_action="errors", errors={"name": "There is nobody of that name."})
            else:
                await ack()

        await workspace.click("maya", "#ops", await with_button(workspace, app), "go")
        assert await workspace.submit("maya") == {"name": inputs.REQUIRED}
        assert await workspace.submit("maya", {"name": {"v": "ab"}}) == {"name": inputs.TOO_SHORT.format(3)}
        assert taken == []  # Slack's client does not send what it can refuse itself
        refused = await workspace.submit("maya", {"name": {"v": "nobody"}})
        assert refused == {"name": "There is nobody of that name."}
        assert workspace.modal("maya") is not None
        assert await workspace.submit("maya", {"name": {"v": "Ada"}, "level": {"v": "high"}}) == {}
        assert workspace.modal("maya") is None
        assert taken[-1]["private_metadata"] == "draft 7"
        assert taken[-1]["state"]["values"]["level"]["v"]["selected_option"]["value"] == "high"


async def test_a_submission_pushes_updates_and_clears() -> None:
    async with running() as (workspace, app):
        opens(app, {**FORM, "blocks": []})
        steps = iter(
            [
                {"response_action": "push", "view": {**FORM, "blocks": [], "title": plain("Second")}},
                {"response_action": "update", "view": {**FORM, "blocks": [], "title": plain("Third")}},
                {"response_action": "clear"},
            ]
        )

        @app.view("form")
        async def form(ack: Any) -> None:
            await ack(**next(steps))

        await workspace.click("maya", "#ops", await with_button(workspace, app), "go")
        first = workspace.modal("maya")
        await workspace.submit("maya")
        assert workspace.modal("maya")["previous_view_id"] == first["id"]
        await workspace.submit("maya")
        assert workspace.modal("maya")["title"]["text"] == "Third"
        await workspace.submit("maya")
        assert workspace.modal("maya") is None


async def test_a_trigger_opens_one_view_and_only_for_a_while() -> None:
    async with running() as (workspace, app):
        errors: list[str] = []

        @app.action("go")
        async def go(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
            for _ in range(2):
                try:
                    await client.views_open(trigger_id=body["trigger_id"], view={**FORM, "blocks": []})
                except SlackApiError as error:
                    errors.append(error.response["error"])
            await ack()

        ts = await with_button(workspace, app)
        await workspace.click("maya", "#ops", ts, "go")
        assert errors == ["exchanged_trigger_id"]
        workspace.slack.triggers.lifetime = 0.0
        await workspace.click("maya", "#ops", ts, "go")
        assert errors[1:] == ["expired_trigger_id"] * 2


async def test_an_updated_view_keeps_its_place_and_checks_its_hash() -> None:
    async with running() as (workspace, app):
        opens(app, {**FORM, "blocks": []})
        await workspace.click("maya", "#ops", await with_button(workspace, app), "go")
        view = workspace.modal("maya")
        wanted = {**FORM, "blocks": [{"type": "divider"}]}
        await app.client.views_update(view_id=view["id"], hash=view["hash"], view=wanted)
        assert workspace.modal("maya")["blocks"][0]["type"] == "divider"
        with pytest.raises(SlackApiError, match="hash_conflict"):
            await app.client.views_update(view_id=view["id"], hash=view["hash"], view=wanted)


async def test_a_closed_view_is_told_where_the_app_asked() -> None:
    async with running() as (workspace, app):
        opens(app, {**FORM, "blocks": [], "notify_on_close": True})
        closed: list[bool] = []

        @app.view_closed("form")
        async def gone(ack: Any, body: dict[str, Any]) -> None:
            closed.append(body["is_cleared"])
            await ack()

        await workspace.click("maya", "#ops", await with_button(workspace, app), "go")
        await workspace.close("maya")
        assert closed == [False]


async def test_a_command_answers_in_private_and_five_times_at_most() -> None:
    async with running() as (workspace, app):
        addresses: list[str] = []

        @app.command("/ask")
        async def ask(ack: Any, command: dict[str, Any]) -> None:
            addresses.append(command["response_url"])
            await ack(f"Looking for: {command['text']}")

        await workspace.command("maya", "#ops", "/ask where are the logs?")
        whispered = list(workspace.channel("#ops").ephemeral.values())
        assert [row["text"] for row in whispered] == ["Looking for: where are the logs?"]
        async with aiohttp.ClientSession() as web:
            codes = [(await web.post(addresses[0], json={"text": "more"})).status for _ in range(6)]
        assert codes == [200] * 5 + [404]


async def test_a_command_that_nobody_knows_or_answers_says_so() -> None:
    async with local_workspace(redelivery=Redelivery(0.1, ())) as workspace:
        await workspace.command("maya", "#ops", "/dance")
        await workspace.command("maya", "#ops", "/ask x")
        told = [row["text"] for row in workspace.channel("#ops").ephemeral.values()]
        assert "`/dance` is not a valid command" in told[0]
        assert "/ask failed because the app did not respond" in told[1]
        with pytest.raises(NotAcknowledgedError):
            await workspace.shortcut("maya", "x")


async def test_a_message_shortcut_brings_the_message() -> None:
    async with running(app=App(shortcuts=(Shortcut("Extract", "extract"),))) as (workspace, app):
        brought: list[str] = []

        @app.shortcut("extract")
        async def extract(ack: Any, shortcut: dict[str, Any]) -> None:
            brought.append(shortcut["message"]["text"])
            await ack()

        ts = await workspace.say("maya", "#ops", "disk full on db-3")
        await workspace.shortcut("jonas", "extract", "#ops", ts)
        assert brought == ["disk full on db-3"]


async def test_a_home_is_published_and_used() -> None:
    async with running() as (workspace, app):
        tabs: list[str] = []

        @app.event("app_home_opened")
        async def opened(event: dict[str, Any], client: AsyncWebClient) -> None:
            tabs.append(event["tab"])
            await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": [BUTTON]})

        @app.action("go")
        async def go(ack: Any, body: dict[str, Any]) -> None:
            tabs.append(body["container"]["type"])
            await ack()

        await workspace.open_home("maya")
        maya = workspace.state.find_person("maya").id
        home = await workspace.wait_for(lambda w: w.state.homes.get(maya))
        await workspace.click_view("maya", home["id"], "go")
        assert tabs == ["home", "view"]


@pytest.mark.parametrize(
    ("element", "value", "expected"),
    [
        ({"type": "datepicker"}, "2026-11-22", {"selected_date": "2026-11-22"}),
        ({"type": "users_select"}, "U1", {"selected_user": "U1"}),
        ({"type": "multi_users_select"}, ["U1"], {"selected_users": ["U1"]}),
        ({"type": "plain_text_input"}, "", {"value": None}),
        (
            {"type": "checkboxes", "options": [{"value": "a"}, {"value": "b"}]},
            ["b"],
            {"selected_options": [{"value": "b"}]},
        ),
        ({"type": "overflow", "options": [{"value": "a"}]}, "a", {"selected_option": {"value": "a"}}),
    ],
)
def test_an_elements_state_is_slacks(element: dict[str, Any], value: Any, expected: dict[str, Any]) -> None:
    assert inputs.state(element, value) == {"type": element["type"]} | expected
