"""`almanac schemas`: what records are made by."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from bot.cli.console import data, plain, print_json, say
from bot.cli.edge import run
from bot.cli.opening import opened_schemas
from bot.config import read_settings

if TYPE_CHECKING:
    from knowledge.schemas import Schema

ADD_EXAMPLES = ("almanac schemas add incident.json", "almanac schemas add schema.json --name near-miss")
LIST_EXAMPLES = ("almanac schemas list", "almanac schemas list --json | jq '.[].name'")
SHOW_EXAMPLES = ("almanac schemas show incident", "almanac schemas show incident --version 1 > incident.json")
CORRECTIONS_EXAMPLES = ("almanac schemas corrections --out corrections.jsonl",)
REMOVE_EXAMPLES = ("almanac schemas remove near-miss",)

WRITTEN = "Wrote {} training cases: {}"
NO_CORRECTIONS = "No corrections are kept yet. They are where ALMANAC_EXTRACT_LEARN=true."


def add(
    file: Annotated[Path, typer.Argument(help="A JSON Schema, draft 2020-12.", exists=True, dir_okay=False)],
    *,
    name: Annotated[str | None, typer.Option(help="What to call it; else the file's name.")] = None,
) -> None:
    """Check a schema and add it; adding it again makes a new version, where it changed.

    What the grammar cannot enforce is validated afterwards, and named here.
    """
    run(_add(file, name or file.stem.lower()))


async def _add(file: Path, name: str) -> None:
    from grammars.extraction.check import parse_schema
    from knowledge.schemas import add_schema, read_schema

    definition = parse_schema(read_schema(file))
    async with opened_schemas(read_settings()) as pool:
        added = await add_schema(pool, name, definition)
    say(f"Added {added.name}, version {added.version}: {added.title}")
    say(_enforcement(added))


def _enforcement(schema: "Schema") -> str:
    if schema.report["enforced"]:
        return "The grammar enforces all of it."
    return "Validated after generation: " + ", ".join(schema.report["validated"])


def list_(*, json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False) -> None:
    """List the schemas."""
    run(_list(as_json=json))


async def _list(*, as_json: bool) -> None:
    from knowledge.schemas import as_row, list_schemas

    async with opened_schemas(read_settings()) as pool:
        found = await list_schemas(pool)
    if as_json:
        return print_json([as_row(schema) for schema in found])
    table = Table(header_style="bold")
    for column in ("Name", "Version", "Title", "Description"):
        table.add_column(column, overflow="fold")
    for schema in found:
        table.add_row(*map(plain, (schema.name, str(schema.version), schema.title, schema.description)))
    return data().print(table)


def show(
    name: Annotated[str, typer.Argument(help="The schema's name.")],
    *,
    version: Annotated[int | None, typer.Option(help="An older one; default: the newest.")] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON, with what the check found.")
    ] = False,
) -> None:
    """Print a schema as JSON."""
    run(_show(name, version, as_json=json))


async def _show(name: str, version: int | None, *, as_json: bool) -> None:
    from json import dumps

    from knowledge.schemas import as_row, find_schema

    async with opened_schemas(read_settings()) as pool:
        found = await find_schema(pool, name, version)
    if as_json:
        return print_json(as_row(found))
    say(f"{found.name}, version {found.version}: {found.title}. {_enforcement(found)}")
    return data().print(plain(dumps(found.definition, indent=2, ensure_ascii=False)))


def corrections(
    *,
    out: Annotated[Path, typer.Option(help="Where they go; what is there is replaced.", show_default=False)],
) -> None:
    """Write what people corrected in records, as training cases in JSON Lines.

    Each holds the "schema", the "text", the record as "expected", and the words it came from as "evidence":
    what `python -m grammars.tuning.ranker --cases` takes. Corrections are kept where
    ALMANAC_EXTRACT_LEARN is on.
    """
    run(_corrections(out))


async def _corrections(out: Path) -> None:
    from json import dumps

    from knowledge.corrections import list_corrections

    async with opened_schemas(read_settings()) as pool:
        cases = await list_corrections(pool)
    await asyncio.to_thread(out.write_text, "".join(dumps(case) + "\n" for case in cases))
    say(WRITTEN.format(len(cases), out) if cases else NO_CORRECTIONS)


def remove(name: Annotated[str, typer.Argument(help="The schema's name.")]) -> None:
    """Remove a schema from those on offer. Records made by it stay."""
    run(_remove(name))


async def _remove(name: str) -> None:
    from knowledge.schemas import remove_schema

    async with opened_schemas(read_settings()) as pool:
        removed = await remove_schema(pool, name)
    say(f"Removed {removed.name}: {removed.title}")
