"""`almanac extract`: a text to a record that a schema admits, or a batch of them."""

import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.batch import text_field
from bot.cli.console import print_json, working
from bot.cli.edge import CommandError, run
from bot.cli.opening import opened_schemas, shown
from bot.cli.rows import Rows, run_rows
from bot.cli.show_record import show_record
from bot.config import read_settings

if TYPE_CHECKING:
    from knowledge.database import Pool
    from knowledge.schemas import GivenSchema, Schema

EXAMPLES = (
    "almanac extract incident report.txt",
    'echo "Checkout is down since 14:05" | almanac extract incident - --json | jq .record',
    "almanac extract my-schema.json mail.pdf --date 2026-03-09",
    "almanac extract --batch texts.jsonl --out records.jsonl",
)
LOADING = "Loading the model …"
READING = "Reading …"
USAGE = "Give either a schema and perhaps a file, or --batch with --out."


def extract(
    schema: Annotated[
        str | None, typer.Argument(help="A schema's name, or the path of a JSON Schema.", show_default=False)
    ] = None,
    file: Annotated[
        str | None, typer.Argument(help="The text: a file, or - for stdin.", show_default="-")
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the record as one line of JSON.")] = False,
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="The text's own day; default: today."),
    ] = None,
    batch: Annotated[Path | None, typer.Option(help='Texts: JSON Lines of {"id", "schema", "text"}.')] = None,
    out: Annotated[Path | None, typer.Option(help="Where a batch's records go; those there stay.")] = None,
) -> None:
    """Extract a record from a text: valid against its schema, each value with its place in the text.

    What the text does not state is null. In a batch, "schema" is a name or a whole JSON Schema, and
    "date" the text's own day, if there is one. A batch goes on where it was interrupted; it exits
    with 1 where a row failed, and the row's "error" says why.
    """
    if (schema is None) == (batch is None) or (batch is None) != (out is None):
        raise typer.BadParameter(USAGE)
    reference = day.date() if day else date.today()  # noqa: DTZ011 - the person's own day
    if batch and out:
        return run(_batch(Rows(batch, out), reference))
    return run(_one(schema or "", file or "-", reference, as_json=json))


async def _one(name: str, file: str, reference: date, *, as_json: bool) -> None:
    from bot import wiring

    settings = read_settings()
    async with opened_schemas(settings) as pool:
        schema = await _schema(pool, name)
        text = await _text(file)
        async with shown(LOADING, wiring.extracting(settings, pool)) as extracted:
            with working(READING):
                found = await extracted(schema, text, reference=reference)
    if as_json:
        return print_json(found.as_json())
    return show_record(found)


async def _schema(pool: "Pool", name: str) -> "Schema | GivenSchema":
    """Return a schema of the registry by its name, or one of a file, checked."""
    from grammars.extraction.check import parse_schema
    from knowledge.schemas import find_schema, given_schema, read_schema

    if name.endswith(".json"):
        return await given_schema(parse_schema(read_schema(Path(name))))
    return await find_schema(pool, name)


def _bytes(file: str) -> bytes:
    return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()


async def _text(file: str) -> str:
    """Return a file's text, parsed as documents are.

    Raises:
        CommandError: it cannot be read as text.
    """
    from knowledge.convert import Converter, ParseError
    from knowledge.parse import decode, parse

    try:
        data = _bytes(file)
        if file == "-":
            return decode(data)
        async with Converter.opened() as converter:
            return (await parse(data, file, converter)).text
    except ParseError as error:
        raise CommandError(f"{file} cannot be read: {error}") from None


async def _batch(rows: Rows, reference: date) -> int:
    from bot import wiring
    from grammars.engine.errors import EngineError
    from grammars.extraction.record import ExtractionError
    from knowledge.embed import EmbeddingError
    from knowledge.schemas import SchemaUnknown

    settings = read_settings()
    async with opened_schemas(settings) as pool:
        schemas = _Schemas(pool)
        async with shown(LOADING, wiring.extracting(settings, pool)) as extracted:

            async def work(row: dict[str, Any]) -> dict[str, Any]:
                schema = await schemas.of(row)
                found = await extracted(schema, text_field(row, "text"), reference=_day(row, reference))
                return dict(found.as_json())

            return await run_rows(rows, work, (EngineError, ExtractionError, EmbeddingError, SchemaUnknown))


class _Schemas:
    """The schemas of a batch's rows, each found or checked once."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._known: dict[str, Schema | GivenSchema] = {}

    async def of(self, row: dict[str, Any]) -> "Schema | GivenSchema":
        """Return a row's schema, which is a name or a definition."""
        from json import dumps

        from knowledge.schemas import find_schema, given_schema

        given = row.get("schema")
        if not isinstance(given, dict):
            given = text_field(row, "schema")
        key = given if isinstance(given, str) else dumps(given)
        if key not in self._known:
            if isinstance(given, str):
                self._known[key] = await find_schema(self._pool, given)
            else:
                self._known[key] = await given_schema(given)
        return self._known[key]


def _day(row: dict[str, Any], reference: date) -> date:
    """Return a row's own day.

    Raises:
        RowError: it is none.
    """
    from bot.batch import RowError

    if "date" not in row:
        return reference
    try:
        return date.fromisoformat(str(row["date"])[:10])
    except ValueError:
        raise RowError("`date` must look like 2026-03-09.") from None
