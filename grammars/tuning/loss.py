"""The loss over decisions: each a softmax over what the grammar would admit there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from grammars.tuning.features import Decision, Features

_POSITIVE = 3.0  # what a sentence that is evidence weighs: there are few


@dataclass(frozen=True)
class Batch:
    """Padded on the right: prompts (B, N), target inputs (B, T); and whose decisions are whose.

    `gold` holds for each row the first places of the sentences that are evidence.
    """

    source: torch.Tensor
    source_mask: torch.Tensor
    target: torch.Tensor
    target_mask: torch.Tensor
    decisions: list[tuple[int, Decision]]
    gold: list[set[int]]


def collate(features: list[Features], *, pad: int, start: int) -> Batch:
    """Return the batch; the decoder's input is the target shifted right behind the start token."""
    source, source_mask = _padded([f.prompt for f in features], pad)
    target, target_mask = _padded([[start, *f.target[:-1]] for f in features], pad)
    decisions = [(row, decision) for row, f in enumerate(features) for decision in f.decisions]
    return Batch(source, source_mask, target, target_mask, decisions, [f.gold for f in features])


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
    rows = torch.tensor([row for row, _ in batch.decisions])
    steps = torch.tensor([decision.step for _, decision in batch.decisions])
    scores = torch.cat([pointed[rows, steps], own[rows, steps]], 1)
    admitted, right = _masks(batch, pointed.shape[2], own.shape[2])
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
        scores, torch.tensor(gold), reduction="none", pos_weight=torch.tensor(_POSITIVE)
    )
    return (losses * (firsts > 0)).sum(1)


def correct(batch: Batch, pointed: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Return (D,) whether each decision's best candidate is a right one."""
    rows = torch.tensor([row for row, _ in batch.decisions])
    steps = torch.tensor([decision.step for _, decision in batch.decisions])
    scores = torch.cat([pointed[rows, steps], own[rows, steps]], 1)
    admitted, right = _masks(batch, pointed.shape[2], own.shape[2])
    best = scores.masked_fill(~admitted, -torch.inf).argmax(1)
    return right[torch.arange(len(best)), best]


def _masks(batch: Batch, places: int, owns: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the admitted and the right candidates, each (D, N + O); a candidate -1 stands for all."""
    admitted = torch.zeros(len(batch.decisions), places + owns, dtype=torch.bool)
    right = torch.zeros_like(admitted)
    for i, (_, decision) in enumerate(batch.decisions):
        if decision.places == [-1]:
            admitted[i, :places] = True  # what is no place scores next to nothing
            admitted[i, places:] = True
        else:
            admitted[i, decision.places] = True
            admitted[i, [places + o for o in decision.own]] = True
        right[i, decision.right_places] = True
        right[i, [places + o for o in decision.right_own]] = True
    return admitted | right, right
