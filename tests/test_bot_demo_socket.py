"""A real Bolt app over a real socket: events, acknowledgements, redelivery, dropped connections."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo import App, LocalWorkspace, Redelivery, local_workspace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENCE_S = 10.0


@contextlib.asynccontextmanager
async def bolt(workspace: LocalWorkspace) -> AsyncIterator[AsyncApp]:
    """A Bolt app, connected while the block runs."""
    before = len(workspace.slack.socket.connections)
    app = AsyncApp(client=AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url))
    handler = AsyncSocketModeHandler(app, workspace.app_token, ping_interval=0.2)
    await handler.connect_async()
    try:
        await workspace.wait_for(lambda w: len(w.slack.socket.connections) > before)
        yield app
    finally:
        await handler.close_async()


class Heard:
    """The events that an app heard, in order."""

    def __init__(self, app: AsyncApp, *kinds: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self._changed = asyncio.Event()
        for kind in kinds:
            app.event(kind)(self._hear)

    async def _hear(self, body: dict[str, Any]) -> None:
        self.events.append(body["event"])
        self.ids.append(body["event_id"])
        self._changed.set()

    async def wait(self, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.events) < count:
                await self._changed.wait()
                self._changed.clear()
        return self.events


async def test_a_mention_is_received_and_answered_in_its_thread() -> None:
    async with local_workspace() as workspace, bolt(workspace) as app:

        @app.event("app_mention")
        async def answer(event: dict[str, Any], say: Any) -> None:
            await say(text=f"You said: {event['text']}", thread_ts=event["ts"])

        ts = await workspace.say("maya", "#general", "@almanac how long are <logs> kept?")
        replies = await workspace.wait_for(lambda w: w.messages("#general", ts)[1:])
        bot = workspace.slack.app.user_id
        assert replies[0]["text"] == f"You said: <@{bot}> how long are &lt;logs&gt; kept?"
        assert replies[0]["user"] == bot


async def test_an_event_that_is_not_acknowledged_comes_again_with_its_number() -> None:
    async with local_workspace(redelivery=Redelivery(0.2, (0.0, 0.05))) as workspace, bolt(workspace) as app:
        heard = Heard(app, "app_mention", "message")
        workspace.slack.faults.set(lost_acks=True)
        await workspace.say("jonas", "#ops", "@almanac hello")
        await heard.wait(6)
        assert len(set(heard.ids)) == 2  # one mention, one message, three times each
        mentions = [
            one for one in workspace.slack.socket.deliveries if one.payload["event_id"] == heard.ids[0]
        ]
        assert [one.attempt for one in mentions] == [0, 1, 2]
        assert all(one.ack_s is None for one in mentions)


async def test_an_acknowledged_event_comes_once_and_its_time_is_recorded() -> None:
    async with local_workspace(redelivery=Redelivery(3.0, (0.0,))) as workspace, bolt(workspace) as app:
        heard = Heard(app, "message")
        await workspace.say("jonas", "#ops", "one")
        await workspace.say("jonas", "#ops", "two")
        assert [event["text"] for event in await heard.wait(2)] == ["one", "two"]
        await workspace.slack.socket.settled()
        acks = [one.ack_s for one in workspace.slack.socket.deliveries]
        assert len(acks) == 2
        assert all(0 < ack < 3 for ack in acks)


async def test_each_event_comes_twice_on_demand() -> None:
    async with local_workspace() as workspace, bolt(workspace) as app:
        heard = Heard(app, "message")
        workspace.slack.faults.set(copies=2)
        await workspace.say("jonas", "#ops", "hello")
        await heard.wait(2)
        assert len(set(heard.ids)) == 1


async def test_an_event_waits_for_a_bot_that_is_not_there_yet() -> None:
    async with local_workspace() as workspace:
        await workspace.say("jonas", "#ops", "hello")
        async with bolt(workspace) as app:
            heard = Heard(app, "message")
            assert (await heard.wait(1))[0]["text"] == "hello"


async def test_a_dropped_socket_is_opened_again_and_nothing_is_lost() -> None:
    redelivery = Redelivery(0.5, (0.0, 0.0, 0.0, 0.0))
    async with local_workspace(redelivery=redelivery) as workspace, bolt(workspace) as app:
        heard = Heard(app, "message")
        for cut in (workspace.slack.socket.drop, workspace.slack.socket.disconnect):
            done = cut()
            if done is not None:
                await done
            await workspace.wait_for(lambda w: not w.slack.socket.connections)
            await workspace.say("jonas", "#ops", cut.__name__)
        events = await heard.wait(2)
        assert {event["text"] for event in events} == {"drop", "disconnect"}


async def test_several_connections_share_the_events() -> None:
    async with local_workspace() as workspace, bolt(workspace) as one, bolt(workspace) as other:
        first, second = Heard(one, "message"), Heard(other, "message")
        for number in range(6):
            await workspace.say("jonas", "#ops", str(number))
        await first.wait(3)
        await second.wait(3)
        texts = [event["text"] for event in (*first.events, *second.events)]
        assert sorted(texts) == ["0", "1", "2", "3", "4", "5"]


async def test_an_edit_mentions_again_and_a_deletion_is_told() -> None:
    async with local_workspace() as workspace, bolt(workspace) as app:
        heard = Heard(app, "app_mention", "message")
        ts = await workspace.say("maya", "#ops", "@almanac where?")
        await heard.wait(2)
        await workspace.edit("maya", "#ops", ts, "@almanac where exactly?")
        mentioned = next(one for one in (await heard.wait(4))[2:] if one["type"] == "app_mention")
        assert mentioned["ts"] == ts
        assert "edited" in mentioned
        assert "exactly" in mentioned["text"]
        await workspace.delete("maya", "#ops", ts)
        gone = (await heard.wait(5))[4]
        assert (gone["subtype"], gone["deleted_ts"]) == ("message_deleted", ts)
        assert "exactly" in gone["previous_message"]["text"]


async def test_a_direct_message_is_no_mention() -> None:
    async with local_workspace() as workspace, bolt(workspace) as app:
        heard = Heard(app, "app_mention", "message")
        await workspace.say("maya", "maya", "@almanac where?")
        await workspace.say("maya", "maya", "and when?")
        events = await heard.wait(2)
        assert [event["channel_type"] for event in events] == ["im", "im"]


async def test_only_what_the_manifest_subscribes_to_is_delivered() -> None:
    manifest = {
        "display_information": {"name": "Almanac"},
        "features": {"slash_commands": [{"command": "/ask", "description": "Ask"}]},
        "oauth_config": {"scopes": {"bot": ["chat:write"]}},
        "settings": {"event_subscriptions": {"bot_events": ["app_mention"]}},
    }
    async with local_workspace(app=App.from_manifest(manifest)) as workspace, bolt(workspace) as app:
        heard = Heard(app, "app_mention", "message")
        await workspace.say("maya", "#ops", "people talk")
        await workspace.say("maya", "#ops", "@almanac where?")
        assert (await heard.wait(1))[0]["type"] == "app_mention"
        assert [one.payload["event"]["type"] for one in workspace.slack.socket.deliveries] == ["app_mention"]


async def test_what_happens_in_a_channel_without_the_bot_is_not_told() -> None:
    async with local_workspace() as workspace, bolt(workspace) as app:
        heard = Heard(app, "message", "member_joined_channel")
        await workspace.move("almanac", "#random", join=False)
        await workspace.say("maya", "#random", "between us")
        await workspace.move("almanac", "#random")
        await workspace.say("maya", "#random", "hello again")
        events = await heard.wait(2)
        assert [event["type"] for event in events] == ["member_joined_channel", "message"]
        assert events[1]["text"] == "hello again"
