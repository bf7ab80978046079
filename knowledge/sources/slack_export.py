"""A Slack export (a zip): each day of each public channel is a document, its threads told together.

It is off until a setting turns it on: Slack's terms restrict indexing its content, and whether they bind an
app of one's own is for one's own lawyers. Private channels and direct messages are never read.
"""

from __future__ import annotations

import asyncio
import json
import re
import zipfile
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from knowledge.convert import ParseError
from knowledge.parse import MAX_BYTES, too_large
from knowledge.sources.globs import excluded, included
from knowledge.sources.origin import Content, File, Listing, UnreachableError, UnreadableError
from knowledge.sources.uri import local_path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from knowledge.sources.origin import Reach
    from knowledge.sources.registry import Source

TURNED_OFF = (
    "Exports of Slack are not read: Slack's terms restrict indexing its content. Where your lawyers say it is"
    " fine, set ALMANAC_SLACK_EXPORTS=true."
)
_DAY = re.compile(r"(?P<channel>[^/]+)/(?P<day>\d{4}-\d\d-\d\d)\.json")
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
_CHANNEL = re.compile(r"<#C[A-Z0-9]+\|([^>]*)>")
_LINK = re.compile(r"<((?:https?|mailto):[^|>]+)(?:\|([^>]*))?>")


@asynccontextmanager
async def open_export(source: Source, options: dict[str, Any], reach: Reach) -> AsyncIterator[SlackExport]:
    """Open an export.

    Raises:
        UnreachableError: no setting allows it, or it is no export.
    """
    if not reach.slack_exports:
        raise UnreachableError(TURNED_OFF)
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(local_path(source.uri)))
            opened = await asyncio.to_thread(SlackExport, source, archive)
        except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
            raise UnreachableError(f"It is no export of Slack that can be read: {error}") from error
        yield opened


class SlackExport:
    """The public channels of an export."""

    def __init__(self, source: Source, archive: zipfile.ZipFile) -> None:
        self._source, self._archive = source, archive
        users = _load(archive, "users.json")
        self._names = {user["id"]: _name(user) for user in users}
        self._public = {channel["name"] for channel in _load(archive, "channels.json")}

    async def list(self) -> Listing:
        """Return the days of the public channels."""
        found = [self._file(info) for info in self._archive.infolist() if self._is_public(info.filename)]
        return Listing(sorted(filter(self._wanted, found), key=lambda file: file.path))

    def _is_public(self, name: str) -> bool:
        match = _DAY.fullmatch(name)
        return match is not None and match["channel"] in self._public

    def _wanted(self, file: File) -> bool:
        return not excluded(file.path, self._source) and included(file.path, self._source)

    def _file(self, info: zipfile.ZipInfo) -> File:
        path = info.filename.removesuffix(".json") + ".md"
        day = datetime.fromisoformat(path.rpartition("/")[2].removesuffix(".md")).replace(tzinfo=UTC)
        error = too_large(info.file_size) if info.file_size > MAX_BYTES else None
        version = f"{info.CRC:08x} {info.file_size}"
        uri = f"{self._source.uri}#{quote(path)}"
        return File(uri, path, info.file_size, int(day.timestamp() * 1e9), version, error)

    async def read(self, file: File, version: str | None) -> Content:  # noqa: ARG002 - the listing has it
        """Return a day as Markdown."""
        name = file.path.removesuffix(".md") + ".json"
        try:
            messages = await asyncio.to_thread(_load, self._archive, name)
            return Content(self._told(name, messages).encode(), file)
        except (zipfile.BadZipFile, OSError) as error:
            raise UnreadableError(f"It cannot be read: {error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ParseError("It is not a day of a Slack export.") from error

    def _told(self, name: str, messages: Sequence[dict[str, Any]]) -> str:
        channel, _, day = name.removesuffix(".json").partition("/")
        lines = [f"# #{channel}, {day}", ""]
        said = [message for message in messages if _is_said(message)]
        replies: dict[str, list[dict[str, Any]]] = {}
        for message in said:
            replies.setdefault(message.get("thread_ts", message["ts"]), []).append(message)
        for thread in replies.values():
            lines += [*self._thread(thread), ""]
        return "\n".join(lines)

    def _thread(self, thread: Sequence[dict[str, Any]]) -> Iterator[str]:
        for message in thread:
            at = datetime.fromtimestamp(float(message["ts"]), UTC)
            speaker = self._names.get(message.get("user", ""), "Someone")
            yield f"**{speaker}** ({at:%H:%M}): {self._plain(message['text'])}\n"

    def _plain(self, text: str) -> str:
        named = _MENTION.sub(lambda match: "@" + self._names.get(match[1], "someone"), text)
        linked = _LINK.sub(lambda match: match[2] or match[1], _CHANNEL.sub(r"#\1", named))
        return linked.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _is_said(message: dict[str, Any]) -> bool:
    """Whether a person said it: no bot, and nobody joining."""
    said = message.get("type") == "message" and message.get("subtype") in {None, "thread_broadcast"}
    return said and bool(message.get("text")) and "bot_id" not in message


def _name(user: dict[str, Any]) -> str:
    profile = user.get("profile", {})
    return str(profile.get("display_name") or profile.get("real_name") or user.get("name") or "Someone")


def _load(archive: zipfile.ZipFile, name: str) -> Any:
    with archive.open(name) as opened:
        data = opened.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"{name} is too large")
    return json.loads(data)
