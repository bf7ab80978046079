"""Fit what ranks the candidates of a leaf: python -m grammars.tuning.ranker --cases CASES.jsonl --out FILE.

Cases are `{"schema", "text", "expected", "evidence"}`, evidence being the quoted words by JSON pointer. Each
group of leaves (dates, numbers, …) gets one weight a feature and one for absence: a softmax over a leaf's
candidates and their absence, fitted by maximum likelihood with a little decay. Printed first: accuracy over
leaves and recall of null, each schema's cases ranked by weights that were fitted without that schema, for
several thresholds of absence; the one that ships is `grammars.extraction.rank.ABSENT_AT`.

With --replies the embedded model is asked too, and what it says counts as features.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import defaultdict
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from grammars.embedded.loading import minilm, minilm_folder
from grammars.engine import open_engine
from grammars.extraction.ask import ask
from grammars.extraction.asked import Asked
from grammars.extraction.candidates import candidates, group
from grammars.extraction.features import features, texts
from grammars.extraction.fields import read_fields
from grammars.extraction.layout import Layout
from grammars.extraction.record import pointer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from grammars.engine.protocol import Engine
    from grammars.extraction.ask import Reply
    from grammars.extraction.candidates import Candidate

REFERENCE = date(2026, 5, 1)
DECAY = 1e-3
FOLDS = 5
THRESHOLDS = (0.1, 0.15, 0.2, 0.3, 0.4)
_SPANS = ("date", "number")  # groups that are asked under a grammar of their candidates


@dataclass
class Leaf:
    """One leaf of one case: its candidates' features (C, F), their values, and which are right (C,)."""

    schema: str
    features: NDArray[np.float32]
    values: list[str]
    right: NDArray[np.float32]
    expected: str | None
    nullable: bool

    @property
    def usable(self) -> bool:
        """Whether there is anything to learn from it."""
        return bool(self.values) and (self.expected is None or bool(self.right.any()))


async def main() -> None:
    """Read the cases, show how well leaving a schema out works, and write the weights of all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--replies", action="store_true")
    arguments = parser.parse_args()
    cases = [json.loads(line) for line in arguments.cases.read_text().splitlines() if line]
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
        fresh = [text for text in dict.fromkeys(wanted) if text not in self.rows]
        for first in range(0, len(fresh), 64):
            part = fresh[first : first + 64]
            batch = self._tokenizer(part, padding=True, truncation=True, max_length=256, return_tensors="pt")
            with torch.inference_mode():
                states = self._model(**batch).last_hidden_state * batch["attention_mask"][..., None]
            unit = torch.nn.functional.normalize(states.sum(1), dim=-1)
            self.rows.update(zip(part, unit.numpy(), strict=True))
        return self.rows


async def _leaves(case: dict[str, Any], embed: Embedder, engine: Engine | None) -> list[tuple[str, Leaf]]:
    layout, title = Layout.of(case["text"]), str(case["schema"].get("title", ""))
    asked = [
        Asked.of(title, leaf)
        for leaf in read_fields(case["schema"]).leaves()
        if leaf.kind not in ("array", "other")
    ]
    found = [candidates(one.leaf, layout, REFERENCE) for one in asked]
    replies = await asyncio.gather(
        *(_reply(engine, one, its, case["text"]) for one, its in zip(asked, found, strict=True))
    )
    made = []
    for one, its, reply in zip(asked, found, replies, strict=True):
        vectors = embed(texts(one, layout, its))
        expected = _get(case["expected"], one.leaf.path)
        evidence = case.get("evidence", {}).get(pointer(one.leaf.path))
        right = _right(its, expected, case["text"], evidence)
        values = [_key(candidate.value) for candidate in its]
        key = None if expected is None else _key(expected)
        rows = features(one, layout, its, vectors, reply)
        made.append((group(one.leaf), Leaf(title, rows, values, right, key, one.leaf.nullable)))
    return made


async def _reply(engine: Engine | None, asked: Asked, found: Sequence[Candidate], text: str) -> Reply | None:
    if engine is None or not found:
        return None
    spans = [one.span for one in found] if group(asked.leaf) in _SPANS else None
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


def fit(leaves: Sequence[Leaf]) -> NDArray[np.float32]:
    """Return the weights (F + 1,) of a group; the last is the score of absence."""
    usable = [leaf for leaf in leaves if leaf.usable]
    width, most = usable[0].features.shape[1], max(len(leaf.values) for leaf in usable)
    inputs = np.zeros((len(usable), most + 1, width + 1), np.float32)
    mask = np.full((len(usable), most + 1), -1e9, np.float32)
    right = np.zeros((len(usable), most + 1), np.float32)
    for row, leaf in enumerate(usable):
        count = len(leaf.values)
        inputs[row, :count, :width], mask[row, :count], right[row, :count] = leaf.features, 0, leaf.right
        inputs[row, most, width], mask[row, most], right[row, most] = 1, 0, leaf.expected is None
    scale = inputs[:, :most, :width].reshape(-1, width).std(0) + 1e-6
    inputs[:, :, :width] /= scale
    weights = _maximise(torch.from_numpy(inputs), torch.from_numpy(mask), torch.from_numpy(right))
    weights[:width] /= scale
    return weights


def _maximise(inputs: torch.Tensor, mask: torch.Tensor, right: torch.Tensor) -> NDArray[np.float32]:
    """Maximise the likelihood of the right candidates, inputs being (N, C, F)."""
    weights = torch.zeros(inputs.shape[-1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=150, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        likelihoods = (inputs @ weights + mask).log_softmax(1) + (right + 1e-30).log()
        total = -likelihoods.logsumexp(1).mean() + DECAY * weights.square().sum()
        total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]  # as above
    return np.asarray(weights.detach().numpy(), np.float32)


def _left_out(leaves: Sequence[Leaf]) -> list[tuple[Leaf, str | None, float]]:
    """Return each leaf with its likeliest value and its probability of absence, its schema left out."""
    schemas = sorted({leaf.schema for leaf in leaves})
    found = []
    for fold in range(FOLDS):
        held = set(schemas[fold::FOLDS])
        weights = fit([leaf for leaf in leaves if leaf.schema not in held])
        found += [(leaf, *_predict(leaf, weights)) for leaf in leaves if leaf.schema in held]
    return found


def _predict(leaf: Leaf, weights: NDArray[np.float32]) -> tuple[str | None, float]:
    if not leaf.values:
        return None, 1.0
    scores = np.append(leaf.features @ weights[:-1], weights[-1])
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    sums: dict[str, float] = defaultdict(float)
    for value, share in zip(leaf.values, shares, strict=False):
        sums[value] += float(share)
    return max(sums, key=lambda value: sums[value]), float(shares[-1])


def _show(groups: dict[str, list[tuple[Leaf, str | None, float]]]) -> None:
    for threshold in THRESHOLDS:
        total = [outcome for outcomes in groups.values() for outcome in outcomes]
        parts = {"all": total, **groups}
        line = "  ".join(f"{kind} {_accuracy(part, threshold)}" for kind, part in parts.items())
        print(f"absent at {threshold}: accuracy/null recall  {line}")


def _accuracy(outcomes: list[tuple[Leaf, str | None, float]], threshold: float) -> str:
    taken = [
        (leaf, None if absent >= threshold and leaf.nullable else value) for leaf, value, absent in outcomes
    ]
    nulls = [value is None for leaf, value in taken if leaf.expected is None and leaf.nullable]
    right = [value == leaf.expected for leaf, value in taken]
    return f"{np.mean(right):.3f}/{np.mean(nulls or [True]):.2f}"


if __name__ == "__main__":
    asyncio.run(main())
