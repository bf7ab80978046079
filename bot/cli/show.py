"""How an answer and what was retrieved for it look in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bot.cli.console import data, plain

if TYPE_CHECKING:
    from knowledge.answers import Answer, Citation, Retrieved

PATH_SEPARATOR = " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} "
Lines = dict[tuple[str, int], int]

NO_ANSWER = "What is indexed does not answer this."
NEAREST = "The nearest documents:"
PREVIEW = 160  # characters of a passage that the table shows
NEAREST_SHOWN = 3


def show_answer(answer: Answer, lines: Lines) -> None:
    """Print the answer, then its quotes, each with its document, heading, path and line."""
    if not answer.answerable:
        show_nearest(answer.retrieved)
    else:
        data().print(plain(answer.answer, "bold"))
        for citation in answer.citations:
            _show_citation(citation, lines)
    data().print()
    data().print(Text(footer(answer), style="dim"))


def _show_citation(citation: Citation, lines: Lines) -> None:
    data().print()
    heading = PATH_SEPARATOR.join(part for part in (citation.title, citation.heading) if part)
    data().print(plain(f"[{citation.marker}] ", "cyan") + plain(heading, "bold cyan"))
    data().print(Padding(plain(citation.quote.strip()), (0, 0, 0, 4)))
    at = lines.get((citation.uri, citation.start))
    data().print(Padding(plain(place(citation.uri, at), "dim"), (0, 0, 0, 4)))


def show_nearest(retrieved: tuple[Retrieved, ...]) -> None:
    """Print that there is no answer, and the documents that come nearest."""
    data().print(plain(NO_ANSWER, "bold"))
    if not retrieved:
        return
    data().print()
    data().print(plain(NEAREST))
    nearest = dict.fromkeys((passage.title, passage.uri) for passage in retrieved)
    for title, uri in list(nearest)[:NEAREST_SHOWN]:
        data().print(plain(f"  {title}  ") + plain(place(uri, None), "dim"))


def show_retrieved(retrieved: tuple[Retrieved, ...], lines: Lines) -> None:
    """Print a table of passages, with every stage's score."""
    stages = list(dict.fromkeys(stage for passage in retrieved for stage in passage.scores))
    table = Table(show_lines=True, header_style="bold")
    table.add_column("#", justify="right")
    table.add_column("Passage", overflow="fold")
    for stage in stages:
        table.add_column(stage, justify="right", no_wrap=True)
    for passage in retrieved:
        scores = (f"{passage.scores[stage]:.3f}" if stage in passage.scores else "" for stage in stages)
        table.add_row(str(passage.rank), _passage(passage, lines), *scores)
    data().print(table)


def _passage(passage: Retrieved, lines: Lines) -> Text:
    heading = PATH_SEPARATOR.join(part for part in (passage.title, passage.heading) if part)
    words = " ".join(passage.text.split())
    preview = words if len(words) <= PREVIEW else words[:PREVIEW].rsplit(" ", 1)[0] + " …"
    at = place(passage.uri, lines.get((passage.uri, passage.start)))
    return Text("\n").join([plain(heading, "bold cyan"), plain(preview), plain(at, "dim")])


def places(answer: Answer) -> list[tuple[str, int]]:
    """Return where its quotes and passages begin, as (URI, character offset)."""
    quoted = [(citation.uri, citation.start) for citation in answer.citations]
    return quoted + [(passage.uri, passage.start) for passage in answer.retrieved]


def place(uri: str, line: int | None) -> str:
    """Return `path:line` for a local file, relative to the working directory above it; else the URI."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        path = Path(unquote(parts.path))
        uri = str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    return f"{uri}:{line}" if line else uri


def footer(answer: Answer) -> str:
    """Return one line: who answered, how sure, how fast."""
    said = [answer.model + (f" + {answer.adapter}" if answer.adapter else "")]
    if answer.confidence is not None:
        said.append(f"confidence {answer.confidence:.2f}")
    if "total" in answer.timings_ms:
        said.append(f"{answer.timings_ms['total'] / 1000:.2f} s")
    if answer.truncated:
        said.append("cut at the token budget")
    return " · ".join(said)
