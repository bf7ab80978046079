"""Quality of the answers: python bench/answers.py --data ../shared/data [--sets runbooks handbook dev].

Prints one table a set. For the two question files, and for the sets under `grammars/tuning/corpus` that
training leaves out (`trams`, `library`), the documents are indexed first, each set's own, and every question
goes the whole way, from search to resolved citations; `dev` brings its passages along.

- evidence quoted: per answerable question, the share of its evidence texts of which a quote holds half;
- share that is evidence: of all quotes made, those that are (part of) an evidence text or contain one;
- at equal numbers of quotes: the model is made to give exactly one or three, beside as many sentences
  nearest to the question by untrained MiniLM's cosine, over the same passages; how long a quote is;
- abstention: AUROC of the confidence, and balanced accuracy at the shipped threshold;
- ECE: of the confidence against answerability (10 bins);
- without its grammar: the same model generating freely, and how much of that is not JSON or not a quote.

Intervals are 95% bootstrap intervals over questions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from cases import Case, asked, development, rows
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
from grammars.answer.sentences import statements
from grammars.embedded.layout import render
from grammars.embedded.loading import WEIGHTS, load
from grammars.embedded.readings import Readings
from grammars.engine.generator import Loaded
from grammars.engine.local import LocalEngine
from grammars.engine.protocol import AnswerPrompt, PassageText
from knowledge.embed import open_embedder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grammars.engine.protocol import Engine
    from knowledge.embed import Embedder

SETS = ("runbooks", "handbook", "trams", "library", "dev")
FREE_SAMPLE = 60


async def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="trained parts of the embedded model")
    parser.add_argument("--limit", type=int, help="questions of each set, for a quick look")
    arguments = parser.parse_args()
    read = Readings()
    async with (
        open_embedder("embedded", readings=read) as embedder,
        _engine(arguments.weights, read) as engine,
    ):
        for name in arguments.sets:
            cases = (
                [case async for case in development(arguments.data, engine, arguments.limit)]
                if name == "dev"
                else [case async for case in asked(arguments.data, name, embedder, engine, arguments.limit)]
            )
            for case in cases:
                await _nearest(case, embedder)
                if case.answerable:
                    await _force(case, engine)
            _print(name, cases)
    _free(arguments)


def _engine(weights: Path, readings: Readings) -> LocalEngine:
    def loaded() -> Loaded:
        model, tokenizer = load(weights, readings)
        return Loaded(model, tokenizer, render)

    return LocalEngine("embedded", loaded, extractive=True)


async def _nearest(case: Case, embedder: Embedder) -> None:
    """Note the sentences nearest to the question by untrained MiniLM's cosine, over the same passages."""
    sentences = [p.text[unit.content : unit.end] for p in case.passages for unit in statements(p.text)]
    sentences = list(dict.fromkeys(sentences))
    if sentences:
        vectors = await embedder.embed([case.question, *sentences])
        cosines = vectors[1:] @ vectors[0]
        case.nearest = [sentences[i] for i in np.argsort(-cosines)]
        case.cosine = float(cosines.max())


async def _force(case: Case, engine: Engine) -> None:
    """Have the model give exactly one and three quotes."""
    for count in (1, 3):
        draft = await write_answer(
            engine, case.question, case.passages, case.history, max_quotes=count, min_quotes=count
        )
        case.forced[count] = [quote.text for quote in draft.quotes]


def _print(name: str, cases: Sequence[Case]) -> None:
    yes = [case for case in cases if case.answerable]
    no = [case for case in cases if not case.answerable]
    print(f"\n== {name}: {len(yes)} answerable, {len(no)} not ==")
    if name != "dev":
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
    for label, times in (("", [c.ms for c in cases]), (", its passages given", [c.model_ms for c in cases])):
        name = f"ms{label}, p50 and p95"
        print(f"{name:34} {percentile(times, 0.5):.0f} {percentile(times, 0.95):.0f}")


def _plain(case: Case) -> str:
    return case.text.split(" [")[0]


def _quoted(case: Case, quotes: Sequence[str]) -> float:
    return evidence_quoted(case.evidence, quotes) if quotes else 0.0


def _print_equal(yes: Sequence[Case], count: int) -> None:
    ours = [_quoted(case, case.forced.get(count, [])) for case in yes]
    theirs = [_quoted(case, case.nearest[:count]) for case in yes]
    gains = [a - b for a, b in zip(ours, theirs, strict=True)]
    for label, values in (("model", ours), ("cosine", theirs), ("gain", gains)):
        print(f"{f'evidence quoted, {count} of {label}':34} {mean_interval(values)}")
    made = {
        "model": [(case, quote) for case in yes for quote in case.forced.get(count, [])],
        "cosine": [(case, quote) for case in yes for quote in case.nearest[:count]],
    }
    for label, quotes in made.items():
        hits = [float(is_evidence(quote, case.evidence)) for case, quote in quotes]
        print(f"{f'share that is evidence, {label}':34} {mean_interval(hits)}")
        print(f"{f'characters a quote, {label}':34} {np.mean([len(quote) for _, quote in quotes]):.0f}")


def _print_abstention(cases: Sequence[Case], yes: Sequence[Case], no: Sequence[Case]) -> None:
    def balanced(rows: Sequence[int]) -> float:
        gold = [cases[i].answerable for i in rows]
        return (
            balanced_accuracy(gold, [cases[i].answered for i in rows]) if 0 < sum(gold) < len(gold) else 0.5
        )

    low, high = interval(len(cases), balanced)
    baseline = auroc([c.cosine for c in yes], [c.cosine for c in no])
    print(f"{'abstention AUROC, best cosine':34} {baseline:.3f}")
    print(f"{'abstention AUROC':34} {auroc([c.confidence for c in yes], [c.confidence for c in no]):.3f}")
    print(f"{'abstention balanced accuracy':34} {balanced(range(len(cases))):.3f} [{low:.3f}, {high:.3f}]")
    print(f"{'answered, of the answerable':34} {np.mean([c.answered for c in yes]):.3f}")
    print(f"{'declined, of the unanswerable':34} {np.mean([not c.answered for c in no]):.3f}")
    ece = calibration_error([c.confidence for c in cases], [c.answerable for c in cases])
    print(f"{'ECE':34} {ece:.3f}")


def _free(arguments: argparse.Namespace) -> None:
    """Generate without the grammar on development rows; count what is not JSON, or quoted from nowhere."""
    model, tokenizer = load(arguments.weights)
    known = rows(arguments.data / "qa" / "dev.jsonl", None)
    asked_for = [row for row in known if row["answerable"] and row["evidence"]][:FREE_SAMPLE]
    invalid, quotes, invented = 0, 0, 0
    for row in asked_for:
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
    count = len(asked_for)
    print(f"\n== without the grammar: {count} answerable development rows ==")
    print(f"{'output that is not valid JSON':34} {invalid / count:.3f}")
    print(f"{'quotes that are not verbatim':34} {invented}/{quotes}")


if __name__ == "__main__":
    asyncio.run(main())
