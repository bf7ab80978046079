"""`almanac ask`: an answer in the terminal, or a batch of them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from bot.batch import text_field
from bot.cli.console import print_json, working
from bot.cli.edge import run
from bot.cli.opening import opened_index, shown
from bot.cli.rows import Rows, one_of, run_rows
from bot.cli.show import places, show_answer, show_retrieved
from bot.config import read_settings

EXAMPLES = (
    'almanac ask "How do I mend a crash-looping pod?"',
    'almanac ask --json --k 8 "Who may approve an expense?" | jq .citations',
    "almanac ask --batch questions.jsonl --out answers.jsonl",
)
LOADING = "Loading the model …"
ANSWERING = "Answering …"


def ask(
    question: Annotated[str | None, typer.Argument(help="What you want to know.", show_default=False)] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the answer as one line of JSON.")] = False,
    retrieved: Annotated[
        bool, typer.Option("--retrieved", help="Also show what was retrieved, with each stage's score.")
    ] = False,
    k: Annotated[int, typer.Option("--k", min=1, max=20, help="Passages that the model reads.")] = 5,
    batch: Annotated[Path | None, typer.Option(help='Questions: JSON Lines of {"id", "question"}.')] = None,
    out: Annotated[Path | None, typer.Option(help="Where a batch's answers go; those there stay.")] = None,
) -> None:
    """Answer a question from what is indexed, with verbatim quotes.

    That there is no answer is an answer too, and exits with 0. A batch goes on where it was
    interrupted; it exits with 1 where a row failed, and the row's "error" says why.
    """
    rows = one_of(question, batch, out)
    run(_batch(rows, k) if rows else _one(question or "", k, as_json=json, retrieved=retrieved))


async def _one(question: str, k: int, *, as_json: bool, retrieved: bool) -> None:
    from bot import wiring
    from knowledge.documents import line_numbers

    settings = read_settings()
    async with (
        opened_index(settings) as pool,
        shown(LOADING, wiring.answering(settings, pool, k=k)) as answer,
    ):
        with working(ANSWERING):
            found = await answer(question, history=(), audience=None)
        if as_json:
            return print_json(found.as_json())
        lines = await line_numbers(pool, places(found))
    show_answer(found, lines)
    if retrieved:
        show_retrieved(found.retrieved, lines)
    return None


async def _batch(rows: Rows, k: int) -> int:
    from bot import wiring
    from grammars.engine.errors import EngineError
    from knowledge.embed import EmbeddingError

    settings = read_settings()
    async with (
        opened_index(settings) as pool,
        shown(LOADING, wiring.answering(settings, pool, k=k)) as answer,
    ):

        async def work(row: dict[str, Any]) -> dict[str, Any]:
            asked = text_field(row, "question")
            return (await answer(asked, history=(), audience=None)).as_json()

        return await run_rows(rows, work, (EngineError, EmbeddingError))
