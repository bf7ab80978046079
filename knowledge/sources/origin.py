"""What every origin of documents can do: list what there is, and read one of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class File:
    """A document as its origin lists it; `error` says why it cannot be read at all.

    Attributes:
        path: within the source, with forward slashes; its suffix tells the kind of document.
        size: bytes; 0 where the origin does not say.
        mtime_ns: when the document last changed there, since the epoch; 0 where the origin does not say.
        version: the origin's own mark of this state of the document; None where it has none, and then size
            and time stand for it.
    """

    uri: str
    path: str
    size: int = 0
    mtime_ns: int = 0
    version: str | None = None
    error: str | None = None
    is_folder: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """All that a source holds now.

    Attributes:
        revision: the mark of this state of the whole, where the origin has such marks.
        whole: False where a part of it could not be seen for now: what is not listed is then not known to be
            gone, and stays.
    """

    files: Sequence[File]
    revision: str | None = None
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Content:
    """What was read: the bytes (None: still the version asked about), and the file as it was then."""

    data: bytes | None
    file: File


class Origin(Protocol):
    """An opened source."""

    async def list(self) -> Listing:
        """Return everything there is to index.

        Raises:
            UnreachableError: the source as a whole cannot be read.
        """

    async def read(self, file: File, version: str | None) -> Content:
        """Read a document; `version` is the one that is stored, or None.

        Raises:
            GoneError: it is not there any more.
            UnreadableError: it cannot be read right now; another time it may.
            ParseError: it never can, as it is.
        """


class UnreachableError(Exception):
    """The source cannot be read; the message says why. What is indexed of it stays."""


class UnreadableError(Exception):
    """The document cannot be read right now; the next run tries again."""


class GoneError(Exception):
    """The document was removed after it was listed."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What origins may use, as the settings have it.

    Attributes:
        home: a folder that keeps copies of git repositories between runs; None: they are fetched anew.
        secrets: the values of the settings that sources name as their credentials.
        private_addresses: whether web and git sources may lie on this machine or in a private network.
        slack_exports: whether exports of Slack may be indexed; docs/sources.md says why that is a question.
    """

    home: Path | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    private_addresses: bool = False
    slack_exports: bool = False

    def hide(self, words: str) -> str:
        """Return the words without the value of any secret."""
        for secret in self.secrets.values():
            words = words.replace(secret, "(not shown)") if secret else words
        return words


def visible(path: str) -> str:
    """Return a name in which bytes that are no text are visible escapes."""
    shown = path.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return shown.replace("\0", "\\0")
