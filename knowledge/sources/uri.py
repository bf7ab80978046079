"""The addresses of sources: what kind each is, and which are refused."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes, urlsplit

SLACK_EXPORT = "slack-export"
GITHUB = "github"
# Words in the names of what nobody else may see.
SECRETS = frozenset({
    "apikey", "authorization", "credential", "credentials", "key", "passphrase", "passwd", "password", "sas",
    "secret", "sig", "signature", "token",
})  # fmt: skip
WHEREABOUTS = frozenset({"file", "filename", "path"})  # a key_filename is none itself
CREDENTIAL = (
    "The address holds a password or token, which would be stored and shown. Put it into"
    " ALMANAC_SOURCE_SECRETS under a name, and give that: --secret password=NAME."
)
NO_ADDRESS = "That is no address that can be read."

# Of private_token, X-Amz-Signature and AWSAccessKeyId alike.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


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
        SourceError: it does, or it is no address; the message does not repeat it.
    """
    try:
        holds = any(_holds_credential(part) for part in uri.split("::"))
    except ValueError:
        raise SourceError(NO_ADDRESS) from None
    if holds:
        raise SourceError(CREDENTIAL)


def _holds_credential(part: str) -> bool:
    """Whether a part of a chain does; raises ValueError where it is no address."""
    split = urlsplit(part)
    user = split.netloc.rpartition("@")[0]
    if split.scheme.removeprefix("git+") in {"http", "https"}:
        holds = bool(user)
        _ = split.port  # of user:pass/word@host it is no number
    else:  # github://owner:repository@branch holds no password, and ssh://git@host none either
        holds = ":" in user and split.scheme != GITHUB
    given = re.split("[&;]", f"{split.query}&{split.fragment}")
    return holds or any(names_credential(unquote(pair.partition("=")[0])) for pair in given if "=" in pair)


def names_credential(name: str) -> bool:
    """Whether an option or parameter of that name holds a credential."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in WHEREABOUTS:
        return False
    return not SECRETS.isdisjoint(words) or "connectionstring" in "".join(words)


def setting_of(value: Any) -> str | None:
    """Return the setting that an option names in place of its value: `{"setting": NAME}`."""
    return str(value["setting"]) if isinstance(value, dict) and value.keys() == {"setting"} else None


def local_path(uri: str) -> Path:
    """Return the path of a `file://…` URI."""
    return Path(os.fsdecode(unquote_to_bytes(urlsplit(uri).path)))


def _existing(path: str) -> Path:
    found = Path(path).expanduser().resolve()
    if not found.exists():
        raise SourceError(f"{found} does not exist.")
    return found


def default_name(uri: str) -> str:
    """Return what a source is called where nobody says; never by who logs in."""
    bare = uri.partition("#")[0].rstrip("/")
    split = urlsplit(bare.rpartition("::")[2])
    host = split.netloc if split.scheme == GITHUB else split.netloc.rpartition("@")[2]
    path = unquote(split.path).rstrip("/")
    if kind_of(uri) is Kind.WEB:
        return f"{host}{path}"
    return path.rpartition("/")[2].partition("@")[0].removesuffix(".git") or host or bare
