"""`almanac sources`: what is indexed."""

from dataclasses import asdict
from json import loads as json_value
from typing import Annotated, Any

import typer
from rich.table import Table

from bot.cli.console import data, plain, print_json, say
from bot.cli.edge import run
from bot.cli.opening import opened_database
from bot.config import read_settings

ADD_EXAMPLES = (
    "almanac sources add ./docs",
    "almanac sources add ~/wiki --exclude 'drafts/**' --link-base https://wiki.example.com",
    "almanac sources add https://docs.example.com/guide/ --schedule 1h",
    "almanac sources add 'git+https://github.com/org/kb.git@main#subdirectory=docs' --secret password=KB",
    "almanac sources add s3://bucket/docs --secret key=S3_KEY --secret secret=S3_SECRET --audience C024BE91L",
)
EDIT_EXAMPLES = (
    "almanac sources edit wiki --audience S0614TZR7 --schedule '0 3 * * *'",
    "almanac sources edit wiki --everyone",
)
LIST_EXAMPLES = ("almanac sources list", "almanac sources list --json | jq '.[].name'")
REMOVE_EXAMPLES = ("almanac sources remove wiki",)
EVERYONE = "everyone"

Include = Annotated[list[str] | None, typer.Option(help="Only these files; a glob. Repeatable.")]
Exclude = Annotated[list[str] | None, typer.Option(help="Not these files; a glob. Repeatable.")]
LinkBase = Annotated[str | None, typer.Option(help="Where its documents can be opened: an http(s) address.")]
Schedule = Annotated[
    str | None, typer.Option(help="When to look again: 15m, 6h, 1d, a cron expression, or never.")
]
Audience = Annotated[
    list[str] | None,
    typer.Option(help="Who may read it: the id of a channel, user group or person. Repeatable."),
]
HalfLife = Annotated[
    float | None,
    typer.Option(help="Days after which a document counts half, where newer ones are righter. 0: never."),
]
Options = Annotated[
    list[str] | None, typer.Option("--option", help="For its driver: NAME=VALUE. Repeatable.")
]
Secrets = Annotated[
    list[str] | None,
    typer.Option("--secret", help="A credential, by its name in ALMANAC_SOURCE_SECRETS: OPTION=NAME."),
]


def add(
    uri: Annotated[
        str, typer.Argument(help="A path, or an address: git+https:, https:, s3:, gs:, sftp: and more.")
    ],
    *,
    name: Annotated[str | None, typer.Option(help="What to call it; else its own name.")] = None,
    include: Include = None,
    exclude: Exclude = None,
    link_base: LinkBase = None,
    schedule: Schedule = None,
    audience: Audience = None,
    half_life: HalfLife = None,
    option: Options = None,
    secret: Secrets = None,
) -> None:
    """Add a source; a worker then indexes it, or `almanac reindex`. Adding it again changes what is given.

    Without --audience everyone may read a new one.
    """
    given: dict[str, Any] = {
        "name": name,
        "include": include or [],
        "exclude": exclude or [],
        "link_base": link_base,
    }
    driver = {"options": _pairs(option or []), "secrets": _pairs(secret or [])}
    given |= {"schedule": schedule, "audience": audience or None, "half_life_days": half_life or None}
    run(_add(uri, given | driver))


async def _add(uri: str, given: dict[str, Any]) -> None:
    from knowledge.sources import add_source

    async with opened_database(read_settings()) as pool:
        added = await add_source(pool, uri, **given)
    say(f"Added {added.name}: {added.uri}\nIndex it: almanac reindex {added.name}")


def edit(
    source: Annotated[str, typer.Argument(metavar="NAME", help="The source's name, path or URI.")],
    *,
    name: Annotated[str | None, typer.Option(help="Its new name.")] = None,
    include: Include = None,
    exclude: Exclude = None,
    link_base: LinkBase = None,
    schedule: Schedule = None,
    audience: Audience = None,
    everyone: Annotated[bool, typer.Option("--everyone", help="Let everyone read it.")] = False,
    half_life: HalfLife = None,
    option: Options = None,
    secret: Secrets = None,
) -> None:
    """Change a source; what is not given stays. The options of its driver are replaced together."""
    if everyone and audience:
        raise typer.BadParameter("Give either --audience or --everyone.")
    given = {"name": name, "include": include, "exclude": exclude, "link_base": link_base}
    given |= {"schedule": schedule, "audience": audience}
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if everyone:
        changes["audience"] = None
    if half_life is not None:
        changes["half_life_days"] = half_life or None
    if option is not None or secret is not None:
        changes |= {"options": _pairs(option or []), "secrets": _pairs(secret or [])}
    run(_edit(source, changes))


async def _edit(source: str, changes: dict[str, Any]) -> None:
    from knowledge.sources import edit_source

    async with opened_database(read_settings()) as pool:
        changed = await edit_source(pool, source, **changes)
    say(f"Changed {changed.name}: {changed.uri}")


def _pairs(given: list[str]) -> dict[str, Any]:
    """Return NAME=VALUE pairs; a value that is JSON is what it says, such as true or 5."""
    pairs: dict[str, Any] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise typer.BadParameter("An option looks like NAME=VALUE.")
        try:
            pairs[name] = json_value(value)
        except ValueError:
            pairs[name] = value
    return pairs


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
    for column in ("Name", "URI", "Include", "Exclude", "Schedule", "Audience", "Links"):
        table.add_column(column, overflow="fold")
    for source in found:
        filters = (" ".join(source.include), " ".join(source.exclude))
        readers = EVERYONE if source.audience is None else " ".join(source.audience)
        cells = (source.name, source.uri, *filters, source.schedule or "", readers, source.link_base or "")
        table.add_row(*map(plain, cells))
    return data().print(table)


def remove(name: Annotated[str, typer.Argument(help="The source's name, path or URI.")]) -> None:
    """Remove a source, its documents and passages, at once. The files stay."""
    run(_remove(name))


async def _remove(name: str) -> None:
    from knowledge.jobs import Marker, open_jobs
    from knowledge.sources import remove_source

    async with opened_database(read_settings()) as pool, open_jobs(pool) as jobs:
        removed = await remove_source(pool, name, defer=Marker(jobs))
    say(f"Removed {removed.name}: {removed.uri}")
