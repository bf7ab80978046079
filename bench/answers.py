"""Quality of the answers: python bench/answers.py --data ../shared/data [--sets runbooks handbook dev].

Prints one table a set. For the two question files the documents are indexed first, each over its own, and
every question goes the whole way, from search to resolved citations; `dev` brings its passages along.

- evidence quoted: per answerable question, the share of its evidence texts of which a quote holds half;
- share that is evidence: of all quotes made, those that are (part of) an evidence text or contain one;
- at equal numbers of quotes: the model is made to give exactly one or three, beside as many sentences
  nearest to the question by untrained MiniLM's cosine, over the same passages;
- abstention: AUROC of the confidence, and balanced accuracy at the shipped threshold;
- ECE: of the confidence against answerability (10 bins);
- without its grammar: the same model generating freely, and how much of that is not JSON or not a quote.

Intervals are 95% bootstrap intervals over questions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from metrics import (
    auroc,
    balanced_accuracy,
    calibration_error,
    evidence_quoted,
    interval,
    is_evidence,
    mean_interval,
    percentile,
    token_f1,
)

from grammars.answer import write_answer
from grammars.answer.sentences import statements, units
from grammars.embedded.layout import render
from grammars.embedded.loading import WEIGHTS, load
from grammars.engine.generator import Loaded
from grammars.engine.local import LocalEngine
from grammars.engine.protocol import AnswerPrompt, PassageText, Turn
from knowledge.answer import answer
from knowledge.database import migrate, open_pool
from knowledge.embed import open_embedder
from knowledge.index import reindex
from knowledge.server import embedded_server
from knowledge.sources import add_source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from grammars.engine.protocol import Engine
    from knowledge.embed import Embedder

FOLDERS = {"runbooks": "runbooks", "handbook": "handbook"}
LONGEST = 1000  # characters of a dev passage, as the index cuts documents
FREE_SAMPLE = 60


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
    ranks: tuple[bool, bool, bool] = (False, False, False)  # hit@1, hit@5, all evidence found@5
    verbatim: bool = True
    forced: dict[int, list[str]] = field(default_factory=dict)
    nearest: dict[int, list[str]] = field(default_factory=dict)


async def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=[*FOLDERS, "dev"])
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="trained parts of the embedded model")
    parser.add_argument("--limit", type=int, help="questions of each set, for a quick look")
    arguments = parser.parse_args()
    async with open_embedder("embedded") as embedder, _engine(arguments.weights) as engine:
        for name in arguments.sets:
            cases = (
                [case async for case in _dev(arguments, engine)]
                if name == "dev"
                else [case async for case in _asked(arguments, name, embedder, engine)]
            )
            for case in cases:
                if case.answerable:
                    await _compare(case, engine, embedder)
            _print(name, cases)
    _free(arguments)


def _engine(weights: Path) -> LocalEngine:
    def loaded() -> Loaded:
        model, tokenizer = load(weights)
        return Loaded(model, tokenizer, render)

    return LocalEngine("embedded", loaded, extractive=True)


def _rows(path: Path, limit: int | None) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line][:limit]


async def _asked(
    arguments: argparse.Namespace, name: str, embedder: Embedder, engine: Engine
) -> AsyncIterator[Case]:
    """Index a set's documents and ask its questions."""
    folder = (arguments.data / FOLDERS[name]).resolve()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        async with embedded_server(Path(home)) as conninfo:
            await migrate(conninfo)
            async with open_pool(conninfo, size=4) as pool:
                await add_source(pool, str(folder), name=name)
                await reindex(pool, embedder)
                for row in _rows(arguments.data / "questions" / f"{name}.jsonl", arguments.limit):
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
        row["answerable"],
        row["evidence"],
        row["answer"],
        [PassageText(p.title, p.heading, p.text) for p in result.retrieved],
        answered=result.answerable,
        confidence=result.confidence or 0.0,
        text=result.answer,
        quotes=[citation.quote for citation in result.citations],
        ms=ms,
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


async def _dev(arguments: argparse.Namespace, engine: Engine) -> AsyncIterator[Case]:
    """Ask the development questions over the passages that they bring along."""
    for row in _rows(arguments.data / "qa" / "dev.jsonl", arguments.limit):
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
        case.ms = 1000 * (time.perf_counter() - began)
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


async def _compare(case: Case, engine: Engine, embedder: Embedder) -> None:
    """Give exactly one and three quotes, beside as many sentences by cosine, over the same passages."""
    sentences = [p.text[unit.content : unit.end] for p in case.passages for unit in statements(p.text)]
    sentences = list(dict.fromkeys(sentences))
    if not sentences:
        return
    vectors = await embedder.embed([case.question, *sentences])
    order = np.argsort(-(vectors[1:] @ vectors[0]))
    for count in (1, 3):
        draft = await write_answer(
            engine, case.question, case.passages, case.history, max_quotes=count, min_quotes=count
        )
        case.forced[count] = [quote.text for quote in draft.quotes]
        case.nearest[count] = [sentences[i] for i in order[:count]]


def _print(name: str, cases: Sequence[Case]) -> None:
    yes = [case for case in cases if case.answerable]
    no = [case for case in cases if not case.answerable]
    print(f"\n== {name}: {len(yes)} answerable, {len(no)} not ==")
    if name in FOLDERS:
        for i, what in enumerate(("hit@1", "hit@5", "all evidence found@5")):
            print(f"{what:34} {mean_interval([float(case.ranks[i]) for case in yes])}")
        print(f"{'quotes verbatim at their offsets':34} {np.mean([case.verbatim for case in cases]):.3f}")
    print(f"{'evidence quoted, as answered':34} {mean_interval([_quoted(c, c.quotes) for c in yes])}")
    print(f"{'quotes an answer':34} {np.mean([len(c.quotes) for c in yes if c.answered]):.2f}")
    for count in (1, 3):
        _print_equal(yes, count)
    short = [c for c in yes if c.short]
    if short:
        print(
            f"{'answer F1, short answers':34} {mean_interval([token_f1(_plain(c), c.gold) for c in short])}"
        )
    if no:
        _print_abstention(cases, yes, no)
    times = [case.ms for case in cases]
    print(f"{'ms an answer, p50 and p95':34} {percentile(times, 0.5):.0f} {percentile(times, 0.95):.0f}")


def _plain(case: Case) -> str:
    return case.text.split(" [")[0]


def _quoted(case: Case, quotes: Sequence[str]) -> float:
    return evidence_quoted(case.evidence, quotes) if quotes else 0.0


def _print_equal(yes: Sequence[Case], count: int) -> None:
    ours = [_quoted(case, case.forced.get(count, [])) for case in yes]
    theirs = [_quoted(case, case.nearest.get(count, [])) for case in yes]
    gains = [a - b for a, b in zip(ours, theirs, strict=True)]
    for label, values in (("model", ours), ("cosine", theirs), ("gain", gains)):
        print(f"{f'evidence quoted, {count} of {label}':34} {mean_interval(values)}")
    for label, chosen in (("model", "forced"), ("cosine", "nearest")):
        made = [(c, q) for c in yes for q in getattr(c, chosen).get(count, [])]
        hits = [float(is_evidence(quote, case.evidence)) for case, quote in made]
        print(f"{f'share that is evidence, {label}':34} {mean_interval(hits)}")


def _print_abstention(cases: Sequence[Case], yes: Sequence[Case], no: Sequence[Case]) -> None:
    def balanced(rows: Sequence[int]) -> float:
        gold = [cases[i].answerable for i in rows]
        return (
            balanced_accuracy(gold, [cases[i].answered for i in rows]) if 0 < sum(gold) < len(gold) else 0.5
        )

    low, high = interval(len(cases), balanced)
    print(f"{'abstention AUROC':34} {auroc([c.confidence for c in yes], [c.confidence for c in no]):.3f}")
    print(f"{'abstention balanced accuracy':34} {balanced(range(len(cases))):.3f} [{low:.3f}, {high:.3f}]")
    print(f"{'answered, of the answerable':34} {np.mean([c.answered for c in yes]):.3f}")
    print(f"{'declined, of the unanswerable':34} {np.mean([not c.answered for c in no]):.3f}")
    ece = calibration_error([c.confidence for c in cases], [c.answerable for c in cases])
    print(f"{'ECE':34} {ece:.3f}")


def _free(arguments: argparse.Namespace) -> None:
    """Generate without the grammar on development rows; count what is not JSON, or quoted from nowhere."""
    model, tokenizer = load(arguments.weights)
    rows = [r for r in _rows(arguments.data / "qa" / "dev.jsonl", None) if r["answerable"] and r["evidence"]]
    invalid, quotes, invented = 0, 0, 0
    for row in rows[:FREE_SAMPLE]:
        passages = tuple(PassageText(p["title"], "", p["text"]) for p in row["passages"])
        inputs = tokenizer(render(AnswerPrompt(row["question"], passages)), return_tensors="pt")
        written = model.generate(**inputs, max_new_tokens=256, do_sample=False)
        text = tokenizer.batch_decode(written, skip_special_tokens=True)[0]
        try:
            made = [str(c["quote"]) for c in json.loads(text).get("citations", [])]
        except (ValueError, TypeError, KeyError, AttributeError):
            invalid += 1
            continue
        quotes += len(made)
        invented += sum(not any(quote and quote in p.text for p in passages) for quote in made)
    count = len(rows[:FREE_SAMPLE])
    print(f"\n== without the grammar: {count} answerable development rows ==")
    print(f"{'output that is not valid JSON':34} {invalid / count:.3f}")
    print(f"{'quotes that are not verbatim':34} {invented}/{quotes}")


if __name__ == "__main__":
    asyncio.run(main())
