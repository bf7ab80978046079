"""The loss over decisions: each a softmax over what the grammar would admit there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from grammars.tuning.features import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grammars.tuning.features import Features

_POSITIVE = 3.0  # what a sentence that is evidence weighs: there are few


@dataclass(frozen=True)
class Candidates:
    """Candidates of a batch's decisions, as pairs (K, 2) of a decision's number and a place or own token."""

    places: torch.Tensor
    own: torch.Tensor

    @classmethod
    def of(cls, places: Sequence[Sequence[int]], own: Sequence[Sequence[int]]) -> Candidates:
        """Gather them from one list of places and one of own tokens for each decision."""
        return cls(_pairs(places), _pairs(own))

    def mark(self, masks: torch.Tensor, owns: int) -> None:
        """Set them in the masks (D, N + O), of which the last `owns` columns are the own tokens'."""
        masks[tuple(self.places.to(masks.device).T)] = True
        masks[:, masks.shape[1] - owns :][tuple(self.own.to(masks.device).T)] = True


@dataclass(frozen=True)
class Batch:
    """Padded on the right: prompts (B, N), target inputs (B, T); and the decisions (D,) of all rows.

    Attributes:
        rows: (D,), whose decision it is.
        steps: (D,), the decoder's step at which it is taken.
        weights: (D,), in the loss.
        names: of the decisions.
        free: (D,), whether everything is a candidate.
        admitted: the candidates, where not everything is one.
        right: the right ones among them.
        gold: for each row the first places of the sentences that are evidence.
    """

    source: torch.Tensor
    source_mask: torch.Tensor
    target: torch.Tensor
    target_mask: torch.Tensor
    rows: torch.Tensor
    steps: torch.Tensor
    weights: torch.Tensor
    names: list[str]
    free: torch.Tensor
    admitted: Candidates
    right: Candidates
    gold: list[set[int]]


def collate(features: list[Features], *, pad: int, start: int) -> Batch:
    """Return the batch; the decoder's input is the target shifted right behind the start token."""
    decisions = [decision for f in features for decision in f.decisions]
    free = [decision.places == EVERYTHING for decision in decisions]
    bound = [None if f else d for f, d in zip(free, decisions, strict=True)]
    return Batch(
        *_padded([f.prompt for f in features], pad),
        *_padded([[start, *f.target[:-1]] for f in features], pad),
        rows=torch.tensor([row for row, f in enumerate(features) for _ in f.decisions]),
        steps=torch.tensor([decision.step for decision in decisions]),
        weights=torch.tensor([decision.weight for decision in decisions]),
        names=[decision.name for decision in decisions],
        free=torch.tensor(free),
        admitted=Candidates.of([d.places if d else [] for d in bound], [d.own if d else [] for d in bound]),
        right=Candidates.of([d.right_places for d in decisions], [d.right_own for d in decisions]),
        gold=[f.gold for f in features],
    )


def _pairs(lists: Sequence[Sequence[int]]) -> torch.Tensor:
    pairs = [(number, candidate) for number, found in enumerate(lists) for candidate in found]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def _padded(rows: list[list[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    width = -(-max(map(len, rows)) // 32) * 32
    ids = torch.full((len(rows), width), pad)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    lengths = torch.tensor([len(row) for row in rows])
    return ids, (torch.arange(width)[None] < lengths[:, None]).long()


def decision_losses(batch: Batch, pointed: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Return each decision's loss (D,): -log of the share of its right candidates among all candidates.

    Args:
        batch: as collated.
        pointed: (B, T, N) scores of the places.
        own: (B, T, O) scores of the own tokens.
    """
    scores, admitted, right = _candidates(batch, pointed, own)
    floor = torch.finfo(scores.dtype).min
    whole = scores.masked_fill(~admitted, floor).logsumexp(1)
    return whole - scores.masked_fill(~right, floor).logsumexp(1)


def evidence_losses(batch: Batch, scores: torch.Tensor, firsts: torch.Tensor) -> torch.Tensor:
    """Return each row's loss (B,): the binary cross-entropies of its sentences being evidence, summed.

    Args:
        batch: as collated.
        scores: (B, S), of the sentences.
        firsts: (B, S), their first places; 0 where there is no sentence.
    """
    gold = [[float(f in g) for f in row] for row, g in zip(firsts.tolist(), batch.gold, strict=True)]
    losses = torch.nn.functional.binary_cross_entropy_with_logits(
        scores,
        torch.tensor(gold, device=scores.device),
        reduction="none",
        pos_weight=torch.tensor(_POSITIVE, device=scores.device),
    )
    return (losses * (firsts > 0)).sum(1)


def correct(batch: Batch, pointed: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Return (D,) whether each decision's best candidate is a right one."""
    scores, admitted, right = _candidates(batch, pointed, own)
    best = scores.masked_fill(~admitted, -torch.inf).argmax(1)
    return right[torch.arange(len(best), device=best.device), best]


def _candidates(
    batch: Batch, pointed: torch.Tensor, own: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the decisions' scores, which of them are admitted, and which right, each (D, N + O)."""
    rows, steps = batch.rows.to(pointed.device), batch.steps.to(pointed.device)
    scores = torch.cat([pointed[rows, steps], own[rows, steps]], 1)
    admitted = batch.free.to(scores.device)[:, None].repeat(1, scores.shape[1])
    right = torch.zeros_like(admitted)
    batch.admitted.mark(admitted, own.shape[2])
    batch.right.mark(right, own.shape[2])
    return scores, admitted | right, right  # what is no place scores next to nothing
