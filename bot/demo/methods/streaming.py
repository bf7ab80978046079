"""chat.startStream, appendStream, stopStream: a message that fills while it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo import validate
from bot.demo.errors import ApiError
from bot.demo.methods.method import Method, channel_of, message_of

if TYPE_CHECKING:
    from bot.demo.slack import Slack
    from bot.demo.workspace import Channel, Json


def start_stream(slack: Slack, given: Json) -> Json:
    channel = channel_of(slack, given["channel"])
    if given["thread_ts"] not in channel.messages:
        raise ApiError("thread_not_found")
    if channel.kind != "im":
        for name in ("recipient_team_id", "recipient_user_id"):
            if not given.get(name):
                raise ApiError(f"missing_{name}")
    text = _piece(given)
    message = slack.author() | {"text": "", "thread_ts": given["thread_ts"], "streaming": True}
    posted = slack.workspace.post(channel, message)
    slack.workspace.set_status(channel, given["thread_ts"], "")
    slack.streams.start(channel.id, posted["ts"])
    _grow(slack, channel, posted["ts"], text)
    return {"channel": channel.id, "ts": posted["ts"]}


def append_stream(slack: Slack, given: Json) -> Json:
    channel = channel_of(slack, given["channel"])
    message_of(channel, given["ts"])
    text = _piece(given)
    if not text:
        raise ApiError("no_text")
    _grow(slack, channel, given["ts"], text)
    return {"channel": channel.id, "ts": given["ts"]}


def stop_stream(slack: Slack, given: Json) -> Json:
    channel = channel_of(slack, given["channel"])
    message_of(channel, given["ts"])
    text = slack.streams.append(channel.id, given["ts"], _piece(given))
    blocks = validate.with_ids(_markdown(text) + (given.get("blocks") or []))
    validate.message({"text": text, "blocks": blocks, "metadata": given.get("metadata")})
    slack.streams.stop(channel.id, given["ts"])
    fields = {"text": text, "blocks": blocks, "metadata": given.get("metadata"), "streaming": None}
    after = slack.workspace.change(channel, given["ts"], **fields)
    return {"channel": channel.id, "ts": given["ts"], "message": after}


def _grow(slack: Slack, channel: Channel, ts: str, piece: str) -> None:
    text = slack.streams.append(channel.id, ts, piece)
    if piece:
        slack.workspace.change(channel, ts, text=text, blocks=validate.with_ids(_markdown(text)))


def _markdown(text: str) -> list[Json]:
    return [{"type": "markdown", "text": text}] if text else []


def _piece(given: Json) -> str:
    """Return the text of `markdown_text` and of the `markdown_text` chunks together."""
    texts = [given["markdown_text"]] if given.get("markdown_text") else []
    texts += [chunk["text"] for chunk in given.get("chunks") or [] if chunk.get("type") == "markdown_text"]
    return validate.markdown_text("".join(texts)) if texts else ""


METHODS = {
    "chat.startStream": Method(start_stream, "chat:write"),
    "chat.appendStream": Method(append_stream, "chat:write"),
    "chat.stopStream": Method(stop_stream, "chat:write"),
}
