"""Which files of a source are documents to index."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from knowledge.parse import SUFFIXES

if TYPE_CHECKING:
    from knowledge.sources.registry import Source


def wanted(path: str, source: Source) -> bool:
    """Whether the source's globs ask for `path`; without any, its suffix must be of a supported kind."""
    if excluded(path, source):
        return False
    return included(path, source) if source.include else PurePosixPath(path).suffix.lower() in SUFFIXES


def included(path: str, source: Source) -> bool:
    """Whether `path` is one that the source asks for by name, or it asks for none."""
    return not source.include or any(fnmatch(path, glob) for glob in source.include)


def excluded(path: str, source: Source) -> bool:
    """Whether the source leaves `path` out."""
    return any(fnmatch(path, glob) for glob in source.exclude)
