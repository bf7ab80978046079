"""`almanac sources`: what is indexed."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from bot.cli.console import data, plain, print_json, say
from bot.cli.edge import run
from bot.cli.opening import opened_database
from bot.config import read_settings

ADD_EXAMPLES = (
    "almanac sources add ./docs",
    "almanac sources add ~/wiki --exclude 'drafts/**' --link-base https://wiki.example.com",
)
LIST_EXAMPLES = ("almanac sources list", "almanac sources list --json | jq '.[].name'")
REMOVE_EXAMPLES = ("almanac sources remove wiki",)


def add(
    uri: Annotated[str, typer.Argument(help="A folder or a file: a path or a file:// URI.")],
    *,
    name: Annotated[str | None, typer.Option(help="What to call it; else the folder's name.")] = None,
    include: Annotated[list[str] | None, typer.Option(help="Only these files; a glob. Repeatable.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Not these files; a glob. Repeatable.")] = None,
    link_base: Annotated[
        str | None, typer.Option(help="Where its documents can be opened: an http(s) address.")
    ] = None,
) -> None:
    """Add a folder or a file; `almanac reindex` then reads it. Adding it again changes its options."""
    run(_add(uri, name, include or [], exclude or [], link_base))


async def _add(
    uri: str, name: str | None, include: list[str], exclude: list[str], link_base: str | None
) -> None:
    from knowledge.sources import add_source

    async with opened_database(read_settings()) as pool:
        added = await add_source(pool, uri, name=name, include=include, exclude=exclude, link_base=link_base)
    say(f"Added {added.name}: {added.uri}\nIndex it: almanac reindex {added.name}")


def list_(*, json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False) -> None:
    """List what is indexed."""
    run(_list(as_json=json))


async def _list(*, as_json: bool) -> None:
    from knowledge.sources import list_sources

    async with opened_database(read_settings()) as pool:
        found = await list_sources(pool)
    if as_json:
        return print_json([asdict(source) for source in found])
    if not found:
        return say("There are no sources yet: almanac sources add PATH")
    table = Table(header_style="bold")
    for column in ("Name", "URI", "Include", "Exclude", "Links"):
        table.add_column(column, overflow="fold")
    for source in found:
        cells = (source.name, source.uri, " ".join(source.include), " ".join(source.exclude))
        table.add_row(*map(plain, cells), plain(source.link_base or ""))
    return data().print(table)


def remove(name: Annotated[str, typer.Argument(help="The source's name, path or URI.")]) -> None:
    """Remove a source, its documents and passages, at once. The files stay."""
    run(_remove(name))


async def _remove(name: str) -> None:
    from knowledge.sources import remove_source

    async with opened_database(read_settings()) as pool:
        removed = await remove_source(pool, name)
    say(f"Removed {removed.name}: {removed.uri}")
