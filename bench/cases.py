"""Questions with their passages, and what came of asking them: the cases of bench/answers.py."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metrics import evidence_quoted

from grammars.answer import write_answer
from grammars.answer.sentences import units
from grammars.engine.protocol import PassageText, Turn
from knowledge.answer import answer
from knowledge.database import migrate, open_pool
from knowledge.index import reindex
from knowledge.server import embedded_server
from knowledge.sources import add_source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from grammars.engine.protocol import Engine
    from knowledge.embed import Embedder

OWN = Path(__file__).parent.parent / "grammars" / "tuning" / "corpus"
LONGEST = 1000  # characters of a dev passage, as the index cuts documents


@dataclass
class Case:
    """One question with the passages it is answered from, and what came of it."""

    question: str
    answerable: bool
    evidence: list[str]
    gold: str
    passages: list[PassageText]
    history: tuple[Turn, ...] = ()
    short: bool = False
    answered: bool = False
    confidence: float = 0.0
    text: str = ""
    quotes: list[str] = field(default_factory=list)
    ms: float = 0.0
    model_ms: float = 0.0  # of these, from the passages to the quotes
    ranks: tuple[bool, bool, bool] = (False, False, False)  # hit@1, hit@5, all evidence found@5
    verbatim: bool = True
    forced: dict[int, list[str]] = field(default_factory=dict)
    nearest: list[str] = field(default_factory=list)
    cosine: float = 0.0


def rows(path: Path, limit: int | None) -> list[dict[str, Any]]:
    """Return the rows of a JSON Lines file, at most `limit`."""
    return [json.loads(line) for line in path.read_text().splitlines() if line][:limit]


def places(data: Path, name: str) -> tuple[Path, Path]:
    """Return the folder of a set's documents, and its questions: the project's own, or those of the data."""
    if (OWN / name).is_dir():
        return OWN / name / "pages", OWN / name / "questions.jsonl"
    return (data / name).resolve(), data / "questions" / f"{name}.jsonl"


async def asked(
    data: Path, name: str, embedder: Embedder, engine: Engine, limit: int | None
) -> AsyncIterator[Case]:
    """Index a set's documents and ask its questions."""
    folder, questions = places(data, name)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        async with embedded_server(Path(home)) as conninfo:
            await migrate(conninfo)
            async with open_pool(conninfo, size=4) as pool:
                await add_source(pool, str(folder), name=name)
                await reindex(pool, embedder)
                for row in rows(questions, limit):
                    yield await _ask(row, folder, lambda q: answer(pool, embedder, engine, q))


async def _ask(row: dict[str, Any], folder: Path, ask: Any) -> Case:
    began = time.perf_counter()
    result = await ask(row["question"])
    ms = 1000 * (time.perf_counter() - began)
    json.loads(json.dumps(result.as_json()))
    path = row.get("path") or ""
    hits = [passage.uri.endswith(path) for passage in result.retrieved] if path else []
    texts = [passage.text for passage in result.retrieved]
    found = bool(row["evidence"]) and all(evidence_quoted([e], texts) for e in row["evidence"])
    return Case(
        row["question"],
        row.get("answerable", bool(row["evidence"])),
        row["evidence"],
        row["answer"],
        [PassageText(p.title, p.heading, p.text) for p in result.retrieved],
        answered=result.answerable,
        confidence=result.confidence or 0.0,
        text=result.answer,
        quotes=[citation.quote for citation in result.citations],
        ms=ms,
        model_ms=result.timings_ms["generate"],
        ranks=(any(hits[:1]), any(hits), found),
        verbatim=all(_verbatim(citation, folder) for citation in result.citations),
    )


def _verbatim(citation: Any, folder: Path) -> bool:
    """Return whether the quote stands in its file at its offsets."""
    from urllib.parse import unquote, urlsplit

    path = Path(unquote(urlsplit(citation.uri).path))
    assert path.is_relative_to(folder)
    text = path.read_text().replace("\r\n", "\n")
    return text[citation.start : citation.end] == citation.quote


async def development(data: Path, engine: Engine, limit: int | None) -> AsyncIterator[Case]:
    """Ask the development questions over the passages that they bring along."""
    for row in rows(data / "qa" / "dev.jsonl", limit):
        if row["answerable"] and not row["evidence"]:
            continue
        evidence = [
            row["passages"][e["passage"]]["text"][e["start"] : e["end"]].strip() for e in row["evidence"]
        ]
        turns = [t for t in row.get("history") or [] if t["text"].strip()]
        history = tuple(Turn("user" if t["speaker"] == "user" else "assistant", t["text"]) for t in turns)
        passages = [cut for p in row["passages"] for cut in _cut(p["title"], p["text"])]
        case = Case(row["question"], row["answerable"], evidence, row["answer"], passages, history)
        case.short = row["kind"] == "span"
        began = time.perf_counter()
        draft = await write_answer(engine, case.question, passages, history)
        case.ms = case.model_ms = 1000 * (time.perf_counter() - began)
        case.answered, case.confidence = draft.answerable, draft.confidence or 0.0
        case.text, case.quotes = draft.answer, [quote.text for quote in draft.quotes]
        yield case


def _cut(title: str, text: str) -> list[PassageText]:
    """Cut a passage at sentences into pieces of at most LONGEST characters."""
    pieces, start, end = [], 0, 0
    for unit in units(text):
        if unit.end - start > LONGEST and end > start:
            pieces.append(text[start:end])
            start = unit.start
        end = unit.end
    pieces.append(text[start:])
    return [PassageText(title, "", piece) for piece in pieces if piece.strip()]
