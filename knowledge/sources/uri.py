"""The addresses of sources: what kind each is, and which are refused."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes, urlsplit

SLACK_EXPORT = "slack-export"
GITHUB = "github"
SECRETS = frozenset({"token", "key", "secret", "password", "access_token", "api_key", "sig", "signature"})
CREDENTIAL = (
    "The address holds a password or token, which would be stored and shown. Put it into"
    " ALMANAC_SOURCE_SECRETS under a name, and give that: --secret password=NAME."
)


class Kind(StrEnum):
    """The kinds of sources; each has a module of its own."""

    LOCAL = "local"
    GIT = "git"
    WEB = "web"
    SLACK_EXPORT = "slack-export"
    REMOTE = "remote"


class SourceError(ValueError):
    """The source cannot be added, changed or found; the message says why and what to do."""


def kind_of(uri: str) -> Kind:
    """Return what kind of source a stored URI names."""
    scheme = urlsplit(uri).scheme
    if "::" in uri:
        return Kind.REMOTE
    if scheme == "file":
        return Kind.LOCAL
    if scheme.startswith("git+"):
        return Kind.GIT
    if scheme in {"http", "https"}:
        return Kind.WEB
    return Kind.SLACK_EXPORT if scheme == SLACK_EXPORT else Kind.REMOTE


def normalised(uri: str) -> str:
    """Return the URI as it is stored; a local path becomes `file://…`, and a local zip what is inside it.

    Raises:
        SourceError: there is no such file, or the address holds a credential.
    """
    scheme = urlsplit(uri).scheme if re.match(r"[a-z][a-z0-9+.-]+:", uri) else ""
    if scheme in {"", "file"} and "::" not in uri:
        path = _existing(unquote(urlsplit(uri).path) if scheme else uri)
        return f"zip://::{path.as_uri()}" if path.suffix.lower() == ".zip" else path.as_uri()
    if scheme == SLACK_EXPORT:
        return f"{SLACK_EXPORT}://{_existing(unquote(urlsplit(uri).path)).as_uri().removeprefix('file://')}"
    refuse_credentials(uri)
    return uri


def refuse_credentials(uri: str) -> None:
    """Refuse an address that holds a credential: it would be stored, shown and logged.

    Raises:
        SourceError: it does; the message does not repeat it.
    """
    for part in uri.split("::"):
        split = urlsplit(part)
        named = {pair.partition("=")[0].lower() for pair in split.query.split("&")}
        is_repository = split.scheme == GITHUB  # github://owner:repository@branch holds no password
        if (":" in split.netloc.rpartition("@")[0] and not is_repository) or named & SECRETS:
            raise SourceError(CREDENTIAL)


def local_path(uri: str) -> Path:
    """Return the path of a `file://…` URI."""
    return Path(os.fsdecode(unquote_to_bytes(urlsplit(uri).path)))


def _existing(path: str) -> Path:
    found = Path(path).expanduser().resolve()
    if not found.exists():
        raise SourceError(f"{found} does not exist.")
    return found


def default_name(uri: str) -> str:
    """Return what a source is called where nobody says."""
    bare = uri.partition("#")[0].rstrip("/")
    path = unquote(urlsplit(bare.rpartition("::")[2]).path).rstrip("/")
    last = path.rpartition("/")[2]
    if kind_of(uri) is Kind.WEB:
        return f"{urlsplit(uri).netloc}{path}"
    return last.partition("@")[0].removesuffix(".git") or urlsplit(bare).netloc or bare
