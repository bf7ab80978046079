"""A batch's result as CSV, JSON Lines and a table. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

from grammars.extraction.fields import read_fields
from grammars.extraction.record import pointer
from handlers.extract_card import NONE, leaves, said, table_block
from handlers.rich import rich_text, section, text
from handlers.text import clean, clip

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from handlers.rich import Block
    from knowledge.batches import Row

Cell: TypeAlias = tuple[str, Any]

MORE = "The first {} of {} records; all of them are in the files."
TS, AUTHOR, LINK, ERROR = "ts", "author", "link", "error"
MOST_ROWS, MOST_CELLS = 99, 8_000  # a table takes 100 rows and 10,000 characters
MOST_COLUMNS = 8  # that people can still read beside each other
LONGEST_CELL = 60
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def link_of(row: Row, permalink: str, thread_ts: str | None = None) -> str:
    """Return the link to a row's message, made from the link to any other message of its channel.

    Args:
        row: the message.
        permalink: as `chat.getPermalink` gives it: `…/archives/CHANNEL/pTS`, without the point of the ts.
        thread_ts: of the thread that the message is in, where it is in one.
    """
    channel = permalink.partition("?")[0].rpartition("/p")[0]
    link = f"{channel}/p{row.ts.replace('.', '')}"
    if thread_ts in {None, row.ts}:
        return link
    return f"{link}?thread_ts={thread_ts}&cid={channel.rpartition('/')[2]}"


def as_csv(definition: Any, rows: Sequence[Row], links: Sequence[str]) -> str:
    """Return a line for each message: its ts, author and link, then a column for each leaf of the schema.

    A cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    found = [_cells(definition, row) for row in rows]
    columns = _columns(found)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([TS, AUTHOR, LINK, *map(_cell, columns.values()), ERROR])
    for row, link, cells in zip(rows, links, found, strict=True):
        shown = [cells[at][1] if at in cells else None for at in columns]
        error = (row.result or {}).get(ERROR)
        writer.writerow([row.ts, row.author or "", link, *map(_cell, shown), _cell(error)])
    return out.getvalue()


def as_json_lines(rows: Sequence[Row], links: Sequence[str]) -> str:
    """Return a JSON object a line: the message's ts, author and link, and its extraction.

    That holds, by each leaf's JSON pointer, the words that it came from and their offsets in the message.
    """
    objects = (
        {"id": row.ts, AUTHOR: row.author, LINK: link, **(row.result or {})}
        for row, link in zip(rows, links, strict=True)
    )
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects)


def as_table(definition: Any, rows: Sequence[Row]) -> list[Block]:
    """Return as much of the result as a table takes, without the columns that nothing stands in."""
    found = [_cells(definition, row) for row in rows]
    stated = {at for cells in found for at, (_, value) in cells.items() if said(value) != NONE}
    columns = [(at, heading) for at, heading in _columns(found).items() if at in stated][:MOST_COLUMNS]
    if not columns:
        return [rich_text(section(text(MORE.format(0, len(rows)))))]
    shown: list[list[str]] = [[clip(clean(heading), LONGEST_CELL) for _, heading in columns]]
    for cells in found[:MOST_ROWS]:
        line = [clip(said(cells[at][1]) if at in cells else NONE, LONGEST_CELL) for at, _ in columns]
        if sum(len(cell) for one in [*shown, line] for cell in one) > MOST_CELLS:
            break
        shown.append(line)
    told = MORE.format(len(shown) - 1, len(rows))
    note = [] if len(shown) > len(rows) else [rich_text(section(text(told)))]
    return [table_block(shown), *note]


def _columns(found: Iterable[dict[str, Cell]]) -> dict[str, str]:
    """Return the heading of each column by its JSON pointer, which tells those of one label apart."""
    labels = {at: label for cells in found for at, (label, _) in cells.items()}
    held_by = Counter([*labels.values(), TS, AUTHOR, LINK, ERROR])
    return {at: f"{label} ({at})" if held_by[label] > 1 else label for at, label in labels.items()}


def _cells(definition: Any, row: Row) -> dict[str, Cell]:
    """Return label and value of each leaf, by its JSON pointer."""
    record = (row.result or {}).get("record")
    if record is None:
        return {}
    return {pointer(at): (label, value) for at, label, value, _ in leaves(read_fields(definition), record)}


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return value
    words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{words}" if words.startswith(_FORMULA) else words
