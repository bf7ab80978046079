"""The server around the workspace: the page's JSON, refusals, what it keeps, documents, its process."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo import ApiError, LocalWorkspace, local_workspace
from bot.demo.typed import stored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def web() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def act(web: aiohttp.ClientSession, url: str, verb: str, **given: Any) -> dict[str, Any]:
    async with web.post(f"{url}/ui/{verb}", json=given) as response:
        return dict(await response.json())


async def test_another_process_drives_it_over_json(web: aiohttp.ClientSession) -> None:
    async with local_workspace() as workspace:
        said = await act(web, workspace.url, "say", user="maya", channel="#ops", text="hello @jonas")
        assert workspace.messages("#ops")[0]["ts"] == said["result"]
        state = await (await web.get(f"{workspace.url}/ui/state", params={"user": "U0TOM00001"})).json()
        assert [one["name"] for one in state["channels"] if one["kind"] != "im"] == ["vendors"]
        refused = await act(
            web, workspace.url, "edit", user="jonas", channel="#ops", ts=said["result"], text="x"
        )
        assert (refused["ok"], refused["error"]) == (False, "cant_update_message")
        odd = await act(web, workspace.url, "say", user="maya", shout=True)
        assert odd["error"] == "invalid_arguments"
        assert (await act(web, workspace.url, "format_disk"))["error"] == "unknown_verb"
        assert (await act(web, workspace.url, "faults", every=5))["result"]["every"] == 5
        assert (await act(web, workspace.url, "faults", gremlins=5))["ok"] is False


async def test_the_live_socket_tells_each_person_what_they_may_see(web: aiohttp.ClientSession) -> None:
    async with local_workspace() as workspace:
        maya, jonas = (workspace.state.find_person(name).id for name in ("maya", "jonas"))
        async with web.ws_connect(f"{workspace.url}/ui/live", params={"user": jonas}) as live:
            assert (await live.receive_json())["kind"] == "state"
            workspace.state.whisper(workspace.channel("#ops"), maya, {"user": maya, "text": "for maya alone"})
            await workspace.say("maya", "maya", "a direct message")
            await workspace.say("maya", "#ops", "for everybody")
            change = await live.receive_json()
            assert (change["kind"], change["data"]["message"]["text"]) == ("message_posted", "for everybody")


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
async def test_a_foreign_page_cannot_reach_it(web: aiohttp.ClientSession, headers: dict[str, str]) -> None:
    async with local_workspace() as workspace:
        given = {"user": "maya", "channel": "#ops", "text": "x"}
        async with web.post(f"{workspace.url}/ui/say", json=given, headers=headers) as response:
            assert response.status == 403
        assert workspace.messages("#ops") == []


async def test_a_socket_needs_a_ticket_that_works_once(web: aiohttp.ClientSession) -> None:
    async with local_workspace() as workspace:
        client = AsyncWebClient(token=workspace.app_token, base_url=workspace.api_url)
        address = (await client.apps_connections_open(app_token=workspace.app_token))["url"]
        async with web.ws_connect(address) as socket:
            hello = await socket.receive_json()
            assert (hello["type"], hello["num_connections"]) == ("hello", 1)
            with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
                await web.ws_connect(address)


async def test_a_restart_finds_the_conversation_again(tmp_path: Path) -> None:
    home = tmp_path / "a home"
    async with local_workspace(home=home) as workspace:
        ts = await workspace.say("maya", "#ops", "remember this")
        await workspace.react("jonas", "#ops", ts, "eyes")
    async with local_workspace(home=home) as workspace:
        (message,) = workspace.messages("#ops")
        assert message["reactions"][0]["name"] == "eyes"
        assert await workspace.say("maya", "#ops", "and this") > ts


@pytest.mark.parametrize("content", ["{half", "[]", '{"channels": [{"id": "C1"}]}'])
async def test_a_file_that_makes_no_sense_is_set_aside(tmp_path: Path, content: str) -> None:
    (tmp_path / "workspace.json").write_text(content)
    async with local_workspace(home=tmp_path) as workspace:
        await workspace.say("maya", "#ops", "we go on")
    assert (tmp_path / "workspace.unreadable").read_text() == content
    assert "we go on" in (tmp_path / "workspace.json").read_text()


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("@almanac where?", "<@U0ALMANAC1> where?"),
        ("a < b && c > d", "a &lt; b &amp;&amp; c &gt; d"),
        ("<!channel> <@U0ALMANAC1>", "&lt;!channel&gt; &lt;@U0ALMANAC1&gt;"),
        ("@channel look", "<!channel> look"),
        ("see #ops, @nobody", "see <#C0OPS00001|ops>, @nobody"),
        ("https://x.example/a?b=1&c=2.", "<https://x.example/a?b=1&amp;c=2>."),
        ("`@almanac` and ```#ops```", "`@almanac` and ```#ops```"),
        ("mail me@maya.example", "mail me@maya.example"),
    ],
)
async def test_typed_text_is_stored_as_slack_stores_it(typed: str, expected: str) -> None:
    async with local_workspace() as workspace:
        assert stored(workspace.state, typed) == expected


async def test_guests_stay_outside_and_people_leave(workspace_of_ops: LocalWorkspace) -> None:
    with pytest.raises(ApiError, match="not_in_channel"):
        await workspace_of_ops.say("tom", "#ops", "hello?")
    private = await workspace_of_ops.create_channel("maya", "secret", private=True, members=["jonas"])
    assert {one.name for one in workspace_of_ops.state.visible_to("U0PRIYA001")} >= {"ops"}
    assert "secret" not in {one.name for one in workspace_of_ops.state.visible_to("U0PRIYA001")}
    await workspace_of_ops.move("jonas", private, join=False)
    with pytest.raises(ApiError, match="not_in_channel"):
        await workspace_of_ops.say("jonas", private, "hello?")


@pytest.fixture
async def workspace_of_ops() -> AsyncIterator[LocalWorkspace]:
    async with local_workspace() as workspace:
        yield workspace


async def test_a_document_is_shown_as_text_and_never_as_markup(web: aiohttp.ClientSession) -> None:
    async def documents(name: str) -> str | None:
        return {"runbooks/a b.md": "# Title\n<script>alert(1)</script>"}.get(name)

    async with local_workspace(documents=documents) as workspace:
        async with web.get(f"{workspace.url}/documents/runbooks/a%20b.md") as response:
            page = await response.text()
            assert response.headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>" not in page
        async with web.get(f"{workspace.url}/documents", params={"uri": "runbooks/a b.md"}) as response:
            assert response.status == 200
        async with web.get(f"{workspace.url}/documents/other.md") as response:
            assert response.status == 404


async def test_it_runs_as_a_process_of_its_own(web: aiohttp.ClientSession) -> None:
    command = (sys.executable, "-m", "bot.demo", "--port", "0", "--bot-token", "xoxb-fixed")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        addresses = json.loads(await process.stdout.readline())
        assert addresses["bot_token"] == "xoxb-fixed"
        said = await act(web, addresses["url"], "say", user="maya", channel="#ops", text="hello")
        assert said["ok"] is True
    finally:
        process.terminate()
        assert await process.wait() == 0
