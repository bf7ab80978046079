"""Following a copy through the source, so that a quote once begun is continued from where it was begun.

The decoder points at places of the source. Several places can hold the same token ("The …" begins many sentences), and
the next token must continue the place that was meant. So the score of a place is carried along: a place that continues
the last token inherits the score that its predecessor had, relative to the best of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

_BREAK = -20.0  # a place that does not continue the copy that is going on


@dataclass
class Trail:
    """Where the copying stands after the tokens so far; all tensors (B, N) or (B,).

    Attributes:
        score: each place's score at the last step.
        used: 1 where a place has been copied.
        quotes: how many quotation marks were written: odd inside a string.
    """

    score: torch.Tensor
    used: torch.Tensor
    quotes: torch.Tensor

    @classmethod
    def begin(cls, source_ids: torch.Tensor) -> Trail:
        """Return the trail before the first token, for a source (B, N)."""
        zeros = torch.zeros(source_ids.shape, device=source_ids.device)
        return cls(zeros, zeros.clone(), torch.zeros(len(source_ids), dtype=torch.long, device=source_ids.device))

    def reorder(self, rows: torch.Tensor) -> Trail:
        """Return the trail of the given rows, in their order."""
        return Trail(self.score[rows], self.used[rows], self.quotes[rows])


@dataclass(frozen=True)
class Followed:
    """What `follow` found for each step: carry and used (B, T, N), inside (B, T) whether it is inside a string."""

    carry: torch.Tensor
    used: torch.Tensor
    inside: torch.Tensor


@torch.no_grad()
def follow(
    trail: Trail,
    source_ids: torch.Tensor,
    bare_ids: torch.Tensor,
    tokens: torch.Tensor,
    scores: torch.Tensor,
    real: torch.Tensor,
    quote: int,
) -> Followed:
    """Advance the trail in place over the tokens that were written.

    Args:
        trail: where the copying stands.
        source_ids: (B, N).
        bare_ids: (B, N), the same without leading spaces: how a copy may begin.
        tokens: (B, T), the decoder's input.
        scores: (B, T, N), the pointer's scores at each of these steps, before any carry.
        real: (B, T), false where a token is padding and must change nothing.
        quote: the id of the quotation mark that opens and closes a JSON string.
    """
    before, bare_before = (
        torch.cat([ids.new_full((len(ids), 1), -1), ids[:, :-1]], 1) for ids in (source_ids, bare_ids)
    )
    carries, useds, insides = [], [], []
    for t in range(tokens.shape[1]):
        token, step_real = tokens[:, t], real[:, t, None]
        inside = (trail.quotes % 2 == 1)[:, None]
        same = (before == token[:, None]) | (bare_before == token[:, None])
        continues = same & inside & step_real
        inherited = torch.cat([trail.score.new_full((len(token), 1), -torch.inf), trail.score[:, :-1]], 1)
        inherited = inherited.masked_fill(~continues, -torch.inf)
        best, place = inherited.max(1, keepdim=True)
        copied = best > -torch.inf
        carry = torch.where(continues, (inherited - best).clamp(min=_BREAK), _BREAK)
        carry = torch.where(copied, carry, torch.zeros_like(carry))
        mark = torch.zeros_like(trail.used).scatter(1, (place - 1).clamp(min=0), 1.0)
        trail.used = torch.where(copied, torch.maximum(trail.used, mark), trail.used)
        trail.quotes = trail.quotes + ((token == quote) & real[:, t]).long()
        trail.score = torch.where(step_real, scores[:, t].float() + carry, trail.score)
        carries.append(carry)
        useds.append(trail.used)
        insides.append(trail.quotes % 2 == 1)
    return Followed(torch.stack(carries, 1), torch.stack(useds, 1), torch.stack(insides, 1))
