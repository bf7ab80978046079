"""Whatever fsspec reaches: object stores, SFTP, archives and more, each through its own driver."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import fsspec
from fsspec.core import url_to_fs

from knowledge.parse import MAX_BYTES, too_large
from knowledge.sources.addresses import check_public, public_client
from knowledge.sources.globs import wanted
from knowledge.sources.origin import (
    Content,
    File,
    GoneError,
    Listing,
    UnreachableError,
    UnreadableError,
    visible,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from fsspec import AbstractFileSystem

    from knowledge.sources.origin import Reach
    from knowledge.sources.registry import Source

# Our optional dependencies, by fsspec's name of the protocol.
EXTRAS = {
    "s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "az": "azure", "abfs": "azure", "abfss": "azure",
    "adl": "azure", "sftp": "sftp", "ssh": "sftp", "github": "github",
}  # fmt: skip
HTTP = frozenset({"http", "https"})
# What stores call a mark of a file's content, the surest first.
MARKS = ("ETag", "etag", "e_tag", "md5Hash", "content_md5", "sha", "checksum", "CRC")
TIMES = ("LastModified", "last_modified", "mtime", "updated", "modified", "timeModified", "created")


@asynccontextmanager
async def open_remote(source: Source, options: dict[str, Any], reach: Reach) -> AsyncIterator[RemoteOrigin]:
    """Open a source through its driver.

    Raises:
        UnreachableError: the driver is not installed, or refuses.
    """
    for part in source.uri.split("::"):
        if urlsplit(part).scheme in HTTP and not reach.private_addresses:
            await check_public(part)
    yield await asyncio.to_thread(_open, source, options, reach)


def _open(source: Source, options: dict[str, Any], reach: Reach) -> RemoteOrigin:
    protocols = [part.partition("://")[0] for part in source.uri.split("::")]
    for protocol in protocols:
        _check_driver(protocol)
    # Of a chain, the options are those of the store at its end.
    given = options if len(protocols) == 1 else {protocols[-1]: options}
    if not reach.private_addresses:  # a public address may lead on to one that is not
        for protocol in HTTP.intersection(protocols):
            given[protocol] = given.get(protocol, {}) | {"get_client": public_client}
    try:
        filesystem, root = url_to_fs(source.uri, **given)
    except Exception as error:  # noqa: BLE001 - drivers raise what they like, and a traceback may show options
        raise UnreachableError(_words(error, reach)) from None
    return RemoteOrigin(source, reach, filesystem, root)


def _check_driver(protocol: str) -> None:
    try:
        fsspec.get_filesystem_class(protocol)
    except ValueError:
        raise UnreachableError(f"There is no kind of source called {protocol}://.") from None
    except ImportError as error:
        extra = EXTRAS.get(protocol)
        remedy = f"pip install 'almanac[{extra}]'" if extra else str(error)
        raise UnreachableError(f"The driver of {protocol}:// is not installed: {remedy}.") from None


class RemoteOrigin:
    """A source behind an fsspec file system."""

    def __init__(self, source: Source, reach: Reach, filesystem: AbstractFileSystem, root: str) -> None:
        self._source, self._reach, self._filesystem = source, reach, filesystem
        self._root = root.rstrip("/")
        self._names: dict[str, str] = {}  # the store's own name of each document, by its URI

    async def list(self) -> Listing:
        """Return the files as the store lists them."""
        try:
            return Listing(await asyncio.to_thread(self._list))
        except Exception as error:  # noqa: BLE001 - drivers raise what they like
            raise UnreachableError(_words(error, self._reach)) from None

    def _list(self) -> Sequence[File]:
        self._filesystem.invalidate_cache()
        found = self._filesystem.find(self._root, detail=True)
        if not found and not self._filesystem.exists(self._root):
            raise FileNotFoundError(self._source.uri)
        files = [self._file(name, info) for name, info in found.items() if info.get("type") == "file"]
        chosen = [file for file in files if wanted(file.path, self._source)]
        return sorted(chosen, key=lambda file: file.path)

    def _file(self, name: str, info: dict[str, Any]) -> File:
        inside = name.removeprefix(self._root).lstrip("/") or name.rpartition("/")[2]
        uri = self._uri(inside) if name.rstrip("/") != self._root else self._source.uri
        self._names[uri] = name
        size = info.get("size") or 0
        mark = next((str(info[key]) for key in MARKS if info.get(key)), None)
        large = too_large(size) if size > MAX_BYTES else None
        return File(uri, visible(inside), size, _moment(info), mark and f"{mark} {size}", large)

    def _uri(self, inside: str) -> str:
        first, *rest = self._source.uri.split("::")
        own = first if first.endswith("/") else f"{first}/"
        return "::".join([own + quote(inside, errors="surrogateescape"), *rest])

    async def read(self, file: File, version: str | None) -> Content:  # noqa: ARG002 - the listing has it
        """Read a file's bytes."""
        try:
            return Content(await asyncio.to_thread(self._read, self._names[file.uri]), file)
        except FileNotFoundError as error:
            raise GoneError from error
        except Exception as error:  # noqa: BLE001 - drivers raise what they like
            raise UnreadableError(_words(error, self._reach)) from None

    def _read(self, name: str) -> bytes:
        with self._filesystem.open(name, "rb") as opened:
            data: bytes = opened.read(MAX_BYTES + 1)  # an archive may hold more than it says
        return data


def _moment(info: dict[str, Any]) -> int:
    """Return when the store says the file last changed, in nanoseconds since the epoch; 0: it does not."""
    try:
        value = next((info[key] for key in TIMES if info.get(key)), None)
        if value is None and (parts := info.get("date_time")):  # a zip's, which may be the 31st of February
            year, month, day, hours, minutes, seconds = parts
            clock = timedelta(hours=hours, minutes=minutes, seconds=seconds)
            value = datetime(year, month, day, tzinfo=UTC) + clock
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            value = value.timestamp()
        return int(value * 1e9) if isinstance(value, int | float) else 0
    except (ValueError, OverflowError):
        return 0


def _words(error: Exception, reach: Reach) -> str:
    said = " ".join(str(error).split())[:300]
    return reach.hide(f"It cannot be read: {type(error).__name__}{': ' + said if said else ''}.")
