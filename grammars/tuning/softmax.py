"""Fit a softmax over the candidates of each leaf and their absence, by maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DECAY = 1e-3  # of the squared weights of features at unit variance
STEPS = 150
_FLOOR = 1e-20
_CONSTANT = 1e-4  # the spread from which a feature says something


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


def fit(leaves: Sequence[Leaf]) -> NDArray[np.float32]:
    """Return the weights (F + 1,) of a group; the last is the score of absence."""
    usable = [leaf for leaf in leaves if leaf.usable]
    features = np.concatenate([leaf.features for leaf in usable])  # (N, F), the candidates of all leaves
    spread = features.std(0)
    scale = np.where(spread > _CONSTANT, spread, 1.0)
    counts = torch.tensor([len(leaf.values) for leaf in usable])
    weights = _maximise(
        torch.from_numpy((features / scale).astype(np.float32)),
        torch.arange(len(usable)).repeat_interleave(counts),
        torch.from_numpy(np.concatenate([leaf.right for leaf in usable])),
        torch.tensor([float(leaf.expected is None) for leaf in usable]),
    )
    weights[:-1] /= scale
    return weights


def _maximise(
    inputs: torch.Tensor, leaf: torch.Tensor, right: torch.Tensor, absent: torch.Tensor
) -> NDArray[np.float32]:
    """Return the weights under which the right candidates (N,), or absence (L,), are likeliest.

    Args:
        inputs: features (N, F).
        leaf: which leaf each candidate is of (N,).
        right: 1 where a candidate is right (N,).
        absent: 1 where a leaf is not stated (L,).
    """
    weights = torch.zeros(inputs.shape[-1] + 1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        scores, none = inputs @ weights[:-1], weights[-1].expand(len(absent))
        top = none.detach().scatter_reduce(0, leaf, scores.detach(), "amax")  # for the exponents' sake
        shares, none_share = (scores - top[leaf]).exp(), (none - top).exp()
        every = none_share.scatter_add(0, leaf, shares)
        good = (none_share * absent).scatter_add(0, leaf, shares * right)
        total = (every.log() - (good + _FLOOR).log()).mean() + DECAY * weights.square().sum()
        total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]  # as above
    return np.asarray(weights.detach().numpy(), np.float32)
