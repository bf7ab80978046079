"""The console script `almanac`: one module a group of commands, joined here.

Data goes to stdout and talk to stderr; the exit code is 0 where it worked, 1 where it failed, 2 where it was
used wrongly, 130 after Ctrl-C. Nothing heavy is imported before a command runs, so that help comes at once.
"""

import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

import typer

from bot.cli import adapters, ask, demo, doctor, extract, index, processes, schemas, search, sources, status

TAGLINE = "Answers from your own documents, with verbatim quotes, in Slack and in the terminal."
SCHEMAS_HELP = "Add, list, show and remove what records are made by."
ADAPTERS_HELP = "List the model's adapters, and choose which one answers."
SOURCES_HELP = "Add, change, list and remove what is indexed."


def main() -> None:
    """Run the command line; what libraries warn their callers of is not for people."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    build_cli()(prog_name="almanac")


def build_cli() -> typer.Typer:
    """Return the command line."""
    cli = _group(TAGLINE)
    cli.callback()(_almanac)
    _add(cli, "demo", demo.demo, demo.EXAMPLES)
    _add(cli, "ask", ask.ask, ask.EXAMPLES)
    _add(cli, "extract", extract.extract, extract.EXAMPLES)
    cli.add_typer(_schemas(), name="schemas")
    _add(cli, "search", search.search, search.EXAMPLES)
    cli.add_typer(_sources(), name="sources")
    cli.add_typer(_adapters(), name="adapters")
    _add(cli, "reindex", index.reindex, index.EXAMPLES)
    _add(cli, "status", status.status, status.EXAMPLES)
    _add(cli, "migrate", processes.migrate, processes.MIGRATE_EXAMPLES)
    _add(cli, "serve", processes.serve, processes.SERVE_EXAMPLES)
    _add(cli, "worker", processes.worker, processes.WORKER_EXAMPLES)
    _add(cli, "doctor", doctor.doctor, doctor.EXAMPLES)
    return cli


def _adapters() -> typer.Typer:
    group = _group(ADAPTERS_HELP)
    _add(group, "list", adapters.list_, adapters.LIST_EXAMPLES)
    _add(group, "use", adapters.use, adapters.USE_EXAMPLES)
    _add(group, "rollback", adapters.rollback, adapters.ROLLBACK_EXAMPLES)
    return group


def _sources() -> typer.Typer:
    group = _group(SOURCES_HELP)
    _add(group, "add", sources.add, sources.ADD_EXAMPLES)
    _add(group, "edit", sources.edit, sources.EDIT_EXAMPLES)
    _add(group, "list", sources.list_, sources.LIST_EXAMPLES)
    _add(group, "remove", sources.remove, sources.REMOVE_EXAMPLES)
    return group


def _schemas() -> typer.Typer:
    group = _group(SCHEMAS_HELP)
    _add(group, "add", schemas.add, schemas.ADD_EXAMPLES)
    _add(group, "list", schemas.list_, schemas.LIST_EXAMPLES)
    _add(group, "show", schemas.show, schemas.SHOW_EXAMPLES)
    _add(group, "remove", schemas.remove, schemas.REMOVE_EXAMPLES)
    _add(group, "corrections", schemas.corrections, schemas.CORRECTIONS_EXAMPLES)
    return group


def _group(purpose: str) -> typer.Typer:
    return typer.Typer(
        help=purpose,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"max_content_width": 100},
    )


def _add(group: typer.Typer, name: str, command: Callable[..., Any], examples: tuple[str, ...]) -> None:
    """Add a command whose help ends with examples, left as they are written."""
    lines = "\n".join(f"  {example}" for example in examples)
    group.command(name, epilog=f"\b\nExamples:\n{lines}")(command)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"almanac {version('almanac')}")
        raise typer.Exit


def _almanac(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Keep the options that stand before any command."""
