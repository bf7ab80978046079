"""Rich text blocks: what they hold is shown as it stands, so nothing in it can ping or disguise a link."""

from __future__ import annotations

import re
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from handlers.text import clean, clip

Block: TypeAlias = dict[str, Any]

LONGEST_LINK = 3_000  # characters, as for a button's url

_CODE = re.compile(r"`([^`\n]+)`")
_WRAP = re.compile(r"(?<=[^\s])[ \t]*\n[ \t]*(?=[^\s\-*+•|>#\d])")
_TABLE = re.compile(r"^\s*\|.*\|\s*$", re.MULTILINE)


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


def quote(passage: str) -> Block:
    """Return a quote: a table in fixed width, prose without its line wraps and with `code` as code."""
    if _TABLE.search(passage):
        return {"type": "rich_text_preformatted", "elements": [text(passage)]}
    return {"type": "rich_text_quote", "elements": inline(_WRAP.sub(" ", passage))}


def inline(content: str) -> list[Block]:
    """Return text as runs, what stands between backticks as code."""
    runs: list[Block] = []
    end = 0
    for match in _CODE.finditer(content):
        if match.start() > end:
            runs.append(text(content[end : match.start()]))
        runs.append(text(match.group(1), code=True))
        end = match.end()
    return runs + ([text(content[end:])] if end < len(content) or not runs else [])


def _opens(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    sane = url.isascii() and url.isprintable() and not set(url) & set(' <>|"`')
    return sane and parts.scheme in {"http", "https"} and bool(parts.hostname)
