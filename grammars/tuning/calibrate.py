"""Choose when to answer.

    python -m grammars.tuning.calibrate --data ../shared/data/qa --more runs/rows --weights runs/reader

The model's score for answering is turned into a probability by two numbers (Platt scaling: scale · score
+ bias), fitted on development questions among five passages each: those of the data, with the evidence in
the passages, with the answering sentences taken out (near misses), or with other passages alone; and those
about documentation, over what search found for them. Both classes weigh the same. The decision falls at one
half. The figures printed are cross-fitted: each half of the questions is judged by numbers fitted on the
other half. Writes `calibration.json` and `reliability.png` beside the weights.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from grammars.embedded.layout import render
from grammars.embedded.loading import load
from grammars.embedded.precision import reading_type
from grammars.engine.protocol import AnswerPrompt
from grammars.tuning.examples import from_row, near_miss
from grammars.tuning.mixture import Pool, among, answer_of
from grammars.tuning.reader import load_pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grammars.tuning.examples import Example

PASSAGES = 5
HALF = 0.5  # the probability above which a question is answered
_PREFIX = '{"answerable":'
_BATCH = 8


def main() -> None:
    """Fit, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--more", type=Path, help="folder with documents-dev.jsonl")
    parser.add_argument("--weights", required=True, type=Path)
    parser.add_argument("--limit", type=int, default=0, help="questions; 0 is all")
    arguments = parser.parse_args()
    cache = arguments.weights / "nearest-dev.json"
    pool = load_pool(arguments.data / "dev.jsonl", arguments.limit, cache, arguments.more)
    examples = list(development(pool))
    calibration = arguments.weights / "calibration.json"
    calibration.write_text(json.dumps({"answer_scale": 1.0, "answer_bias": 0.0}))
    scores = answer_scores(examples, arguments.weights)
    gold = torch.tensor([example.answerable for example in examples])
    scale, bias = fit(scores, gold)
    found = {"answer_scale": scale, "answer_bias": bias}
    calibration.write_text(json.dumps(found, indent=1))
    probabilities = cross_fitted(scores, gold)
    report(examples, probabilities, gold)
    print(f"scale {scale:.3f} bias {bias:.3f}")
    plot(probabilities, gold, arguments.weights / "reliability.png")


def development(pool: Pool) -> Iterator[Example]:
    """Yield each development question answerable, as a near miss, with foreign passages; then documents'."""
    rng = random.Random(7)  # noqa: S311 - sampling, not secrets
    for index, row in enumerate(pool.rows):
        example = from_row(row, rng)
        if example is None:
            continue
        answer = answer_of(example)
        yield among(example, pool, index, rng, answer=answer, count=PASSAGES)
        missed = near_miss(example, ()) if example.answerable else None
        if missed is not None:
            yield among(missed, pool, index, rng, answer=answer, count=PASSAGES)
        if example.span and rng.random() < 0.3:  # noqa: PLR2004 - a share of the questions
            gone = replace(example, passages=(), gold=(), span=None, kind="elsewhere")
            yield among(gone, pool, index, rng, answer=answer, count=PASSAGES)
    for row in pool.documents:
        example = from_row(row, rng)
        if example is not None:
            yield example


@torch.no_grad()
def answer_scores(examples: list[Example], weights: Path) -> torch.Tensor:
    """Return for each example the score of `true` less that of `false` (n,)."""
    loaded, tokenizer = load(weights)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model: Any = loaded  # torch's modules give their parts no types
    model.to(device)
    model.encoder.freeze(reading_type(device))
    start = [model.config.decoder_start_token_id, *tokenizer(_PREFIX)["input_ids"]]
    own = model.own_ids.tolist()
    true, false = own.index(model.config.true_token_id), own.index(model.config.false_token_id)
    prompts = [render(AnswerPrompt(e.question, e.passages, e.history)) for e in examples]
    found = []
    for at in range(0, len(prompts), _BATCH):
        batch = tokenizer(prompts[at : at + _BATCH], padding=True, return_tensors="pt")
        source = model.encoder(batch["input_ids"].to(device), batch["attention_mask"].to(device))
        written = torch.tensor([start] * len(batch["input_ids"]), device=device)
        _, scores, _ = model.score(source, written)
        found.append((scores[:, -1, true] - scores[:, -1, false]).cpu())
    return torch.cat(found)


def fit(scores: torch.Tensor, gold: torch.Tensor) -> tuple[float, float]:
    """Return scale and bias of the class-balanced logistic regression of gold (n,) on scores (n,)."""
    parameters = torch.tensor([1.0, 0.0], requires_grad=True)
    weights = torch.where(gold, 0.5 / gold.float().mean(), 0.5 / (~gold).float().mean())
    optimizer = torch.optim.LBFGS([parameters], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            scores * parameters[0] + parameters[1], gold.float(), weights
        )
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]  # as above
    return parameters[0].item(), parameters[1].item()


def cross_fitted(scores: torch.Tensor, gold: torch.Tensor) -> torch.Tensor:
    """Return probabilities (n,), each half's by what was fitted on the other half."""
    half = torch.arange(len(scores)) // 32 % 2 == 0
    probabilities = torch.empty_like(scores)
    for mine, other in ((half, ~half), (~half, half)):
        scale, bias = fit(scores[other], gold[other])
        probabilities[mine] = torch.sigmoid(scores[mine] * scale + bias)
    return probabilities


def report(examples: list[Example], probabilities: torch.Tensor, gold: torch.Tensor) -> None:
    """Print AUROC, balanced accuracy and calibration error, over all and by kind of unanswerable."""
    documents = torch.tensor([example.kind == "document" for example in examples])
    for kind in sorted({e.kind for e in examples if not e.answerable} - {"document"}):
        chosen = torch.tensor([not e.answerable and e.kind == kind for e in examples])
        _line(kind, probabilities, gold, ~documents & (gold | chosen))
    for name, rows in (("documents", documents), ("all but these", ~documents), ("all", documents | True)):
        _line(name, probabilities, gold, rows)


def _line(name: str, probabilities: torch.Tensor, gold: torch.Tensor, rows: torch.Tensor) -> None:
    p, y = probabilities[rows], gold[rows]
    if y.all() or not y.any():
        return
    wins = (p[y][:, None] > p[~y][None]).float().mean()
    balanced = ((p[y] > HALF).float().mean() + (p[~y] <= HALF).float().mean()) / 2
    print(f"{name:14} n {len(p):4}  AUROC {wins:.3f}  balanced {balanced:.3f}  ECE {_ece(p, y):.3f}")


def _ece(p: torch.Tensor, y: torch.Tensor, bins: int = 10) -> float:
    """Return the expected calibration error with both classes weighing the same (Guo et al. 2017)."""
    weights = torch.where(y, 0.5 / y.float().mean(), 0.5 / (~y).float().mean())
    total = 0.0
    for i in range(bins):
        inside = (p >= i / bins) & (p < (i + 1) / bins + 1e-9)
        if inside.any():
            w = weights[inside]
            total += float(abs((w * p[inside]).sum() - (w * y[inside]).sum()) / weights.sum())
    return total


def plot(p: torch.Tensor, y: torch.Tensor, path: Path) -> None:
    """Draw the reliability diagram, where matplotlib is installed: stated probability against the share."""
    try:
        import matplotlib as mpl
    except ImportError:
        return

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    weights: Any = torch.where(y, 0.5 / y.float().mean(), 0.5 / (~y).float().mean())
    edges = torch.linspace(0, 1, 11)
    figure, axis = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
    axis.plot([0, 1], [0, 1], color="0.7", lw=1)
    points = []
    for low, high in pairwise(edges):
        inside = (p >= low) & (p < high + 1e-9)
        if inside.sum() > 5:  # noqa: PLR2004 - fewer say nothing
            w = weights[inside]
            points.append(((w * p[inside]).sum() / w.sum(), (w * y[inside]).sum() / w.sum()))
    axis.plot([float(a) for a, _ in points], [float(b) for _, b in points], "o-")
    axis.set(
        title="Answerable, as stated and as found", xlabel="stated probability", ylabel="share answerable"
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
