"""A batch's result as CSV, JSON Lines and a table. Pure."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from grammars.extraction.fields import read_fields
from handlers.extract_card import NONE, leaves, said, table_block
from handlers.rich import rich_text, section, text
from handlers.text import clean, clip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handlers.rich import Block
    from knowledge.batches import Row

MORE = "The first {} of {} records; all of them are in the files."
ERROR = "error"
MOST_ROWS, MOST_CELLS = 99, 8_000  # a table takes 100 rows and 10,000 characters
MOST_COLUMNS = 8  # that people can still read beside each other
LONGEST_CELL = 60
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(definition: Any, rows: Sequence[Row]) -> str:
    """Return a line for each message: its ts and author, then a column for each leaf of the schema.

    A cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    columns = _columns(definition, rows)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["ts", "author", *columns, ERROR])
    for row in rows:
        cells = _cells(definition, row)
        shown = [cells.get(column) for column in columns]
        error = (row.result or {}).get(ERROR)
        writer.writerow([row.ts, row.author or "", *map(_cell, shown), _cell(error)])
    return out.getvalue()


def as_json_lines(rows: Sequence[Row]) -> str:
    """Return a JSON object a line: the message's ts and author, and its extraction."""
    objects = ({"id": row.ts, "author": row.author, **(row.result or {})} for row in rows)
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects)


def as_table(definition: Any, rows: Sequence[Row]) -> list[Block]:
    """Return as much of the result as a table takes, without the columns that nothing stands in."""
    found = [_cells(definition, row) for row in rows]
    stated = (
        name for name in _columns(definition, rows) if any(said(one.get(name)) != NONE for one in found)
    )
    columns = list(stated)[:MOST_COLUMNS]
    if not columns:
        return [rich_text(section(text(MORE.format(0, len(rows)))))]
    shown: list[list[str]] = [[clip(clean(column), LONGEST_CELL) for column in columns]]
    for cells in found[:MOST_ROWS]:
        line = [clip(said(cells.get(column)), LONGEST_CELL) for column in columns]
        if sum(len(cell) for one in [*shown, line] for cell in one) > MOST_CELLS:
            break
        shown.append(line)
    told = MORE.format(len(shown) - 1, len(rows))
    note = [] if len(shown) > len(rows) else [rich_text(section(text(told)))]
    return [table_block(shown), *note]


def _columns(definition: Any, rows: Sequence[Row]) -> list[str]:
    names: dict[str, None] = {}
    for row in rows:
        names |= dict.fromkeys(_cells(definition, row))
    return list(names)


def _cells(definition: Any, row: Row) -> dict[str, Any]:
    record = (row.result or {}).get("record")
    if record is None:
        return {}
    return {label: value for _, label, value, _ in leaves(read_fields(definition), record)}


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return value
    words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{words}" if words.startswith(_FORMULA) else words
