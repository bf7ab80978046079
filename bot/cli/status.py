"""`almanac status`: what is indexed, what is not, and why."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from bot.cli.console import data, plain, print_json, say
from bot.cli.edge import run
from bot.cli.opening import opened_database
from bot.config import read_settings

if TYPE_CHECKING:
    from knowledge.status import SourceStatus, Status

EXAMPLES = ("almanac status", "almanac status --json | jq '.sources[].failures'")
NOTHING = "There are no sources yet: almanac sources add PATH/TO/DOCUMENTS"
COUNTED = (
    "{0.name}: {0.seen} seen = {0.indexed} indexed + {0.unchanged} unchanged + {0.failed} failed;"
    " {0.removed} removed"
)
UNSEEN = "{}: changed since {}, and not read yet"
BUILDING = "A new index is being built with {}: {:,} passages so far"
DUE = "due"
NEVER = "never"
NONE = "-"


def status(
    *, json: Annotated[bool, typer.Option("--json", help="Print it as one line of JSON.")] = False
) -> None:
    """Show what each source holds, and what could not be read.

    Of the last run, seen = indexed + unchanged + failed, and what is gone was removed. A change that was
    noticed and that no run has brought in yet is named, with its age.
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
    data().print(_table(found))
    for source in found.sources:
        data().print(plain(COUNTED.format(source)))
        if source.oldest_unseen:
            data().print(plain(UNSEEN.format(source.name, _moment(source.oldest_unseen)), "yellow"))
    data().print(plain(f"Embedder: {found.embedder or 'none yet: almanac reindex'}", "dim"))
    if found.building:
        data().print(plain(BUILDING.format(found.building.embedder, found.building.passages), "dim"))
    for source in found.sources:
        _show_failures(source)


def _table(found: "Status") -> Table:
    """Return what each source holds, narrow enough for 80 columns; what its run counted stands below."""
    table = Table(header_style="bold")
    table.add_column("Source", overflow="fold")
    for column in ("Documents", "Passages"):
        table.add_column(column, justify="right")
    for column in ("State", "Last run", "Next run"):
        table.add_column(column)
    for source in found.sources:
        held = (f"{source.documents:,}", f"{source.passages:,}")
        last = source.finished_at or source.started_at
        table.add_row(plain(source.name), *held, _state(source), _moment(last), _due(source.due_at))
    return table


def _state(source: "SourceStatus") -> str:
    """Return how the last run ended, or how far it is."""
    if source.state == "running":
        return f"{source.indexed + source.unchanged + source.failed} of {source.seen}"
    return "waiting" if source.waiting else source.state or NEVER


def _due(moment: datetime | None) -> str:
    return DUE if moment and moment <= datetime.now(UTC) else _moment(moment)


def _moment(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%m-%d %H:%M") if moment else NONE


def _show_failures(source: "SourceStatus") -> None:
    if source.error:
        data().print(plain(f"{source.name}: {source.error}", "red"))
    for failure in source.failures:
        data().print(plain(f"{source.name}: {failure.path}: {failure.reason}", "yellow"))
