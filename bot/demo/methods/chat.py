"""chat.postMessage and its kin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo import validate
from bot.demo.errors import ApiError
from bot.demo.methods.method import Method, channel_of, message_of

if TYPE_CHECKING:
    from bot.demo.slack import Slack
    from bot.demo.workspace import Channel, Json

KEPT = ("text", "metadata", "thread_ts", "unfurl_links", "unfurl_media")


def post_message(slack: Slack, given: Json) -> Json:
    channel = channel_of(slack, given["channel"])
    message = composed(slack, channel, given)
    posted = slack.workspace.post(channel, message)
    if "thread_ts" in posted:
        slack.workspace.set_status(channel, posted["thread_ts"], "")  # Slack clears it at a reply
    return {"channel": channel.id, "ts": posted["ts"], "message": posted}


def composed(slack: Slack, channel: Channel, given: Json, *, updating: bool = False) -> Json:
    """Return the message that the arguments describe, checked."""
    if given.get("markdown_text"):
        if given.get("text") or given.get("blocks"):
            raise ApiError("markdown_text_conflict")
        text = validate.markdown_text(given["markdown_text"])
        given = {**given, "text": text, "blocks": [{"type": "markdown", "text": text}]}
    validate.message(given, updating=updating)
    if given.get("thread_ts") and given["thread_ts"] not in channel.messages:
        raise ApiError("thread_not_found")
    message = {key: given[key] for key in KEPT if given.get(key) is not None}
    if given.get("blocks"):
        message["blocks"] = validate.with_ids(given["blocks"])
    if given.get("reply_broadcast") and given.get("thread_ts"):
        message["subtype"] = "thread_broadcast"
    return slack.author() | {"text": ""} | message


def update(slack: Slack, given: Json) -> Json:
    channel = channel_of(slack, given["channel"])
    before = message_of(channel, given["ts"])
    if before.get("user") != slack.app.user_id:
        raise ApiError("cant_update_message")
    message = composed(slack, channel, given, updating=True)
    fields = {"text": message["text"], "blocks": before.get("blocks")}
    if "blocks" in given or "text" in given:  # text alone takes the blocks away, as in Slack
        fields["blocks"] = message.get("blocks")
    if "metadata" in given:
        fields["metadata"] = given["metadata"] or None
    edited = {"user": slack.app.user_id, "ts": slack.workspace.timestamp()}
    after = slack.workspace.change(channel, given["ts"], **fields, edited=edited)
    return {"channel": channel.id, "ts": after["ts"], "text": after["text"], "message": after}


def delete(slack: Slack, given: Json) -> Json:
    channel = channel_of(slack, given["channel"])
    if message_of(channel, given["ts"]).get("user") != slack.app.user_id:
        raise ApiError("cant_delete_message")
    slack.workspace.delete(channel, given["ts"])
    return {"channel": channel.id, "ts": given["ts"]}


def post_ephemeral(slack: Slack, given: Json) -> Json:
    channel = channel_of(slack, given["channel"])
    if given["user"] not in channel.members:
        raise ApiError("user_not_in_channel")
    message = slack.workspace.whisper(channel, given["user"], composed(slack, channel, given))
    return {"message_ts": message["ts"]}


def get_permalink(slack: Slack, given: Json) -> Json:
    channel = channel_of(slack, given["channel"], joined=False)
    message = message_of(channel, given["message_ts"])
    address = f"{slack.url}/archives/{channel.id}/p{message['ts'].replace('.', '')}"
    if message.get("thread_ts", message["ts"]) != message["ts"]:
        address += f"?thread_ts={message['thread_ts']}&cid={channel.id}"
    return {"channel": channel.id, "permalink": address}


METHODS = {
    "chat.postMessage": Method(post_message, "chat:write"),
    "chat.update": Method(update, "chat:write"),
    "chat.delete": Method(delete, "chat:write"),
    "chat.postEphemeral": Method(post_ephemeral, "chat:write"),
    "chat.getPermalink": Method(get_permalink),
}
