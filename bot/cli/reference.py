"""`python -m bot.cli.reference`: every command's help as Markdown, for docs/cli.md."""

import sys
from collections.abc import Iterator

import typer
from typer.testing import CliRunner

from bot.cli import build_cli

HEAD = """# Commands

<!-- Written by `make docs` from each command's --help; a test fails where the two differ. -->

Data goes to stdout and talk to stderr. The exit code is 0 where it worked, 1 where it failed, 2 where it \
was used wrongly, and 130 after Ctrl-C. [settings.md](settings.md) lists what the environment sets.
"""


def reference() -> str:
    """Return the text of docs/cli.md."""
    return HEAD + "".join(f"\n## {name}\n\n```text\n{text}```\n" for name, text in _helps())


def _helps() -> Iterator[tuple[str, str]]:
    """Yield each command's name and help, in the order of the command line."""
    cli = build_cli()
    yield "almanac", _help(cli, [])
    for path in command_paths(cli):
        yield " ".join(["almanac", *path]), _help(cli, path)


def command_paths(cli: typer.Typer, above: tuple[str, ...] = ()) -> list[list[str]]:
    """Return every command as its words, groups before what is in them."""
    paths = [[*above, command.name or ""] for command in cli.registered_commands]
    for group in cli.registered_groups:
        assert group.typer_instance is not None
        words = (*above, str(group.name))
        paths += [list(words), *command_paths(group.typer_instance, words)]
    return paths


def _help(cli: typer.Typer, path: list[str]) -> str:
    return CliRunner().invoke(cli, [*path, "--help"], prog_name="almanac").stdout


if __name__ == "__main__":
    sys.stdout.write(reference())
