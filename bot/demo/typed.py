"""What a person types, as Slack stores it: escaped, with mentions, channels and links marked."""

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
    return "".join(part if index % 2 else marked(workspace, part) for index, part in enumerate(parts))


def marked(workspace: Workspace, text: str) -> str:
    """Return typed text with mentions, channels and links marked, as a command that asks for it gets it."""

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
        return f"<@{person.id}>" if person and person.name == name else None
    channel = workspace.find_channel(name)
    return f"<#{channel.id}|{channel.name}>" if channel and channel.name == name else None
