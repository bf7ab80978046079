"""Reading threads from a workspace: long ones, forbidden ones."""

from __future__ import annotations

from dataclasses import replace

import pytest
from slack_sdk.errors import SlackApiError

from bot.demo import App, local_workspace
from handlers.client import SlackUnavailableError, build_client, who_am_i
from handlers.thread_reader import PAGE, read_thread


async def test_a_thread_of_several_pages_is_read_to_its_end() -> None:
    async with local_workspace() as workspace:
        first = await workspace.say("maya", "#ops", "number 0")
        for number in range(1, PAGE + 30):
            await workspace.say("maya", "#ops", f"number {number}", first)
        client = build_client(workspace.bot_token, workspace.api_url)
        messages = await read_thread(client, workspace.channel("#ops").id, first)
    assert [message["text"] for message in messages] == [f"number {number}" for number in range(PAGE + 30)]


async def test_without_the_scope_there_is_no_history() -> None:
    async with local_workspace(app=replace(App(), scopes=frozenset({"chat:write"}))) as workspace:
        first = await workspace.say("maya", "#ops", "hello")
        client = build_client(workspace.bot_token, workspace.api_url)
        assert await read_thread(client, workspace.channel("#ops").id, first) == []


async def test_a_thread_that_is_gone_is_an_error() -> None:
    async with local_workspace() as workspace:
        client = build_client(workspace.bot_token, workspace.api_url)
        with pytest.raises(SlackApiError, match="thread_not_found"):
            await read_thread(client, workspace.channel("#ops").id, "1.0")


async def test_it_knows_who_it_is_or_says_why_not() -> None:
    async with local_workspace() as workspace:
        me = await who_am_i(build_client(workspace.bot_token, workspace.api_url))
        assert me.bot_user_id == workspace.slack.app.user_id
        with pytest.raises(SlackUnavailableError, match="invalid_auth"):
            await who_am_i(build_client("xoxb-wrong", workspace.api_url))
        url = workspace.api_url
    with pytest.raises(SlackUnavailableError, match="ClientConnectorError"):
        await who_am_i(build_client("xoxb-any", url))
