"""Fit what ranks the candidates of a leaf: python -m grammars.tuning.ranker --cases CASES.jsonl … --out FILE.

Cases are `{"schema", "text", "expected", "evidence"}`, evidence being the quoted words by JSON pointer. Each
group of leaves (dates, numbers, …) gets one weight a feature and one for absence: a softmax over a leaf's
candidates and their absence, fitted by maximum likelihood with a little decay. Printed first: accuracy over
leaves and recall of null, each schema's cases ranked by weights that were fitted without that schema, for
several thresholds of what counts as stated; the one that ships is `grammars.extraction.rank.STATED_AT`.

With --replies the embedded model is asked too, and what it says counts as features: they are to be fitted
again for another model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import defaultdict
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from grammars.embedded.loading import minilm, minilm_folder
from grammars.engine import open_engine
from grammars.extraction.ask import ask
from grammars.extraction.asked import Asked
from grammars.extraction.candidates import candidates
from grammars.extraction.features import features, texts
from grammars.extraction.fields import read_fields
from grammars.extraction.layout import Layout
from grammars.extraction.rank import sureness
from grammars.extraction.read import asked_of
from grammars.extraction.record import pointer
from grammars.extraction.rivals import Rivals
from grammars.tuning.softmax import Leaf, fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from grammars.engine.protocol import Engine
    from grammars.extraction.ask import Reply
    from grammars.extraction.candidates import Candidate

REFERENCE = date(2026, 5, 1)
FOLDS = 5
THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5)
_SPANS = ("date", "number")  # groups that are asked under a grammar of their candidates


async def main() -> None:
    """Read the cases, show how well leaving a schema out works, and write the weights of all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=Path, required=True, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--replies", action="store_true")
    arguments = parser.parse_args()
    cases = [json.loads(line) for path in arguments.cases for line in path.read_text().splitlines() if line]
    embed = Embedder()
    groups: dict[str, list[Leaf]] = defaultdict(list)
    async with open_engine("embedded") if arguments.replies else nullcontext() as engine:
        for case in cases:
            for kind, leaf in await _leaves(case, embed, engine):
                groups[kind].append(leaf)
    _show({kind: _left_out(leaves) for kind, leaves in groups.items()})
    fitted = {kind: [round(float(w), 4) for w in fit(leaves)] for kind, leaves in groups.items()}
    arguments.out.write_text(json.dumps(fitted))


class Embedder:
    """MiniLM's sentence vectors: the mean of its states, normalised; each text is embedded once."""

    def __init__(self) -> None:
        from transformers import AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(minilm_folder())
        self._model = minilm().train(mode=False)
        self.rows: dict[str, NDArray[np.float32]] = {}

    def __call__(self, wanted: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return the vectors of texts, and of all that were embedded before."""
        fresh = sorted({*wanted} - self.rows.keys(), key=len)  # of like length together
        for first in range(0, len(fresh), 64):
            part = fresh[first : first + 64]
            batch = self._tokenizer(part, padding=True, truncation=True, max_length=256, return_tensors="pt")
            with torch.inference_mode():
                states = self._model(**batch).last_hidden_state * batch["attention_mask"][..., None]
            unit = torch.nn.functional.normalize(states.sum(1), dim=-1)
            self.rows.update(zip(part, unit.numpy(), strict=True))
        return self.rows


async def _leaves(case: dict[str, Any], embed: Embedder, engine: Engine | None) -> list[tuple[str, Leaf]]:
    """Return the leaves outside arrays, each with its group."""
    layout, title, root = (
        Layout.of(case["text"]),
        str(case["schema"].get("title", "")),
        read_fields(case["schema"]),
    )
    asked = [Asked.of(title, leaf) for leaf in asked_of(root)]
    found = [candidates(one.leaf, layout, REFERENCE) for one in asked]
    replies = await asyncio.gather(
        *(_reply(engine, one, its, case["text"]) for one, its in zip(asked, found, strict=True))
    )
    rivals = Rivals.of(
        asked, embed([t for one, its in zip(asked, found, strict=True) for t in texts(one, layout, its)])
    )
    plain = {leaf.path for leaf in root.leaves() if leaf.kind not in ("array", "other")}
    return [
        (one.kind, _leaf(case, one, its, features(one, layout, its, rivals, reply)))
        for one, its, reply in zip(asked, found, replies, strict=True)
        if one.leaf.path in plain
    ]


def _leaf(case: dict[str, Any], asked: Asked, found: Sequence[Candidate], rows: NDArray[np.float32]) -> Leaf:
    """Return a leaf with what is expected of it."""
    expected = _get(case["expected"], asked.leaf.path)
    evidence = case.get("evidence", {}).get(pointer(asked.leaf.path))
    return Leaf(
        str(case["schema"].get("title", "")),
        rows,
        [_key(candidate.value) for candidate in found],
        _right(found, expected, case["text"], evidence),
        None if expected is None else _key(expected),
        asked.leaf.nullable,
    )


async def _reply(engine: Engine | None, asked: Asked, found: Sequence[Candidate], text: str) -> Reply | None:
    if engine is None or not found:
        return None
    spans = [one.span for one in found] if asked.kind in _SPANS else None
    return await ask(engine, asked.question, text, spans)


def _get(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _key(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return json.dumps(float(value))
    return json.dumps(value.strip().lower() if isinstance(value, str) else value)


def _right(found: Sequence[Candidate], expected: Any, text: str, evidence: str | None) -> NDArray[np.float32]:
    """Mark the candidates of the expected value; where the evidence is known, those that meet it."""
    if expected is None:
        return np.zeros(len(found), np.float32)
    same = [_key(one.value) == _key(expected) for one in found]
    begin = text.find(evidence) if evidence else -1
    end = begin + len(evidence or "")
    there = [
        ok and begin >= 0 and one.start < end and begin < one.end for ok, one in zip(same, found, strict=True)
    ]
    return np.asarray(there if any(there) else same, np.float32)


def _left_out(leaves: Sequence[Leaf]) -> list[tuple[Leaf, str | None, float]]:
    """Return each leaf with its likeliest value and how surely that is stated, its schema left out."""
    schemas = sorted({leaf.schema for leaf in leaves})
    found = []
    for fold in range(FOLDS):
        held = set(schemas[fold::FOLDS])
        weights = fit([leaf for leaf in leaves if leaf.schema not in held])
        found += [(leaf, *_predict(leaf, weights)) for leaf in leaves if leaf.schema in held]
    return found


def _predict(leaf: Leaf, weights: NDArray[np.float32]) -> tuple[str | None, float]:
    if not leaf.values:
        return None, 0.0
    scores = np.append(leaf.features @ weights[:-1], weights[-1])
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    sums: dict[str, float] = defaultdict(float)
    for value, share in zip(leaf.values, shares, strict=False):
        sums[value] += float(share)
    best = max(sums, key=lambda value: sums[value])
    return best, sureness(sums[best], float(shares[-1]))


def _show(groups: dict[str, list[tuple[Leaf, str | None, float]]]) -> None:
    for threshold in THRESHOLDS:
        total = [outcome for outcomes in groups.values() for outcome in outcomes]
        parts = {"all": total, **groups}
        line = "  ".join(f"{kind} {_accuracy(part, threshold)}" for kind, part in parts.items())
        print(f"stated at {threshold}: accuracy/null recall  {line}")


def _accuracy(outcomes: list[tuple[Leaf, str | None, float]], threshold: float) -> str:
    taken = [(leaf, None if sure < threshold and leaf.nullable else value) for leaf, value, sure in outcomes]
    nulls = [value is None for leaf, value in taken if leaf.expected is None and leaf.nullable]
    right = [value == leaf.expected for leaf, value in taken]
    return f"{np.mean(right):.3f}/{np.mean(nulls or [True]):.2f}"


if __name__ == "__main__":
    asyncio.run(main())
