"""`almanac reindex`: the index brought up to date, with a bar, and counts that add up."""

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from bot.cli.console import data, plain, print_json, progress_bar, say
from bot.cli.edge import FAILED, CommandError, run
from bot.cli.opening import opened_database, shown
from bot.config import read_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from knowledge.database import Pool
    from knowledge.embed import Embedder
    from knowledge.reports import SourceReport
    from knowledge.sources.origin import Reach

EXAMPLES = ("almanac reindex", "almanac reindex wiki handbook", "almanac reindex --full")
LOADING = "Loading the embedder …"
NO_SOURCES = "There is nothing to index yet: almanac sources add PATH/TO/DOCUMENTS"
COUNTS = ("seen", "indexed", "unchanged", "failed", "removed")


def reindex(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE]...", help="Only these sources.", show_default=False),
    ] = None,
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Read everything anew; of all sources, beside the old index.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as one line of JSON.")] = False,
) -> None:
    """Bring the index up to date with what changed.

    What is unchanged costs nothing, and what is gone disappears. A document that cannot be read is
    named with the reason, and the rest goes on. Where a source cannot be read at all, it exits with 1.
    """
    run(_reindex(names or None, full=full, as_json=json))


async def _reindex(names: list[str] | None, *, full: bool, as_json: bool) -> int:
    from bot import wiring
    from knowledge.sources import list_sources

    settings = read_settings()
    async with opened_database(settings) as pool:
        if not await list_sources(pool):
            raise CommandError(NO_SOURCES)
        async with shown(LOADING, wiring.embedder(settings)) as embedder:
            reach = wiring.reach(settings)
            reports = await reindex_with_bar(pool, embedder, names, full=full, reach=reach)
    if as_json:
        print_json([_as_row(report) for report in reports])
    else:
        data().print(counts_table([_as_row(report) for report in reports]))
    say_failures(reports)
    return FAILED if any(report.error for report in reports) else 0


async def reindex_with_bar(
    pool: "Pool",
    embedder: "Embedder",
    names: list[str] | None = None,
    *,
    full: bool = False,
    reach: "Reach | None" = None,
) -> "list[SourceReport]":
    """Bring sources up to date under a bar for each; answers whose quotes are gone are left to a worker."""
    from knowledge.index import reindex as bring_up_to_date
    from knowledge.jobs import Marker, open_jobs

    async with open_jobs(pool) as jobs:
        mark = Marker(jobs)
        return await _under_bar(
            partial(bring_up_to_date, pool, embedder, names, full=full, reach=reach, defer=mark)
        )


async def _under_bar(reindex: "Callable[..., Awaitable[list[SourceReport]]]") -> "list[SourceReport]":
    with progress_bar() as bar:
        tasks = {}

        def progress(source: str, done: int, total: int) -> None:
            if source not in tasks:
                tasks[source] = bar.add_task(source)
            bar.update(tasks[source], completed=done, total=total)

        return await reindex(progress=progress)


def counts_table(rows: list[dict[str, object]]) -> Table:
    """Return a table of counts, one row a source: seen = indexed + unchanged + failed."""
    table = Table(header_style="bold")
    table.add_column("Source", overflow="fold")
    for count in COUNTS:
        table.add_column(count.capitalize(), justify="right")
    for row in rows:
        table.add_row(plain(str(row["source"])), *(str(row[count]) for count in COUNTS))
    return table


def say_failures(reports: "list[SourceReport]") -> None:
    """Name what could not be read, and why."""
    for report in reports:
        if report.error:
            say(f"{report.source}: {report.error}", "red")
        for failure in report.failures:
            say(f"{report.source}: {failure.path}: {failure.reason}", "yellow")


def _as_row(report: "SourceReport") -> dict[str, object]:
    return {**asdict(report), "failed": report.failed}
