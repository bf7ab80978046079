"""The first glance: texts read alone, by MiniLM as it comes.

MiniLM was trained to put a question near what answers it, each read alone. Reading them together, as the
encoder does, loses that, and a few thousand examples do not bring all of it back. So the question, the
sentences and the passages are also read alone, by the weights as installed.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the field's name for it

from grammars.embedded.precision import native_bfloat16

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from transformers import BertModel

Pieces = tuple[int, ...]

_CLS, _SEP = 101, 102  # MiniLM's ids
_LENGTHS = (16, 32, 64, 128, 256, 512)  # texts are padded to these: bfloat16 compiles each shape
_GROUP = 8  # and batches to a multiple of it
_BATCH = 64
_EMBEDDINGS = 20_000  # remembered, 30 MB
_READINGS = 200  # remembered, at most 150 MB


def twin(minilm: BertModel) -> BertModel:
    """Return a second model over the same weights in memory, which no adapter reaches."""
    other = type(minilm)(minilm.config, add_pooling_layer=False)
    other.load_state_dict(minilm.state_dict(), assign=True)
    other.requires_grad_(requires_grad=False)
    other.train(mode=False)
    return other


class Glance(nn.Module):
    """Reads texts as MiniLM does; nothing in it is trained, and the last texts are remembered."""

    def __init__(self, minilm: BertModel) -> None:
        super().__init__()
        self.minilm = twin(minilm)
        self._short = native_bfloat16()
        self._embeddings: OrderedDict[Pieces, torch.Tensor] = OrderedDict()
        self._readings: OrderedDict[Pieces, torch.Tensor] = OrderedDict()

    def train(self, mode: bool = True) -> Glance:  # noqa: ARG002 - torch's signature
        """Stay in evaluation mode: no dropout here."""
        return super().train(False)

    @torch.no_grad()
    def embed(self, texts: Sequence[Pieces]) -> torch.Tensor:
        """Return the L2-normalised mean-pooled embeddings (n, H) of texts given as MiniLM's pieces."""

        def mean(states: torch.Tensor, lengths: Sequence[int]) -> list[torch.Tensor]:
            sums = [line[: length + 2].sum(0) for line, length in zip(states, lengths, strict=False)]
            return [F.normalize(total, dim=0) for total in sums]

        return torch.stack(self._recall(self._embeddings, _EMBEDDINGS, texts, mean))

    @torch.no_grad()
    def read(self, texts: Sequence[Pieces]) -> list[torch.Tensor]:
        """Return each text's L2-normalised states, one a piece, (pieces, H)."""

        def states_of(states: torch.Tensor, lengths: Sequence[int]) -> list[torch.Tensor]:
            lines = zip(states, lengths, strict=False)
            return [F.normalize(line[1 : length + 1], dim=-1) for line, length in lines]

        return self._recall(self._readings, _READINGS, texts, states_of)

    def _recall(
        self,
        known: OrderedDict[Pieces, torch.Tensor],
        most: int,
        texts: Sequence[Pieces],
        pick: Callable[[torch.Tensor, Sequence[int]], list[torch.Tensor]],
    ) -> list[torch.Tensor]:
        fresh = sorted({text for text in texts if text not in known}, key=len)
        for size in _LENGTHS:
            group = [text for text in fresh if _length(text) == size]
            for at in range(0, len(group), _BATCH):
                batch = group[at : at + _BATCH]
                kept = [min(len(text), size - 2) for text in batch]
                known.update(zip(batch, pick(self._states(batch, size), kept), strict=True))
        found = [known[text] for text in texts]
        for text in texts:
            known.move_to_end(text)
        while len(known) > most:
            known.popitem(last=False)
        return found

    def _states(self, texts: Sequence[Pieces], length: int) -> torch.Tensor:
        """Return the states (n or more, length, H) of texts between [CLS] and [SEP]."""
        pieces = torch.zeros(len(texts) + -len(texts) % _GROUP, length, dtype=torch.long)
        pieces[:, 0] = _CLS
        for line, text in zip(pieces, texts, strict=False):
            kept = text[: length - 2]
            line[1 : len(kept) + 2] = torch.tensor([*kept, _SEP])
        device = self.minilm.embeddings.word_embeddings.weight.device
        pieces = pieces.to(device)
        # twice as fast as float32, at a cosine of .9999
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type != "cpu" or self._short):
            read = self.minilm(input_ids=pieces, attention_mask=(pieces != 0).long())
        states: torch.Tensor = read.last_hidden_state
        return states.float()


def _length(text: Pieces) -> int:
    return next((size for size in _LENGTHS if size >= len(text) + 2), _LENGTHS[-1])
