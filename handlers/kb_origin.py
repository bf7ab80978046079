"""Which addresses an administrator may add from Slack: none that reaches into the bot's own machine.

Who administers a workspace need not be who runs the bot. Its files, tokens among them, are off limits but for
the folders that the setting names; a chain of drivers must not lead there either.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

# What lies elsewhere, and how it is packed.
ELSEWHERE = frozenset(
    {
        "http",
        "https",
        "git+https",
        "s3",
        "s3a",
        "gs",
        "gcs",
        "az",
        "abfs",
        "abfss",
        "adl",
        "github",
        "zip",
        "tar",
    }
)
PACKED = frozenset({"zip", "tar"})

NOT_FROM_HERE = (
    "Documents on my own machine are added there, with `almanac sources add`, or from a folder that"
    " ALMANAC_FOLDERS names."
)
UNKNOWN_KIND = "I can't add {}:// from Slack. Use an https, git+https, s3, gs, az or github address."
EMPTY = "Where are the documents? An address such as https://docs.example.com or git+https://…"


def origin_problem(uri: str, folders: Sequence[Path]) -> str | None:
    """Return why a source cannot be added from Slack, or None."""
    if not uri.strip():
        return EMPTY
    parts = [_part(part) for part in uri.split("::")]
    for number, (scheme, path) in enumerate(parts):
        if scheme in {"", "file", "slack-export"}:
            packing = all(before in PACKED for before, _ in parts[:number])
            if not (packing and _within(path, folders)):
                return NOT_FROM_HERE
        elif scheme not in ELSEWHERE:
            return UNKNOWN_KIND.format(scheme)
    return None if parts[-1][0] not in PACKED else NOT_FROM_HERE


def _part(part: str) -> tuple[str, str]:
    split = urlsplit(part)
    if not split.scheme and not split.netloc:
        return "", part
    return split.scheme.lower(), unquote(split.path)


def _within(path: str, folders: Sequence[Path]) -> bool:
    place = Path(path).expanduser().resolve()
    return any(place.is_relative_to(folder.resolve()) for folder in folders)
