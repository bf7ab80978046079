"""`almanac search`: what would be retrieved, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.batch import text_field
from bot.cli.console import print_json, working
from bot.cli.edge import run
from bot.cli.opening import opened_index, shown
from bot.cli.rows import Rows, one_of, run_rows
from bot.cli.show import show_retrieved
from bot.config import read_settings

if TYPE_CHECKING:
    from knowledge.answers import Retrieved

EXAMPLES = (
    'almanac search "disk pressure" --k 10',
    """almanac search --json "disk pressure" | jq '.retrieved[].uri'""",
    "almanac search --batch questions.jsonl --out retrieved.jsonl",
)
LOADING = "Loading the embedder …"
SEARCHING = "Searching …"


def search(
    query: Annotated[str | None, typer.Argument(help="What to look for.", show_default=False)] = None,
    *,
    k: Annotated[int, typer.Option("--k", min=1, max=100, help="Passages to return.")] = 5,
    json: Annotated[bool, typer.Option("--json", help="Print the passages as one line of JSON.")] = False,
    batch: Annotated[Path | None, typer.Option(help='Queries: JSON Lines of {"id", "question"}.')] = None,
    out: Annotated[Path | None, typer.Option(help="Where a batch's results go; those there stay.")] = None,
) -> None:
    """Show what would be retrieved, with each stage's score."""
    rows = one_of(query, batch, out)
    run(_batch(rows, k) if rows else _one(query or "", k, as_json=json))


async def _one(query: str, k: int, *, as_json: bool) -> None:
    from bot import wiring
    from knowledge.documents import line_numbers
    from knowledge.search import search as find

    settings = read_settings()
    async with opened_index(settings) as pool, shown(LOADING, wiring.embedder(settings)) as embedder:
        with working(SEARCHING):
            found = await find(pool, embedder, query, k=k)
        lines = await line_numbers(pool, [(passage.uri, passage.start) for passage in found])
    if as_json:
        print_json({"question": query, "retrieved": _as_rows(found)})
    else:
        show_retrieved(tuple(found), lines)


async def _batch(rows: Rows, k: int) -> int:
    from bot import wiring
    from knowledge.embed import EmbeddingError
    from knowledge.search import search as find

    settings = read_settings()
    async with opened_index(settings) as pool, shown(LOADING, wiring.embedder(settings)) as embedder:

        async def work(row: dict[str, Any]) -> dict[str, Any]:
            return {"retrieved": _as_rows(await find(pool, embedder, text_field(row, "question"), k=k))}

        return await run_rows(rows, work, (EmbeddingError,))


def _as_rows(found: "list[Retrieved]") -> list[dict[str, Any]]:
    from dataclasses import asdict

    return [asdict(passage) for passage in found]
