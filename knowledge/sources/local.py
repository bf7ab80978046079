"""The files of a local folder: which there are, and which cannot be had and why."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from knowledge.parse import MAX_BYTES, too_large
from knowledge.sources.globs import wanted
from knowledge.sources.origin import Content, File, GoneError, Listing, UnreachableError, UnreadableError
from knowledge.sources.uri import local_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knowledge.sources.registry import Source


class LocalOrigin:
    """A folder or a file of this machine."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def list(self) -> Listing:
        """Return the files as they are now."""
        try:
            return Listing(await asyncio.to_thread(list_files, self._source))
        except OSError as error:
            path = local_path(self._source.uri)
            raise UnreachableError(f"{path} cannot be read: {error.strerror}.") from error

    async def read(self, file: File, version: str | None) -> Content:  # noqa: ARG002 - files have none
        """Read a file's bytes."""
        try:
            return Content(await asyncio.to_thread(_read, local_path(file.uri)), file)
        except FileNotFoundError as error:
            raise GoneError from error
        except OSError as error:
            raise UnreadableError(f"It cannot be read: {error.strerror}.") from error


def list_files(source: Source) -> list[File]:
    """Return the source's files in order of path: of supported kinds, or of those its globs ask for.

    Hidden files and folders are passed over. A link is followed to a file within the source only, so that a
    folder of documents gives away nothing beside it and never loops.

    Raises:
        OSError: the source itself cannot be read.
    """
    root = local_path(source.uri)
    if root.is_file():
        return [_file(root, root.name, root.parent)]
    os.scandir(root).close()
    found = [file for file in _walk(root) if file.is_folder or wanted(file.path, source)]
    return sorted(found, key=lambda file: file.path)


def _read(path: Path) -> bytes:
    with path.open("rb") as opened:  # it may have grown since it was listed
        return opened.read(MAX_BYTES + 1)


def _walk(root: Path) -> Iterator[File]:
    denied: list[OSError] = []
    for folder, folders, names in os.walk(root, onerror=denied.append):
        here = Path(folder)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            if (here / name).is_symlink():
                yield _folder(here / name, root, "A link to a folder is not followed.")
        for name in names:
            if not name.startswith("."):
                yield _file(here / name, _path(here / name, root), root)
    for error in denied:
        yield _folder(Path(error.filename), root, f"The folder cannot be read: {error.strerror}.")


def _folder(location: Path, root: Path, error: str) -> File:
    return File(location.as_uri(), _path(location, root), error=error, is_folder=True)


def _path(location: Path, root: Path) -> str:
    """Return the path within the source; bytes that are no text become visible escapes."""
    return os.fsencode(location.relative_to(root).as_posix()).decode(errors="backslashreplace")


def _file(location: Path, path: str, root: Path) -> File:
    try:
        if location.is_symlink() and not location.resolve(strict=True).is_relative_to(root.resolve()):
            return File(location.as_uri(), path, error="A link out of the source is not followed.")
        if not location.is_file():
            return File(location.as_uri(), path, error="It is no regular file.")
        facts = location.stat()
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that loops
        reason = getattr(error, "strerror", None) or "a link that leads nowhere"
        return File(location.as_uri(), path, error=f"It cannot be read: {reason}.")
    large = too_large(facts.st_size) if facts.st_size > MAX_BYTES else None
    return File(location.as_uri(), path, facts.st_size, facts.st_mtime_ns, error=large)
