"""A confirmed record as a message: its fields in two columns, what it is based on, and its JSON. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from grammars.extraction.fields import read_fields
from grammars.extraction.record import pointer
from handlers.message import Message, Piece, paginate
from handlers.rich import bullets, link, rich_text, section, text
from handlers.schema_modal_blocks import label_of
from handlers.text import clean, clip, clip_escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from grammars.extraction.fields import Field
    from handlers.rich import Block

    Path = tuple[str | int, ...]

UNSTATED = "Not stated: {}"
EVIDENCE = "What it is based on"
CONFIRMED = " confirmed this record"
BY_ITSELF = "Posted without asking, as this channel is set to"
SOURCE = "the message"
YES, NO, NONE = "Yes", "No", "\u2013"
STEP = " \u203a "

SHORT_JSON = 300  # characters that are shown in the card itself
SHORT_VALUE = 60  # characters; a longer value gets a line of its own
MOST_FIELDS = 10  # of a section
MOST_QUOTES = 12
LONGEST_QUOTE = 200
MOST_ROWS, MOST_COLUMNS, MOST_CELLS = 99, 20, 8_000  # of a table, its heading aside
LONGEST_CELL = 200


def card_messages(
    definition: Any,
    record: Any,
    *,
    title: str,
    quotes: Mapping[str, tuple[str, str | None]],
    person: str | None,
    link_to: str | None,
    model: str,
) -> list[Message]:
    """Return the messages that show a record.

    Args:
        definition: its JSON Schema.
        record: valid.
        title: the schema's.
        quotes: by JSON pointer, the verbatim evidence and a link to the message that it stands in.
        person: who confirmed it; None where nobody was asked.
        link_to: the message that it was made from.
        model: what read it.
    """
    header = {"type": "header", "text": {"type": "plain_text", "text": clip(clean(title), 150) or "Record"}}
    body = [Piece(header, title), *_body(definition, record), *_evidence(definition, record, quotes)]
    footer = [Piece(_signed(person, link_to, model))]
    if (written := json_of(record)) and len(written) <= SHORT_JSON:
        body.append(Piece(rich_text({"type": "rich_text_preformatted", "elements": [text(written)]})))
    return paginate(body, footer)


def json_of(record: Any) -> str:
    """Return the record as JSON."""
    return json.dumps(record, ensure_ascii=False, indent=2)


def leaves(
    field: Field, value: Any, at: Path = (), names: str = ""
) -> Iterator[tuple[Path, str, Any, Field]]:
    """Yield a record's leaves and arrays in the schema's order: path, label, value, field."""
    if not isinstance(value, dict):
        yield at, names or label_of(field), value, field
        return
    members = field.members
    for name in (*(name for name in members if name in value), *(n for n in value if n not in members)):
        child = members.get(name) or _unknown(field, name)
        label = f"{names}{STEP}{label_of(child)}" if names else label_of(child)
        yield from leaves(child, value[name], (*at, name), label)


def _unknown(field: Field, name: str) -> Field:
    return type(field)((*field.path, name), "other", {}, nullable=True, required=False)


def said(value: Any) -> str:
    """Return a scalar as people read it."""
    if isinstance(value, bool):
        return YES if value else NO
    if value is None or value in ("", []):
        return NONE
    return clean(value) if isinstance(value, str) else clean(json.dumps(value, ensure_ascii=False))


def _body(definition: Any, record: Any) -> Iterator[Piece]:
    short, long, unstated = [], [], []
    for _, label, value, field in leaves(read_fields(definition), record):
        if value is None or value in ("", []):
            unstated.append(label)
        elif not isinstance(value, list) and len(said(value)) <= SHORT_VALUE and "\n" not in said(value):
            short.append((label, said(value)))
        else:
            long.append((label, value, field))
    for start in range(0, len(short), MOST_FIELDS):
        yield _columns(short[start : start + MOST_FIELDS])
    tabled = False
    for label, value, field in long:
        table = None if tabled else _table(value, field)
        yield from _long(label, value, table)
        tabled = tabled or table is not None
    if unstated:
        words = clip(UNSTATED.format(", ".join(unstated)), 1_000)
        yield Piece({"type": "context", "elements": [{"type": "plain_text", "text": words, "emoji": False}]})


def _columns(pairs: Sequence[tuple[str, str]]) -> Piece:
    fields = [_mrkdwn(label, value) for label, value in pairs]
    spoken = "\n".join(f"{label}: {value}" for label, value in pairs)
    return Piece({"type": "section", "fields": fields}, spoken)


def _mrkdwn(label: str, value: str) -> Block:
    """Return a field; escaped and verbatim, nothing in it pings or becomes a link."""
    name = clip_escaped(label.replace("*", ""), 200)
    return {"type": "mrkdwn", "text": f"*{name}*\n{clip_escaped(value, 1_000)}", "verbatim": True}


def _long(label: str, value: Any, table: Block | None) -> Iterator[Piece]:
    head = section(text(label, bold=True))
    if table is not None:
        yield Piece(rich_text(head), label)
        yield Piece(table, "\n".join(_line(item) for item in value))
        return
    if isinstance(value, list):
        lines = [_line(item) for item in value]
        for start in range(0, len(lines), 20):
            part = lines[start : start + 20]
            listed = bullets(*(section(text(clip(line, 500))) for line in part))
            yield Piece(rich_text(*([head] if start == 0 else []), listed), "\n".join([label, *part]))
        return
    yield Piece(rich_text(head, section(text(clip(said(value), 2_500)))), f"{label}: {said(value)}")


def _line(item: Any) -> str:
    if not isinstance(item, dict):
        return said(item)
    return " · ".join(said(value) for value in item.values() if value not in (None, "", []))


def _table(value: Any, field: Field) -> Block | None:
    """Return an array of flat objects as a table, where Slack takes one of that size."""
    items = field.items
    if items is None or not items.members or not isinstance(value, list) or len(value) > MOST_ROWS:
        return None
    columns = [
        name for name in items.members if any(isinstance(item, dict) and name in item for item in value)
    ]
    rows = [[clip(said(item.get(name)), LONGEST_CELL) for name in columns] for item in value]
    head = [clip(label_of(items.members[name]), LONGEST_CELL) for name in columns]
    if not 0 < len(columns) <= MOST_COLUMNS or sum(len(cell) for row in rows for cell in row) > MOST_CELLS:
        return None
    return table_block([head, *rows])


def table_block(rows: Sequence[Sequence[str]]) -> Block:
    """Return a table of plain texts; the first row is its heading."""
    cells = [[{"type": "raw_text", "text": cell or NONE} for cell in row] for row in rows]
    return {"type": "table", "rows": cells}


def _evidence(definition: Any, record: Any, quotes: Mapping[str, tuple[str, str | None]]) -> Iterator[Piece]:
    """Yield the quotes that say more than the values themselves, each once, with a link to its message."""
    named: dict[tuple[str, str | None], list[str]] = {}
    for at, label, value, _ in leaves(read_fields(definition), record):
        held = _items(at, label, value) if isinstance(value, list) else [(at, label, value)]
        for path, name, one in held:
            found = quotes.get(pointer(path))
            if found is not None and _adds(found[0], one):
                named.setdefault(found, []).append(name)
    rows = [_quote(", ".join(names), *found) for found, names in list(named.items())[:MOST_QUOTES]]
    if rows:
        yield Piece(rich_text(section(text(EVIDENCE, bold=True)), bullets(*rows)))


def _items(at: Path, label: str, value: list[Any]) -> list[tuple[Path, str, Any]]:
    found: list[tuple[Path, str, Any]] = []
    for number, item in enumerate(value):
        name = f"{label} {number + 1}"
        if isinstance(item, dict):
            found += [((*at, number, key), f"{name}{STEP}{key}", held) for key, held in item.items()]
        else:
            found.append(((*at, number), name, item))
    return found


def _adds(quote: str, value: Any) -> bool:
    return " ".join(quote.split()) != " ".join(said(value).split())


def _quote(label: str, quote: str, url: str | None) -> Block:
    words = clip(" ".join(clean(quote).split()), LONGEST_QUOTE)
    return section(
        text(f"{clip(label, 200)}: "), text("“"), link(url, words) if url else text(words), text("”")
    )


def _signed(person: str | None, link_to: str | None, model: str) -> Block:
    who = [{"type": "user", "user_id": person}, text(CONFIRMED)] if person else [text(BY_ITSELF)]
    runs = [*who, *([text(", from "), link(link_to, SOURCE)] if link_to else [])]
    return rich_text(section(*runs, text(f" · Model: {clip(clean(model), 100)}")))
