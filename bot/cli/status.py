"""`almanac status`: what is indexed, what is not, and why."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from bot.cli.console import data, plain, print_json, say
from bot.cli.edge import run
from bot.cli.opening import opened_database
from bot.config import read_settings

if TYPE_CHECKING:
    from datetime import datetime

    from knowledge.status import SourceStatus, Status

EXAMPLES = ("almanac status", "almanac status --json | jq '.sources[].failures'")
NOTHING = "There are no sources yet: almanac sources add PATH/TO/DOCUMENTS"
COLUMNS = ("Documents", "Passages", "Seen", "Indexed", "Unchanged", "Failed", "Removed")
BUILDING = "A new index is being built with {}: {:,} passages so far"
NEVER = "never"
NONE = "-"


def status(
    *, json: Annotated[bool, typer.Option("--json", help="Print it as one line of JSON.")] = False
) -> None:
    """Show what each source holds, and what could not be read.

    Of the last run, seen = indexed + unchanged + failed; removed stands beside. Unseen is a change that
    was noticed and that no run has brought in yet.
    """
    run(_status(as_json=json))


async def _status(*, as_json: bool) -> None:
    from knowledge.status import status as read_status

    async with opened_database(read_settings()) as pool:
        found = await read_status(pool)
    if as_json:
        print_json(asdict(found))
    elif not found.sources:
        say(NOTHING)
    else:
        _show(found)


def _show(found: "Status") -> None:
    table = Table(header_style="bold")
    table.add_column("Source", overflow="fold")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for column in ("State", "Last run", "Next run", "Unseen since"):
        table.add_column(column)
    for source in found.sources:
        counts = (str(getattr(source, column.lower())) for column in COLUMNS)
        moments = (source.finished_at or source.started_at, source.due_at, source.oldest_unseen)
        table.add_row(plain(source.name), *counts, _state(source), *map(_moment, moments))
    data().print(table)
    data().print(plain(f"Embedded with {found.embedder or 'nothing yet: almanac reindex'}", "dim"))
    if found.building:
        data().print(plain(BUILDING.format(found.building.embedder, found.building.passages), "dim"))
    for source in found.sources:
        _show_failures(source)


def _state(source: "SourceStatus") -> str:
    """Return how the last run ended, or how far it is."""
    if source.state == "running":
        return f"{source.indexed + source.unchanged + source.failed} of {source.seen}"
    return "waiting" if source.waiting else source.state or NEVER


def _moment(moment: "datetime | None") -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else NONE


def _show_failures(source: "SourceStatus") -> None:
    if source.error:
        data().print(plain(f"{source.name}: {source.error}", "red"))
    for failure in source.failures:
        data().print(plain(f"{source.name}: {failure.path}: {failure.reason}", "yellow"))
