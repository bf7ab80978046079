"""A real Bolt app over a real socket: mentions, replies, acknowledgements, redelivery, several connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo import App, LocalWorkspace, Redelivery, local_workspace


@contextlib.asynccontextmanager
async def bolt(workspace: LocalWorkspace) -> AsyncIterator[AsyncApp]:
    """A Bolt app that is connected before the block runs; add listeners inside, before acting."""
    client = AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)
    app = AsyncApp(client=client)
    handler = AsyncSocketModeHandler(app, workspace.app_token)
    await handler.connect_async()
    try:
        await asyncio.wait_for(workspace.slack.socket.connected.wait(), 5)
        yield app
    finally:
        await handler.close_async()


async def test_a_mention_is_received_and_answered_in_its_thread() -> None:
    async with local_workspace() as workspace, bolt(workspace) as app:

        @app.event("app_mention")
        async def answer(event, say) -> None:
            await say(text=f"You said: {event['text']}", thread_ts=event["ts"])

        ts = await workspace.say("maya", "#general", "@almanac how long are <logs> kept?")
        replies = await workspace.wait_for(lambda w: w.messages("#general", ts)[1:])
        bot = workspace.slack.app.user_id
        assert replies[0]["text"] == f"You said: <@{bot}> how long are &lt;logs&gt; kept?"
        assert replies[0]["user"] == bot


async def test_an_event_that_is_not_acknowledged_comes_again_with_its_retry_number() -> None:
    redelivery = Redelivery(ack_timeout=0.2, delays=(0.0, 0.05))
    async with local_workspace(redelivery=redelivery) as workspace, bolt(workspace) as app:
        seen: list[str] = []
        enough = asyncio.Event()

        @app.event("app_mention")
        async def hear(body) -> None:
            seen.append(body["event_id"])
            if len(seen) == 3:
                enough.set()

        workspace.slack.faults.set(lost_acks=True)
        await workspace.say("jonas", "#ops", "@almanac hello")
        await asyncio.wait_for(enough.wait(), 5)
        assert len(set(seen)) == 1
        mentions = [
            one for one in workspace.slack.socket.deliveries if one.payload["event"]["type"] == "app_mention"
        ]
        assert [one.attempt for one in mentions] == [0, 1, 2]
        assert all(one.ack_s is None for one in mentions)
