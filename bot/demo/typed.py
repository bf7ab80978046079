"""What a person types, in the form in which Slack stores it: escaped, with mentions, channels and links marked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.demo.workspace import Workspace

CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
MARK = re.compile(
    r"(?P<link>https?://[^\s<>|]+[^\s<>|.,;:!?)\]'\"])|(?<![\w@#])(?P<sign>[@#])(?P<name>[\w.-]*\w)"
)
EVERYBODY = {"channel", "here", "everyone"}


def stored(workspace: Workspace, text: str) -> str:
    """Return typed text as messages hold it; inside code nothing is a mention or a link."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    parts = CODE.split(escaped)
    return "".join(part if index % 2 else _marked(workspace, part) for index, part in enumerate(parts))


def editable(workspace: Workspace, text: str) -> str:
    """Return stored text as a person would type it again."""

    def name(match: re.Match[str]) -> str:
        kind, key = match["kind"], match["key"]
        if kind == "@" and key in workspace.people:
            return "@" + workspace.people[key].name
        if kind == "#" and key in workspace.channels:
            return "#" + workspace.channels[key].name
        return "@" + key if kind == "!" else key

    plain = re.sub(r"<(?P<kind>[@#!]?)(?P<key>[^>|]+)(?:\|[^>]*)?>", name, text)
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _marked(workspace: Workspace, text: str) -> str:
    def mark(match: re.Match[str]) -> str:
        if match["link"]:
            return f"<{match['link']}>"
        return _mention(workspace, match["sign"], match["name"]) or match[0]

    return MARK.sub(mark, text)


def _mention(workspace: Workspace, sign: str, name: str) -> str | None:
    if sign == "@":
        if name in EVERYBODY:
            return f"<!{name}>"
        person = workspace.find_person(name)
        return f"<@{person.id}>" if person else None
    channel = workspace.find_channel(name)
    return f"<#{channel.id}|{channel.name}>" if channel else None
