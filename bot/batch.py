"""Batches: JSON Lines in, JSON Lines out, a row at a time; an interrupted batch goes on where it was."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Work: TypeAlias = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
Progress: TypeAlias = Callable[[int, int], None]

UNEXPECTED = "This row could not be worked on ({}: {})."

log = logging.getLogger(__name__)


class BatchError(Exception):
    """The batch cannot start; the message names the file and says why."""


class RowError(Exception):
    """One row cannot be worked on; the message becomes its `error`."""


@dataclass(slots=True)
class BatchReport:
    """Counts of rows; those that were in the output before are `skipped`."""

    done: int = 0
    skipped: int = 0
    failed: int = 0


async def run_batch(
    source: Path, target: Path, work: Work, expected: tuple[type[Exception], ...], progress: Progress
) -> BatchReport:
    """Append to `target` one row for each row of `source` whose id is not there yet.

    No row ends the batch: whatever one raises becomes its `error`. Only a database that went away does, for
    that is no fault of the row, which is then worked on the next time.

    Args:
        source: JSON Lines; each row an object with an `id`.
        target: JSON Lines; created where missing, its torn last line removed.
        work: what becomes of a row; its result is written behind the row's `id`.
        expected: what `work` raises for a row that cannot be done: the sentence becomes the row's `error`.
        progress: called with rows seen and rows in all.

    Raises:
        BatchError: a file cannot be read or written.
    """
    lines = _lines(source)
    done = _mend(target)
    report = BatchReport()
    with _appending(target) as out:
        for number, line in enumerate(lines, 1):
            row = _parse(line, number)
            if (key := _key(row)) in done:
                report.skipped += 1
            else:
                done.add(key)
                result = await _attempt(row, work, expected)
                out.write(json.dumps({"id": row["id"], **result}, ensure_ascii=False) + "\n")
                out.flush()
                report.failed += "error" in result
                report.done += "error" not in result
            progress(number, len(lines))
    return report


async def _attempt(row: dict[str, Any], work: Work, expected: tuple[type[Exception], ...]) -> dict[str, Any]:
    if "error" in row:
        return {"error": row["error"]}
    try:
        return await work(row)
    except expected as error:
        return {"error": str(error)}
    except Exception as error:
        if _is_outage(error):
            raise
        log.debug("The row %r failed.", row["id"], exc_info=error)
        return {"error": UNEXPECTED.format(type(error).__name__, " ".join(str(error).split()))}


def _is_outage(error: Exception) -> bool:
    from psycopg import OperationalError
    from psycopg_pool import PoolTimeout

    return isinstance(error, OperationalError | PoolTimeout)


def text_field(row: dict[str, Any], name: str) -> str:
    """Return a row's field that must be a text with something in it.

    Raises:
        RowError: it is missing, empty or something else.
    """
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise RowError(f"`{name}` must be a text that is not empty.")
    return value


def _lines(source: Path) -> list[str]:
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BatchError(f"{source} cannot be read as UTF-8 text: {error}") from None
    return [line for line in text.split("\n") if line.strip()]


def _parse(line: str, number: int) -> dict[str, Any]:
    """A line that is no row becomes one with an error, under an id that names its place."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return {"id": f"row {number}", "error": f"This row is not JSON: {error}."}
    if not isinstance(row, dict) or not isinstance(row.get("id"), str | int):
        return {"id": f"row {number}", "error": "A row is an object with an `id` that is a text or a number."}
    return {name: value for name, value in row.items() if name != "error"}


def _key(row: dict[str, Any]) -> str:
    return json.dumps(row["id"])


def _mend(target: Path) -> set[str]:
    """Return the keys of the rows that are whole; what a crash left of the last line is cut off."""
    try:
        written = target.read_bytes() if target.exists() else b""
        whole = written[: written.rfind(b"\n") + 1]
        if whole != written:
            with target.open("r+b") as file:
                file.truncate(len(whole))
        return _keys(whole.decode().split("\n"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BatchError(
            f"{target} does not hold the rows of an earlier batch ({error!r}): choose another --out."
        ) from None


def _keys(lines: Iterable[str]) -> set[str]:
    return {_key(json.loads(line)) for line in lines if line.strip()}


def _appending(target: Path) -> Any:
    try:
        # Half a character, which JSON admits and UTF-8 does not, is written as JSON's own escape.
        return target.open("a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise BatchError(f"{target} cannot be written: {error}") from None
