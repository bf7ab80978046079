"""Text on its way into and out of Slack."""

from __future__ import annotations

import re

_ANGLED = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANKS = re.compile(r"[ \t]+")


def escape(text: str) -> str:
    """Return text that Slack shows as it stands: no ping, no link is ever made of it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clean(text: str) -> str:
    """Return text without what has no sign: control characters, reversals of direction, half characters."""
    return _SURROGATE.sub("\ufffd", _UNSEEN.sub("", text))


def clip(text: str, limit: int) -> str:
    """Return at most `limit` characters, with an ellipsis where some are missing."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def clip_escaped(text: str, limit: int) -> str:
    """Return escaped text of at most `limit` characters, which never ends inside an escape."""
    clipped = clip(text, limit)
    while len(escape(clipped)) > limit:
        clipped = clip(clipped, len(clipped) - max(1, (len(escape(clipped)) - limit) // 5))
    return escape(clipped)


def split(text: str, limit: int) -> list[str]:
    """Split text into pieces of at most `limit` characters: after a line, else a word, else where it must be.

    Joined, the pieces are the text.
    """
    pieces = []
    while len(text) > limit:
        end = max(text.rfind("\n", 0, limit), text.rfind(" ", 0, limit)) + 1
        if newline := text.rfind("\n", limit // 2, limit) + 1:
            end = newline
        end = end or limit
        pieces.append(text[:end])
        text = text[end:]
    return [*pieces, text] if text else pieces


def plain(text: str, bot_user: str | None = None) -> str:
    """Return what a person wrote, without Slack's markup and without the mention of the bot."""
    if bot_user:
        text = re.sub(rf"<@{re.escape(bot_user)}(?:\|[^<>]*)?>[:,]?", " ", text)
    shown = _ANGLED.sub(_shown, text)
    unescaped = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return _BLANKS.sub(" ", clean(unescaped)).strip()


def _shown(match: re.Match[str]) -> str:
    """Return what stands for `<@U…>`, `<#C…|general>`, `<!here>` or `<https://…|label>` in plain text."""
    target, label = match.group(1), match.group(2)
    if target[:1] in "@#":
        return f"{target[0]}{label or target[1:]}"
    if target.startswith("!"):
        return label or f"@{target[1:].split('^')[0]}"
    return label or target.removeprefix("mailto:")
