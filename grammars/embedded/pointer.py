"""Following a copy through the source, so that a quote once begun is continued from where it was begun.

The decoder points at places of the source. Several places can hold the same token ("The …" begins many
sentences), and the next token must continue the place that was meant. So the score of a place is carried
along: a place that continues the last token inherits the score that its predecessor had, relative to the best
of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch

_BREAK = -20.0  # a place that does not continue the copy that is going on


@dataclass
class Trail:
    """Where the copying stands after the tokens so far; all tensors (B, N), `quotes` and `latest` (B,).

    Attributes:
        before: the token that stands before each place.
        bare_before: the same without leading spaces: how a copy may begin.
        score: each place's score at the last step.
        used: 1 where a place has been copied.
        quotes: how many quotation marks were written: odd inside a string.
        latest: the last token that was written inside a string; where one has just been opened, the last of
            its key.
    """

    before: torch.Tensor
    bare_before: torch.Tensor
    score: torch.Tensor
    used: torch.Tensor
    quotes: torch.Tensor
    latest: torch.Tensor

    @classmethod
    def begin(cls, source_ids: torch.Tensor, bare_ids: torch.Tensor) -> Self:
        """Return the trail before the first token, for a source (B, N), and the same without spaces."""
        zeros = torch.zeros(source_ids.shape, device=source_ids.device)
        quotes = torch.zeros(len(source_ids), dtype=torch.long, device=source_ids.device)
        return cls(_shifted(source_ids), _shifted(bare_ids), zeros, zeros.clone(), quotes, quotes.clone())

    @property
    def inside(self) -> torch.Tensor:
        """Whether each row is inside a string (B,)."""
        return self.quotes % 2 == 1

    def advance(
        self, token: torch.Tensor, score: torch.Tensor, real: torch.Tensor, quote: int
    ) -> torch.Tensor:
        """Move on by one token of each row (B,), and return each place's carry (B, N)."""
        same = (self.before == token[:, None]) | (self.bare_before == token[:, None])
        continues = same & (self.inside & real)[:, None]
        inherited = torch.cat([score.new_full((len(token), 1), -torch.inf), self.score[:, :-1]], 1)
        inherited = inherited.masked_fill(~continues, -torch.inf)
        best, place = inherited.max(1, keepdim=True)
        copied = best > -torch.inf
        carry = torch.where(continues, (inherited - best).clamp(min=_BREAK), _BREAK)
        carry = torch.where(copied, carry, torch.zeros_like(carry))
        mark = torch.zeros_like(self.used).scatter(1, (place - 1).clamp(min=0), 1.0)
        self.used = torch.where(copied, torch.maximum(self.used, mark), self.used)
        self.latest = torch.where(self.inside & real & (token != quote), token, self.latest)
        self.quotes = self.quotes + ((token == quote) & real).long()
        self.score = torch.where(real[:, None], score + carry, self.score)
        return carry


def _shifted(ids: torch.Tensor) -> torch.Tensor:
    return torch.cat([ids.new_full((len(ids), 1), -1), ids[:, :-1]], 1)


@dataclass(frozen=True)
class Followed:
    """What `follow` found for each step.

    Attributes:
        carry: (B, T, N), to be added to the places' scores.
        used: (B, T, N), 1 where a place has been copied.
        inside: (B, T), whether the next token is inside a string.
        latest: (B, T), the last token that was written inside a string.
    """

    carry: torch.Tensor
    used: torch.Tensor
    inside: torch.Tensor
    latest: torch.Tensor


@torch.no_grad()
def follow(
    trail: Trail, tokens: torch.Tensor, scores: torch.Tensor, *, real: torch.Tensor, quote: int
) -> Followed:
    """Advance the trail in place over the tokens that were written.

    Args:
        trail: where the copying stands.
        tokens: (B, T), the decoder's input.
        scores: (B, T, N), the pointer's scores at each of these steps, before any carry.
        real: (B, T), false where a token is padding and must change nothing.
        quote: the id of the quotation mark that opens and closes a JSON string.
    """
    carries, useds, insides, latest = [], [], [], []
    for t in range(tokens.shape[1]):
        carries.append(trail.advance(tokens[:, t], scores[:, t].float(), real[:, t], quote))
        useds.append(trail.used)
        insides.append(trail.inside)
        latest.append(trail.latest)
    return Followed(*(torch.stack(steps, 1) for steps in (carries, useds, insides, latest)))
