"""How a record looks in a terminal."""

import json
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from bot.cli.console import data, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knowledge.extraction import Extraction

MISSING = "not stated, and the schema demands it"
LONGEST = 80  # characters of a quote


def show_record(found: "Extraction") -> None:
    """Print a record's leaves, each with the words it came from."""
    table = Table(header_style="bold")
    for column in ("Field", "Value", "In the text"):
        table.add_column(column, overflow="fold")
    for at, value in leaves(found.record):
        evidence = found.evidence.get(at)
        told = MISSING if at in found.missing else " ".join(evidence.quote.split()) if evidence else ""
        shown = "" if value is None else value if isinstance(value, str) else json.dumps(value)
        table.add_row(
            plain(at.strip("/").replace("/", " / ")), plain(shown, "bold"), plain(told[:LONGEST], "dim")
        )
    data().print(table)
    if found.note:
        data().print(plain(found.note))
    version = f" v{found.version}" if found.version else ""
    seconds = found.timings_ms.get("total", 0.0) / 1000
    data().print(Text(f"{found.schema}{version} · {found.model} · {seconds:.2f} s", style="dim"))


def leaves(value: Any, at: str = "") -> "Iterator[tuple[str, Any]]":
    """Yield each leaf with its JSON pointer; an empty object or list is a leaf."""
    if isinstance(value, dict | list) and value:
        members = value.items() if isinstance(value, dict) else enumerate(value)
        for name, member in members:
            yield from leaves(member, f"{at}/{str(name).replace('~', '~0').replace('/', '~1')}")
    else:
        yield at, value
