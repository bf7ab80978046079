"""`almanac search`: what would be retrieved, and why."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.batch import text_field
from bot.cli.console import print_json, say, working
from bot.cli.edge import run
from bot.cli.opening import opened_index, shown
from bot.cli.rows import Rows, one_of, run_rows
from bot.cli.show import show_retrieved
from bot.config import read_settings

if TYPE_CHECKING:
    from bot.config import Settings
    from knowledge.answers import Retrieved
    from knowledge.audience import Audience
    from knowledge.database import Pool

EXAMPLES = (
    'almanac search "disk pressure" --k 10',
    'almanac search "disk pressure" --as U024BE7LH',
    """almanac search --json "disk pressure" | jq '.retrieved[].uri'""",
    "almanac search --batch questions.jsonl --out retrieved.jsonl",
)
LOADING = "Loading the embedder …"
SEARCHING = "Searching …"
READER = re.compile(r"[UWCGD][A-Z0-9]+")
NO_ID = "Give the id of a person (U024BE7LH) or of a channel (C024BE91L)."


def search(
    query: Annotated[str | None, typer.Argument(help="What to look for.", show_default=False)] = None,
    *,
    k: Annotated[int, typer.Option("--k", min=1, max=100, help="Passages to return.")] = 5,
    reader: Annotated[
        str | None,
        typer.Option("--as", metavar="USER|CHANNEL", help="As for this person or channel of Slack, by id."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the passages as one line of JSON.")] = False,
    batch: Annotated[Path | None, typer.Option(help='Queries: JSON Lines of {"id", "question"}.')] = None,
    out: Annotated[Path | None, typer.Option(help="Where a batch's results go; those there stay.")] = None,
) -> None:
    """Show what would be retrieved, with each stage's score.

    With --as, only what that person, or everyone in that channel, may read; else everything.
    """
    if reader is not None and not READER.fullmatch(reader):
        raise typer.BadParameter(NO_ID, param_hint="--as")
    rows = one_of(query, batch, out)
    run(_batch(rows, k, reader) if rows else _one(query or "", k, reader, as_json=json))


async def _one(query: str, k: int, reader: str | None, *, as_json: bool) -> None:
    from bot import wiring
    from knowledge.documents import line_numbers
    from knowledge.search import search as find

    settings = read_settings()
    async with opened_index(settings) as pool, shown(LOADING, wiring.embedder(settings)) as embedder:
        with working(SEARCHING):
            audience = await _audience(settings, pool, reader)
            found = await find(pool, embedder, query, k=k, audience=audience)
        lines = await line_numbers(pool, [(passage.uri, passage.start) for passage in found])
    if as_json:
        print_json({"question": query, "retrieved": _as_rows(found)})
    else:
        show_retrieved(tuple(found), lines)


async def _batch(rows: Rows, k: int, reader: str | None) -> int:
    from bot import wiring
    from knowledge.embed import EmbeddingError
    from knowledge.search import search as find

    settings = read_settings()
    async with opened_index(settings) as pool, shown(LOADING, wiring.embedder(settings)) as embedder:
        audience = await _audience(settings, pool, reader)

        async def work(row: dict[str, Any]) -> dict[str, Any]:
            found = await find(pool, embedder, text_field(row, "question"), k=k, audience=audience)
            return {"retrieved": _as_rows(found)}

        return await run_rows(rows, work, (EmbeddingError,))


async def _audience(settings: "Settings", pool: "Pool", reader: str | None) -> "Audience | None":
    """Return who would read it, as Slack says; what Slack does not say is said on stderr."""
    from bot import wiring

    if reader is None:
        return None
    readers = await wiring.readers(settings, pool, reader)
    if readers.note:
        say(readers.note, "yellow")
    return readers.audience


def _as_rows(found: "list[Retrieved]") -> list[dict[str, Any]]:
    from dataclasses import asdict

    return [asdict(passage) for passage in found]
