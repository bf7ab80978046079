"""assistant.threads.*: the status line, the thread's title, the suggested prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.errors import ApiError
from bot.demo.methods.method import Method, channel_of
from bot.demo.workspace import Change, Json

if TYPE_CHECKING:
    from bot.demo.slack import Slack

MAX_PROMPTS = 4


def set_status(slack: Slack, given: Json) -> Json:
    channel = channel_of(slack, given["channel_id"])
    if given["thread_ts"] not in channel.messages:
        raise ApiError("thread_not_found")
    slack.workspace.set_status(channel, given["thread_ts"], given["status"])
    return {}


def set_title(slack: Slack, given: Json) -> Json:
    channel_of(slack, given["channel_id"])
    if not given["title"]:
        raise ApiError("invalid_arguments")
    return {}


def set_suggested_prompts(slack: Slack, given: Json) -> Json:
    channel = channel_of(slack, given["channel_id"])
    prompts = given["prompts"]
    shaped = isinstance(prompts, list) and all({"title", "message"} <= row.keys() for row in prompts)
    if not shaped or not 0 < len(prompts) <= MAX_PROMPTS:
        raise ApiError(
            "invalid_arguments", [f"[ERROR] between 1 and {MAX_PROMPTS} prompts [json-pointer:/prompts]"]
        )
    shown = {"title": given.get("title", ""), "prompts": prompts}
    slack.workspace.prompts[channel.id] = shown
    slack.workspace.tell(Change("prompts", shown, channel.id))
    return {}


METHODS = {
    "assistant.threads.setStatus": Method(set_status, "chat:write"),
    "assistant.threads.setTitle": Method(set_title, "assistant:write"),
    "assistant.threads.setSuggestedPrompts": Method(set_suggested_prompts, "assistant:write"),
}
