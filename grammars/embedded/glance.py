"""The first glance: how near each place is to the question, for MiniLM as it comes.

MiniLM was trained to put a question near what answers it, each read alone. Reading them together, as the
encoder does, loses that, and a few thousand examples do not bring all of it back. So the passages are
also read alone, by the weights as installed, and each place gets the cosine between the question and what
begins there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the field's name for it

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import BertModel

WINDOWS = (16, 32, 64)  # tokens from a place on
FEATURES = 2 + len(WINDOWS)  # to the sentence's end, the windows, the whole passage
_CLS, _SEP = 101, 102  # MiniLM's ids
_STOPS = (1012, 999, 1029)  # MiniLM's pieces for . ! ? (a line end is read as a full stop)
_SHORTEST = 3  # tokens of a sentence


def lines(texts: Sequence[torch.Tensor], lengths: Sequence[int], group: int) -> torch.Tensor:
    """Return texts of pieces between [CLS] and [SEP] (S, L), padded to one of the lengths.

    Where there are more than `group`, spare lines fill up to a multiple of it: bfloat16 compiles each shape.
    """
    longest = max(map(len, texts)) + 2
    length = next((size for size in lengths if size >= longest), longest)
    spare = -len(texts) % group if len(texts) > group else 0
    out = torch.zeros(len(texts) + spare, length, dtype=torch.long, device=texts[0].device)
    out[:, 0], out[:, 1] = _CLS, _SEP
    for line, text in zip(out, texts, strict=False):
        line[1 : len(text) + 1] = text
        line[len(text) + 1] = _SEP
    return out


def twin(minilm: BertModel) -> BertModel:
    """Return a second model over the same weights in memory, which no adapter reaches."""
    other = type(minilm)(minilm.config, add_pooling_layer=False)
    other.load_state_dict(minilm.state_dict(), assign=True)
    other.requires_grad_(requires_grad=False)
    other.train(mode=False)
    return other


class Glance(nn.Module):
    """Cosines of a passage's places with the question; nothing in it is trained."""

    def __init__(self, minilm: BertModel) -> None:
        super().__init__()
        self.minilm = twin(minilm)

    def train(self, mode: bool = True) -> Glance:  # noqa: ARG002 - torch's signature
        """Stay in evaluation mode: no dropout here."""
        return super().train(False)

    @torch.no_grad()
    def forward(
        self, questions: torch.Tensor, passages: torch.Tensor, asks: torch.Tensor, pad: int = 0
    ) -> torch.Tensor:
        """Return the features (S, L, FEATURES) of each place of each passage.

        Args:
            questions: (R, K) MiniLM pieces with [CLS] and [SEP], padded with `pad`.
            passages: (S, L) likewise.
            asks: (S,) which question is asked of each passage.
            pad: the padding's piece.
        """
        question = F.normalize(self._mean(questions, pad), dim=-1)[asks]
        states, real = self._states(passages, pad)
        states = states * real[..., None]
        sums = F.pad(states.cumsum(1), (0, 0, 1, 0))
        length = passages.shape[1]
        begin = torch.arange(length, device=passages.device).expand_as(passages)
        ends = [self._sentence_ends(passages), *((begin + w).clamp(max=length) for w in WINDOWS)]
        found = [self._cosine(sums, begin, end, question) for end in ends]
        whole = self._cosine(sums, begin[:, :1] * 0, begin[:, :1] * 0 + length, question)
        return torch.stack([*found, whole.expand_as(found[0])], -1) * real[..., None]

    def _states(self, pieces: torch.Tensor, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
        real = (pieces != pad).long()
        return self.minilm(input_ids=pieces, attention_mask=real).last_hidden_state.float(), real

    def _mean(self, pieces: torch.Tensor, pad: int) -> torch.Tensor:
        states, real = self._states(pieces, pad)
        return (states * real[..., None]).sum(1) / real.sum(1, keepdim=True)

    @staticmethod
    def _sentence_ends(pieces: torch.Tensor) -> torch.Tensor:
        """Return for each place the place after the next stop that is not right behind it (S, L)."""
        length = pieces.shape[1]
        stops = torch.isin(pieces, torch.tensor(_STOPS, device=pieces.device))
        places = torch.arange(length, device=pieces.device).expand_as(pieces)
        nearest = torch.where(stops, places, length - 1).flip(1).cummin(1).values.flip(1)
        shifted = (places + _SHORTEST).clamp(max=length - 1)
        return nearest.gather(1, shifted) + 1

    @staticmethod
    def _cosine(
        sums: torch.Tensor, begin: torch.Tensor, end: torch.Tensor, question: torch.Tensor
    ) -> torch.Tensor:
        """Return the cosine (S, L) of the question with the sum of the states from `begin` to `end`."""
        index = torch.arange(len(sums), device=sums.device)[:, None]
        return F.cosine_similarity(sums[index, end] - sums[index, begin], question[:, None], dim=-1)
