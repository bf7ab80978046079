"""Fit what ranks the candidates of a leaf.

    python -m grammars.tuning.ranker --cases CASES.jsonl … --out FILE [--locator FOLDER]

Cases are `{"schema", "text", "expected", "evidence"}`, evidence being the quoted words by JSON pointer. Each
group of leaves (dates, numbers, …) gets one weight a feature and one for absence: a softmax over a leaf's
candidates and their absence, fitted by maximum likelihood with a little decay.

The locator has learnt from most of the cases, and what it says of these says nothing of others. So the plain
features are fitted first, and on the schemas that the locator has not seen, what they come to together is
weighed against what it says (stacking: Wolpert 1992). Printed: accuracy over leaves and recall of null on
these, each schema read by weights that were fitted without it, for several thresholds of what counts as
stated; the one that ships is `grammars.extraction.rank.STATED_AT`.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.progress import track

from grammars.embedded.loading import WEIGHTS, load_locator, minilm, minilm_folder
from grammars.extraction.asked import Asked
from grammars.extraction.candidates import CLAUSES, candidates
from grammars.extraction.features import features, texts
from grammars.extraction.fields import read_fields
from grammars.extraction.layout import Layout
from grammars.extraction.located import COUNT, located_features, pointed
from grammars.extraction.rank import sureness
from grammars.extraction.read import asked_of
from grammars.extraction.record import pointer
from grammars.extraction.rivals import Rivals
from grammars.tuning.examples import read_rows
from grammars.tuning.locator import LEFT_OUT
from grammars.tuning.softmax import Leaf, fit

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from grammars.embedded.locator import Locator
    from grammars.extraction.candidates import Candidate

REFERENCE = date(2026, 5, 1)
FOLDS = 5
THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5)


def main() -> None:
    """Read the cases, show how well leaving a schema out works, and write the weights of all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=Path, required=True, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--locator", type=Path, default=WEIGHTS / "locator")
    arguments = parser.parse_args()
    cases = [case for path in arguments.cases for case in read_rows(path)]
    unseen = set(json.loads((arguments.locator / LEFT_OUT).read_text()))
    embed = Embedder()
    locator = load_locator(embed.model, arguments.locator)
    groups: dict[str, list[Leaf]] = defaultdict(list)
    for case in track(cases, "Cases read"):
        for kind, leaf in _leaves(case, embed, locator, unseen=_title(case) in unseen):
            groups[kind].append(leaf)
    _show({kind: _left_out(leaves, unseen) for kind, leaves in groups.items()})
    fitted = {
        kind: [round(float(weight), 4) for weight in stack(fit(plain(leaves)), among(leaves, unseen))]
        for kind, leaves in groups.items()
    }
    arguments.out.write_text(json.dumps(fitted))


def plain(leaves: Sequence[Leaf]) -> list[Leaf]:
    """Return leaves without what the locator says."""
    return [replace(leaf, features=leaf.features[:, :-COUNT]) for leaf in leaves]


def among(leaves: Sequence[Leaf], schemas: Collection[str]) -> list[Leaf]:
    """Return the leaves of some schemas."""
    return [leaf for leaf in leaves if leaf.schema in schemas]


def stack(weights: NDArray[np.float32], leaves: Sequence[Leaf]) -> NDArray[np.float32]:
    """Return the weights (F + 1,) of all features, given those of the plain ones.

    The score of the plain features, over that of absence, is one feature beside what the locator says.
    """
    scored = [
        replace(
            leaf,
            features=np.c_[
                leaf.features[:, :-COUNT] @ weights[:-1] - weights[-1], leaf.features[:, -COUNT:]
            ].astype(np.float32),
        )
        for leaf in leaves
        if leaf.usable
    ]
    scale, *others = fit(scored)
    stacked = np.concatenate([weights[:-1] * scale, others])
    stacked[0] -= scale * weights[-1]  # the first feature is constant
    return stacked.astype(np.float32)


class Embedder:
    """MiniLM's sentence vectors: the mean of its states, normalised; each text is embedded once."""

    def __init__(self) -> None:
        from transformers import AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(minilm_folder())
        self.model = minilm().train(mode=False)
        self.rows: dict[str, NDArray[np.float32]] = {}

    def __call__(self, wanted: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return the vectors of texts, and of all that were embedded before."""
        fresh = sorted({*wanted} - self.rows.keys(), key=len)  # of like length together
        for first in range(0, len(fresh), 64):
            part = fresh[first : first + 64]
            batch = self._tokenizer(part, padding=True, truncation=True, max_length=256, return_tensors="pt")
            with torch.inference_mode():
                states = self.model(**batch).last_hidden_state * batch["attention_mask"][..., None]
            unit = torch.nn.functional.normalize(states.sum(1), dim=-1)
            self.rows.update(zip(part, unit.numpy(), strict=True))
        return self.rows


def _leaves(
    case: dict[str, Any], embed: Embedder, locator: Locator, *, unseen: bool
) -> list[tuple[str, Leaf]]:
    """Return the leaves outside arrays, each with its group; where the case is unseen, with pointed spans."""
    layout, title, root = Layout.of(case["text"]), _title(case), read_fields(case["schema"])
    asked = [Asked.of(title, leaf) for leaf in asked_of(root)]
    located = locator(title, [one.alone for one in asked], case["text"])
    found = [
        candidates(
            one.leaf,
            layout,
            REFERENCE,
            pointed(located, row, layout) if unseen and one.kind == "free" else (),
        )
        for row, one in enumerate(asked)
    ]
    rivals = Rivals.of(
        asked, embed([t for one, its in zip(asked, found, strict=True) for t in texts(one, layout, its)])
    )
    plain = {leaf.path for leaf in root.leaves() if leaf.kind not in ("array", "other")}
    leaves = []
    for row, (one, its) in enumerate(zip(asked, found, strict=True)):
        if one.leaf.path in plain:
            there = located_features(located, row, its, clauses=one.kind in CLAUSES)
            leaves.append((one.kind, _leaf(case, one, its, features(one, layout, its, rivals, there))))
    return leaves


def _title(case: dict[str, Any]) -> str:
    return str(case["schema"].get("title", ""))


def _leaf(case: dict[str, Any], asked: Asked, found: Sequence[Candidate], rows: NDArray[np.float32]) -> Leaf:
    """Return a leaf with what is expected of it."""
    expected = _get(case["expected"], asked.leaf.path)
    evidence = case.get("evidence", {}).get(pointer(asked.leaf.path))
    return Leaf(
        _title(case),
        rows,
        [_key(candidate.value) for candidate in found],
        _right(found, expected, case["text"], evidence),
        None if expected is None else _key(expected),
        asked.leaf.nullable,
    )


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


def _left_out(leaves: Sequence[Leaf], unseen: set[str]) -> list[tuple[Leaf, str | None, float]]:
    """Return the leaves of the unseen schemas, their likeliest values and how surely these are stated."""
    schemas = sorted(unseen)
    weights = fit(plain([leaf for leaf in leaves if leaf.schema not in unseen]))
    found = []
    for fold in range(FOLDS):
        held = set(schemas[fold::FOLDS])
        stacked = stack(weights, among(leaves, unseen - held))
        found += [(leaf, *_predict(leaf, stacked)) for leaf in among(leaves, held)]
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
    main()
