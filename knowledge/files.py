"""The files of a source: which there are, and which cannot be had and why."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from knowledge.parse import MAX_BYTES, SUFFIXES, too_large

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knowledge.sources import Source


@dataclass(frozen=True, slots=True)
class File:
    """A document's file as the folder lists it; `error` says why it cannot be read at all."""

    location: Path
    path: str  # within the source, with forward slashes
    size: int = 0  # bytes
    mtime_ns: int = 0
    error: str | None = None
    is_folder: bool = False

    @property
    def uri(self) -> str:
        """The document's URI."""
        return self.location.as_uri()


def list_files(source: Source) -> list[File]:
    """Return the source's files in order of path: of supported kinds, or of those its globs ask for.

    Hidden files and folders are passed over. A link is followed to a file within the source only, so that a
    folder of documents gives away nothing beside it and never loops.

    Raises:
        OSError: the source itself cannot be read.
    """
    root = source.path
    if root.is_file():
        return [_file(root, root.name, root.parent)]
    os.scandir(root).close()
    found = [file for file in _walk(root) if file.is_folder or _wanted(file.path, source)]
    return sorted(found, key=lambda file: file.path)


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
    return File(location, _path(location, root), error=error, is_folder=True)


def _path(location: Path, root: Path) -> str:
    """Return the path within the source; bytes that are no text become visible escapes."""
    return os.fsencode(location.relative_to(root).as_posix()).decode(errors="backslashreplace")


def _file(location: Path, path: str, root: Path) -> File:
    try:
        if location.is_symlink() and not location.resolve(strict=True).is_relative_to(root.resolve()):
            return File(location, path, error="A link out of the source is not followed.")
        if not location.is_file():
            return File(location, path, error="It is no regular file.")
        facts = location.stat()
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that loops
        reason = getattr(error, "strerror", None) or "a link that leads nowhere"
        return File(location, path, error=f"It cannot be read: {reason}.")
    large = too_large(facts.st_size) if facts.st_size > MAX_BYTES else None
    return File(location, path, facts.st_size, facts.st_mtime_ns, large)


def _wanted(path: str, source: Source) -> bool:
    if any(fnmatch(path, glob) for glob in source.exclude):
        return False
    if source.include:
        return any(fnmatch(path, glob) for glob in source.include)
    return PurePosixPath(path).suffix.lower() in SUFFIXES
