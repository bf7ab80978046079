"""Rich text blocks: what they hold is shown as it stands, so nothing in it can ping or disguise a link."""

from __future__ import annotations

import re
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from handlers.text import clean, clip

Block: TypeAlias = dict[str, Any]

LONGEST_LINK = 3_000  # characters, as for a button's url

_STYLED = re.compile(
    r"`(?P<code>[^`\n]+)`|\*\*(?P<bold>[^*\n]+)\*\*|^#{1,6} +(?P<heading>[^\n]+)$", re.MULTILINE
)
_GOES_ON = re.compile(r"\s*[^\s\-*+•|>#\d]")
_FIXED = re.compile(
    r"^[ \t]*(?P<fence>```|~~~)[^\n]*\n(?P<code>.*?)\n?(?:^[ \t]*(?P=fence)[ \t]*$|\Z)"
    r"|(?P<table>(?:^[ \t]*\|[^\n]*\|[ \t]*(?:\n|\Z))+)",
    re.MULTILINE | re.DOTALL,
)


def rich_text(*elements: Block) -> Block:
    """Return a block of sections, quotes and lists."""
    return {"type": "rich_text", "elements": list(elements)}


def section(*elements: Block) -> Block:
    """Return a line of texts and links."""
    return {"type": "rich_text_section", "elements": list(elements)}


def bullets(*sections: Block) -> Block:
    """Return a list with bullets."""
    return {"type": "rich_text_list", "style": "bullet", "indent": 0, "elements": list(sections)}


def text(content: str, **style: bool) -> Block:
    """Return a run of text, which is never empty; `bold=True` and the like style it."""
    element: Block = {"type": "text", "text": clean(content) or "…"}
    return element | ({"style": style} if style else {})


def link(url: str | None, label: str, **style: bool) -> Block:
    """Return a link, or the label alone where there is nothing that a browser could open."""
    if not url or len(url) > LONGEST_LINK or not _opens(url):
        return text(label, **style)
    element: Block = {"type": "link", "url": url, "text": clip(clean(label), 300) or url}
    return element | ({"style": style} if style else {})


def quote(passage: str) -> list[Block]:
    """Return a quote as its document reads: code and tables in fixed width, prose without line wraps."""
    shown: list[Block] = []
    end = 0
    for match in _FIXED.finditer(passage):
        shown += _prose(passage[end : match.start()])
        fixed = match.group("code") if match.group("fence") else match.group("table").rstrip()
        shown.append({"type": "rich_text_preformatted", "elements": [text(fixed)]})
        end = match.end()
    shown += _prose(passage[end:])
    return shown or [_quoted(text(passage))]


def _prose(content: str) -> list[Block]:
    return [_quoted(*inline(_unwrapped(content.strip())))] if content.strip() else []


def _unwrapped(content: str) -> str:
    """Join wrapped lines; headings, list items and empty lines stay apart."""
    lines: list[str] = []
    for line in content.split("\n"):
        before = lines[-1].strip() if lines else ""
        if before and not before.startswith("#") and _GOES_ON.match(line):
            lines[-1] = f"{lines[-1].rstrip()} {line.strip()}"
        else:
            lines.append(line)
    return "\n".join(lines)


def _quoted(*runs: Block) -> Block:
    return {"type": "rich_text_quote", "elements": list(runs)}


def inline(content: str) -> list[Block]:
    """Return text as runs: Markdown's code, bold words and headings are styled, all else stays as it is."""
    runs: list[Block] = []
    end = 0
    for match in _STYLED.finditer(content):
        if match.start() > end:
            runs.append(text(content[end : match.start()]))
        style = "code" if match.lastgroup == "code" else "bold"
        runs.append(text(match.group(match.lastgroup or 0), **{style: True}))
        end = match.end()
    return runs + ([text(content[end:])] if end < len(content) or not runs else [])


def _opens(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    sane = url.isascii() and url.isprintable() and not set(url) & set(' <>|"`')
    return sane and parts.scheme in {"http", "https"} and bool(parts.hostname)
