"""The terminal: data goes to stdout, talk to stderr, and nothing from a document can steer it."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def data() -> Console:
    """Stdout, for results; plain where it is piped."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def talk() -> Console:
    """Stderr, for everything said along the way."""
    return Console(stderr=True, highlight=False)


def say(sentence: str, style: str = "") -> None:
    """Say a sentence on stderr; it is never read as markup."""
    talk().print(plain(sentence, style), soft_wrap=True)


def plain(text: str, style: str = "") -> Text:
    """Return text that shows as it is: no markup, no escape sequence of a document."""
    return Text(CONTROL.sub("\N{REPLACEMENT CHARACTER}", text), style=style)


def print_json(value: Any) -> None:
    """Print one JSON value on one line of stdout; a date becomes ISO 8601."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=_iso) + "\n")


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show that something of more than a moment is going on."""
    with talk().status(plain(what)):
        yield


def progress_bar() -> Progress:
    """A bar on stderr that goes away when it is done."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=talk(),
        transient=True,
    )


def _iso(value: datetime) -> str:
    return value.isoformat()
