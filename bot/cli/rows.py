"""Batches on the command line: which files, a bar on stderr, a sentence at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from bot.batch import RowError, run_batch
from bot.cli.console import progress_bar, say
from bot.cli.edge import FAILED

if TYPE_CHECKING:
    from pathlib import Path

    from bot.batch import Work


@dataclass(frozen=True, slots=True)
class Rows:
    """A batch's files."""

    source: Path
    target: Path


def one_of(question: str | None, batch: Path | None, out: Path | None) -> Rows | None:
    """Return the batch, or None where there is one question; anything else is a mistake in usage."""
    if (question is None) == (batch is None):
        raise typer.BadParameter("Give either one question, or --batch with --out.")
    if (batch is None) != (out is None):
        raise typer.BadParameter("--batch and --out come together.")
    if question is not None and not question.strip():
        raise typer.BadParameter("The question is empty.")
    return Rows(batch, out) if batch and out else None


async def run_rows(rows: Rows, work: Work, expected: tuple[type[Exception], ...]) -> int:
    """Work through a batch under a progress bar; return the exit code."""
    with progress_bar() as bar:
        task = bar.add_task(rows.source.name, total=None)

        def progress(seen: int, total: int) -> None:
            bar.update(task, completed=seen, total=total)

        report = await run_batch(rows.source, rows.target, work, (RowError, *expected), progress)
    say(f"{report.done} done, {report.skipped} there already, {report.failed} failed: {rows.target}")
    return FAILED if report.failed else 0
