"""`almanac adapters`: which adapter of the model answers."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from bot.cli.console import data, plain, print_json, say
from bot.cli.edge import CommandError, run
from bot.cli.opening import opened_database
from bot.config import REMOTE, Settings, read_settings

if TYPE_CHECKING:
    from knowledge.adapters import Choice

LIST_EXAMPLES = ("almanac adapters list", "almanac adapters list --json | jq '.[].metrics'")
USE_EXAMPLES = ("almanac adapters use support-2026-11", "almanac adapters use --none")
ROLLBACK_EXAMPLES = ("almanac adapters rollback",)

NONE_HERE = "There are no adapters in {folder}: put an adapter's folder there."
NOT_HERE = "There is no adapter {name!r} in {folder}. `almanac adapters list` shows what there is."
OTHER_BASE = "{name} is an adapter of {base}, and the model is {model}."
REMOTE_MODEL = "A model server has adapters of its own: name one as the model in ALMANAC_MODEL."
ONE_OF = "Name an adapter, or say --none for the model as it is."
NOW = "From the next answer on: {adapter}"
BARE = "the model as it is"
SETTING = "what ALMANAC_ADAPTER says"


def list_(*, json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False) -> None:
    """List the adapters under ALMANAC_HOME/adapters, and which one answers."""
    run(_list(as_json=json))


async def _list(*, as_json: bool) -> None:
    from knowledge.adapters import chosen, installed

    settings = read_settings()
    folder = settings.almanac_home / "adapters"
    async with opened_database(settings) as pool:
        choice = await chosen(pool, settings.almanac_model)
    found = installed(folder)
    in_use = choice.adapter if choice else None
    if as_json:
        rows = ((name, one, one.trained.isoformat()) for name, one in found.items())
        return print_json(
            [
                asdict(one) | {"name": name, "trained": day, "in_use": name == in_use}
                for name, one, day in rows
            ]
        )
    if not found:
        return say(NONE_HERE.format(folder=folder))
    table = Table(header_style="bold")
    for column in ("", "Name", "Model", "Trained", "On", "Metrics"):
        table.add_column(column, overflow="fold")
    for name, one in found.items():
        metrics = " ".join(f"{metric} {value:.3g}" for metric, value in one.metrics.items())
        cells = (name, one.base, one.trained.isoformat(), one.data, metrics)
        table.add_row("●" if name == in_use else "", *map(plain, cells))
    return data().print(table)


def use(
    name: Annotated[str | None, typer.Argument(help="A folder's name under ALMANAC_HOME/adapters.")] = None,
    *,
    none: Annotated[bool, typer.Option("--none", help="Use the model as it is.")] = False,
) -> None:
    """Answer with an adapter from now on; every process follows, and answers in the making keep theirs."""
    run(_use(name, none=none))


async def _use(name: str | None, *, none: bool) -> None:
    from knowledge.adapters import choose

    settings = read_settings()
    if none == (name is not None):
        raise CommandError(ONE_OF)
    if name is not None:
        _check(settings, name)
    async with opened_database(settings) as pool:
        await choose(pool, settings.almanac_model, name)
    say(NOW.format(adapter=name or BARE))


def _check(settings: Settings, name: str) -> None:
    """Refuse what could not be used later.

    Raises:
        CommandError: there is no such adapter, or it is one of another model.
    """
    from knowledge.adapters import installed

    folder = settings.almanac_home / "adapters"
    if REMOTE.fullmatch(settings.almanac_model):
        raise CommandError(REMOTE_MODEL)
    manifest = installed(folder).get(name)
    if manifest is None:
        raise CommandError(NOT_HERE.format(name=name, folder=folder))
    if manifest.base != settings.almanac_model:
        raise CommandError(OTHER_BASE.format(name=name, base=manifest.base, model=settings.almanac_model))


def rollback() -> None:
    """Take the last choice back, and answer with the one before."""
    run(_rollback())


async def _rollback() -> None:
    from knowledge.adapters import roll_back

    settings = read_settings()
    async with opened_database(settings) as pool:
        holds = await roll_back(pool, settings.almanac_model)
    say(NOW.format(adapter=_named(holds)))


def _named(choice: "Choice | None") -> str:
    if choice is None:
        return SETTING
    return choice.adapter or BARE
