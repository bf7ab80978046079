"""What Slack refuses in a message or a view, with the block and field named as Slack names them."""

from __future__ import annotations

import copy
import json
import secrets
from typing import TYPE_CHECKING, Any

from bot.demo import inputs, rich_text
from bot.demo.blocks import blocks_problems
from bot.demo.errors import ApiError
from bot.demo.rules import PLAIN, optional_text, short, text_problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.demo.workspace import Json

MAX_TEXT = 40_000  # chat.postMessage: longer text is cut; a bot that relies on that loses words
MAX_UPDATE_TEXT = 4_000  # chat.update: msg_too_long
MAX_MARKDOWN = 12_000
MARKDOWN_BUDGET = 11_000  # seen in practice: a message is refused from about here on
MAX_MESSAGE_BLOCKS = 50
MAX_VIEW_BLOCKS = 100
MAX_METADATA_BYTES = 8_000
MAX_VIEW_BYTES = 250_000


def with_ids(blocks: list[Json]) -> list[Json]:
    """Return copies of the blocks, each with a block_id and each element with an action_id."""
    complete = [{"block_id": secrets.token_urlsafe(4), **block} for block in copy.deepcopy(blocks)]
    for _block, element in inputs.elements(complete):
        element.setdefault("action_id", secrets.token_urlsafe(4))
    return complete


def message(body: Json, *, updating: bool = False) -> None:
    """Check a message before it is posted.

    Raises:
        ApiError: `no_text`, `msg_too_long`, `msg_blocks_too_long`, `invalid_blocks` (with each problem's JSON
            pointer), `metadata_too_large`, `invalid_metadata_format`.
    """
    text, blocks = body.get("text") or "", body.get("blocks") or []
    if not isinstance(text, str):
        raise ApiError("invalid_arguments", ["[ERROR] must be a string [json-pointer:/text]"])
    if not (text or blocks or body.get("attachments") or body.get("files")):
        raise ApiError("no_text")
    if len(text) > (MAX_UPDATE_TEXT if updating else MAX_TEXT):
        raise ApiError("msg_too_long")
    _refuse("invalid_blocks", blocks_problems(blocks, "message", MAX_MESSAGE_BLOCKS))
    if sum(map(_formatted_letters, blocks)) >= MARKDOWN_BUDGET:
        raise ApiError("msg_blocks_too_long")
    _metadata(body.get("metadata"))


def view(body: Any) -> None:
    """Check a modal or a home before it is shown.

    Raises:
        ApiError: `invalid_arguments`, with each problem's JSON pointer; `view_too_large`.
    """
    if not isinstance(body, dict) or body.get("type") not in {"modal", "home"}:
        raise ApiError("invalid_arguments", ["[ERROR] unsupported type [json-pointer:/view/type]"])
    if len(json.dumps(body)) > MAX_VIEW_BYTES:
        raise ApiError("view_too_large")
    _refuse("invalid_arguments", _view_problems(body))


def markdown_text(text: Any) -> str:
    """Return the text of a streamed piece, checked."""
    if not isinstance(text, str) or not text:
        raise ApiError("no_text")
    if len(text) > MAX_MARKDOWN:
        raise ApiError("msg_too_long")
    return text


def _formatted_letters(block: Json) -> int:
    if block["type"] == "rich_text":
        return rich_text.letters(block)
    return len(block["text"]) if block["type"] == "markdown" else 0


def _refuse(code: str, problems: Iterator[str]) -> None:
    found = list(problems)
    if found:
        raise ApiError(code, [f"[ERROR] {problem}" for problem in found], errors=found)


def _metadata(metadata: Any) -> None:
    if metadata is None:
        return
    shape = isinstance(metadata, dict) and isinstance(metadata.get("event_payload"), dict)
    if not shape or not isinstance(metadata.get("event_type"), str):
        raise ApiError("invalid_metadata_format")
    if len(json.dumps(metadata).encode()) > MAX_METADATA_BYTES:
        raise ApiError("metadata_too_large")


def _view_problems(body: Json) -> Iterator[str]:
    if body["type"] == "modal":
        yield from text_problems(body.get("title"), "/view/title", 24, kinds=PLAIN)
        yield from optional_text(body, "submit", "/view", 24, kinds=PLAIN)
        yield from optional_text(body, "close", "/view", 24, kinds=PLAIN)
    for name, limit in (("private_metadata", 3000), ("callback_id", 255), ("external_id", 255)):
        yield from short(body, name, limit, "/view")
    yield from blocks_problems(body.get("blocks"), body["type"], MAX_VIEW_BLOCKS, "/view/blocks")
    inputs = [one for one in body.get("blocks") or [] if isinstance(one, dict) and one.get("type") == "input"]
    if body["type"] == "modal" and inputs and not body.get("submit"):
        yield "missing required field: submit [json-pointer:/view]"
