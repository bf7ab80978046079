"""The Web API of the local workspace, called through slack_sdk: answers and refusals in Slack's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo import App, LocalWorkspace, local_workspace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

EMPTY = {"type": "modal", "title": {"type": "plain_text", "text": "x"}, "blocks": []}


def client_of(workspace: LocalWorkspace, token: str | None = None) -> AsyncWebClient:
    return AsyncWebClient(token=token or workspace.bot_token, base_url=workspace.api_url)


async def refused(call: Awaitable[Any]) -> dict[str, Any]:
    with pytest.raises(SlackApiError) as caught:
        await call
    return dict(caught.value.response.data)


@pytest.fixture
async def workspace() -> AsyncIterator[LocalWorkspace]:
    async with local_workspace() as running:
        yield running


async def test_who_am_i(workspace: LocalWorkspace) -> None:
    answer = await client_of(workspace).auth_test()
    assert (answer["user_id"], answer["bot_id"]) == (workspace.slack.app.user_id, workspace.slack.app.bot_id)


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("chat.nonsense", {}, "unknown_method"),
        ("chat.postMessage", {"channel": "C404", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "#general"}, "no_text"),
        ("chat.postMessage", {"text": "x"}, "invalid_arguments"),
        ("chat.postMessage", {"channel": "#general", "text": "x" * 40_001}, "msg_too_long"),
        ("chat.postMessage", {"channel": "#general", "text": "x", "thread_ts": "1.0"}, "thread_not_found"),
        (
            "chat.postMessage",
            {"channel": "#general", "text": "x", "metadata": {"event_type": "y"}},
            "invalid_metadata_format",
        ),
        ("chat.update", {"channel": "#general", "ts": "1.0", "text": "x"}, "message_not_found"),
        (
            "chat.appendStream",
            {"channel": "#general", "ts": "1.0", "markdown_text": "x"},
            "message_not_found",
        ),
        ("reactions.add", {"channel": "#general", "timestamp": "1.0", "name": "eyes"}, "message_not_found"),
        ("conversations.replies", {"channel": "#general", "ts": "1.0"}, "thread_not_found"),
        ("users.info", {"user": "U404"}, "user_not_found"),
        ("views.open", {"trigger_id": "1.2", "view": EMPTY}, "invalid_trigger_id"),
        ("views.update", {"view_id": "V404", "view": EMPTY}, "not_found"),
        ("apps.connections.open", {}, "not_allowed_token_type"),
    ],
)
async def test_a_refusal_names_its_reason(
    workspace: LocalWorkspace, method: str, arguments: dict[str, Any], error: str
) -> None:
    answer = await refused(client_of(workspace).api_call(method, json=arguments))
    assert answer["error"] == error


async def test_tokens_are_checked(workspace: LocalWorkspace) -> None:
    assert (await refused(client_of(workspace, "xoxb-other").auth_test()))["error"] == "invalid_auth"
    assert (await refused(AsyncWebClient(base_url=workspace.api_url).auth_test()))["error"] == "not_authed"


async def test_a_scope_that_was_not_granted_is_named() -> None:
    async with local_workspace(app=App(scopes=frozenset({"chat:write"}))) as workspace:
        client = client_of(workspace)
        await client.chat_postMessage(channel="#general", text="fine")
        answer = await refused(client.conversations_history(channel=workspace.channel("#general").id))
        assert (answer["error"], answer["needed"]) == ("missing_scope", "channels:history")
        answer = await refused(client.conversations_history(channel=workspace.channel("maya").id))
        assert answer["needed"] == "im:history"


async def test_form_and_json_bodies_mean_the_same(workspace: LocalWorkspace) -> None:
    client = client_of(workspace)
    blocks = [{"type": "divider"}]
    by_json = await client.api_call(
        "chat.postMessage", json={"channel": "#ops", "text": "a", "blocks": blocks}
    )
    by_form = await client.api_call(
        "chat.postMessage", data={"channel": "#ops", "text": "a", "blocks": '[{"type": "divider"}]'}
    )
    assert by_json["message"]["blocks"][0]["type"] == by_form["message"]["blocks"][0]["type"] == "divider"


async def test_a_rate_limit_is_survived_by_slack_sdks_own_handler(workspace: LocalWorkspace) -> None:
    client = client_of(workspace)
    workspace.slack.faults.set(methods=["chat.postMessage"], retry_after=0)
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel="#ops", text="lost")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "0"
    workspace.slack.faults.set(methods=[], every=2, calls=1)  # the next call and then every second one
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))
    await client.chat_postMessage(channel="#ops", text="kept")
    assert [row["text"] for row in workspace.messages("#ops")] == ["kept"]


async def test_replies_are_counted_at_their_parent_and_left_out_of_the_history(
    workspace: LocalWorkspace,
) -> None:
    client = client_of(workspace)
    ts = await workspace.say("maya", "#ops", "a question")
    first = await client.chat_postMessage(channel="#ops", text="one", thread_ts=ts)
    await client.chat_postMessage(channel="#ops", text="two", thread_ts=ts, reply_broadcast=True)
    channel = workspace.channel("#ops").id
    history = await client.conversations_history(channel=channel)
    assert [row["text"] for row in history["messages"]] == ["two", "a question"]
    assert history["messages"][1]["reply_count"] == 2
    replies = await client.conversations_replies(channel=channel, ts=ts, oldest=first["ts"])
    assert [row["text"] for row in replies["messages"]] == ["a question", "two"]
    await client.chat_delete(channel=channel, ts=first["ts"])
    assert workspace.messages("#ops")[0]["reply_count"] == 1


async def test_metadata_is_sent_only_where_it_is_asked_for(workspace: LocalWorkspace) -> None:
    client = client_of(workspace)
    metadata = {"event_type": "answer", "event_payload": {"question": "7"}}
    posted = await client.chat_postMessage(channel="#ops", text="x", metadata=metadata)
    channel = posted["channel"]
    plain = await client.conversations_history(channel=channel)
    full = await client.conversations_history(channel=channel, include_all_metadata=True)
    assert "metadata" not in plain["messages"][0]
    assert full["messages"][0]["metadata"] == metadata


async def test_pages_follow_their_cursor(workspace: LocalWorkspace) -> None:
    for number in range(5):
        await workspace.say("maya", "#ops", str(number))
    channel = workspace.channel("#ops").id
    seen: list[str] = []
    async for page in await client_of(workspace).conversations_history(channel=channel, limit=2):
        seen += [row["text"] for row in page["messages"]]
    assert seen == ["4", "3", "2", "1", "0"]


async def test_only_ones_own_messages_can_be_changed(workspace: LocalWorkspace) -> None:
    client = client_of(workspace)
    ts = await workspace.say("maya", "#ops", "mine")
    channel = workspace.channel("#ops").id
    assert (await refused(client.chat_update(channel=channel, ts=ts, text="x")))[
        "error"
    ] == "cant_update_message"
    assert (await refused(client.chat_delete(channel=channel, ts=ts)))["error"] == "cant_delete_message"
    long = client.chat_update(channel=channel, ts=ts, text="x" * 4001)
    assert (await refused(long))["error"] == "cant_update_message"
    own = await client.chat_postMessage(channel=channel, text="x")
    assert (await refused(client.chat_update(channel=channel, ts=own["ts"], text="x" * 4001)))[
        "error"
    ] == "msg_too_long"


async def test_an_ephemeral_message_is_seen_by_one_and_not_in_the_history(workspace: LocalWorkspace) -> None:
    client = client_of(workspace)
    maya = workspace.state.find_person("maya")
    sent = await client.chat_postEphemeral(channel="#ops", user=maya.id, text="psst")
    channel = workspace.channel("#ops")
    assert channel.ephemeral[sent["message_ts"]]["to"] == maya.id
    assert workspace.messages("#ops") == []
    gone = client.chat_update(channel=channel.id, ts=sent["message_ts"], text="x")
    assert (await refused(gone))["error"] == "message_not_found"
    tom = workspace.state.find_person("tom")
    outside = client.chat_postEphemeral(channel="#ops", user=tom.id, text="psst")
    assert (await refused(outside))["error"] == "user_not_in_channel"


async def test_a_stream_fills_stops_and_takes_no_more(workspace: LocalWorkspace) -> None:
    client = client_of(workspace)
    ts = await workspace.say("maya", "#ops", "tell me")
    channel = workspace.channel("#ops").id
    bare = client.chat_startStream(channel=channel, thread_ts=ts)
    assert (await refused(bare))["error"] == "missing_recipient_team_id"
    stream = await client.chat_stream(
        channel=channel, thread_ts=ts, recipient_team_id="T1", recipient_user_id="U1", buffer_size=4
    )
    await stream.append(markdown_text="Once ")
    await stream.append(markdown_text="upon")
    assert workspace.messages("#ops", ts)[1]["streaming"] is True
    await stream.stop(markdown_text=" a time", blocks=[{"type": "divider"}])
    message = workspace.messages("#ops", ts)[1]
    assert message["text"] == "Once upon a time"
    assert [block["type"] for block in message["blocks"]] == ["markdown", "divider"]
    late = client.chat_appendStream(channel=channel, ts=message["ts"], markdown_text="!")
    assert (await refused(late))["error"] == "message_not_in_streaming_state"


async def test_a_stream_dies_of_age(workspace: LocalWorkspace) -> None:
    client = client_of(workspace)
    ts = await workspace.say("maya", "maya", "tell me")
    channel = workspace.channel("maya").id
    started = await client.chat_startStream(channel=channel, thread_ts=ts, markdown_text="Once")
    workspace.slack.streams.lifetime = 0.0
    late = client.chat_appendStream(channel=channel, ts=started["ts"], markdown_text=" upon")
    assert (await refused(late))["error"] == "message_not_in_streaming_state"
    await client.chat_update(channel=channel, ts=started["ts"], text="Once upon")
    assert workspace.messages("maya", ts)[1]["text"] == "Once upon"


async def test_a_file_goes_up_in_slack_sdks_three_steps(workspace: LocalWorkspace) -> None:
    client = client_of(workspace)
    channel = workspace.channel("#ops").id
    done = await client.files_upload_v2(
        content="a,b\n1,2\n",
        filename="table.csv",
        title="The table",
        channel=channel,
        initial_comment="Here.",
    )
    message = workspace.messages("#ops")[0]
    assert message["text"] == "Here."
    assert message["files"][0]["title"] == "The table"
    assert "content" not in message["files"][0]
    info = await client.files_info(file=done["file"]["id"])
    assert info["file"]["size"] == 8


async def test_a_status_is_shown_and_goes_with_the_reply(workspace: LocalWorkspace) -> None:
    client = client_of(workspace)
    ts = await workspace.say("maya", "#ops", "@almanac where?")
    channel = workspace.channel("#ops").id
    await client.assistant_threads_setStatus(channel_id=channel, thread_ts=ts, status="is looking it up…")
    assert workspace.state.statuses == {(channel, ts): "is looking it up…"}
    await client.chat_postMessage(channel=channel, thread_ts=ts, text="There.")
    assert workspace.state.statuses == {}


async def test_a_deleted_parent_leaves_a_tombstone_over_its_replies(workspace: LocalWorkspace) -> None:
    ts = await workspace.say("maya", "#ops", "a question")
    await client_of(workspace).chat_postMessage(channel="#ops", text="an answer", thread_ts=ts)
    await workspace.delete("maya", "#ops", ts)
    parent, reply = workspace.messages("#ops", ts)
    assert parent["subtype"] == "tombstone"
    assert reply["text"] == "an answer"
