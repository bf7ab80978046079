"""The first glance: texts read alone, by MiniLM as it comes.

MiniLM was trained to put a question near what answers it, each read alone. Reading them together, as the
encoder does, loses that, and a few thousand examples do not bring all of it back. So the question, the
sentences and the passages are also read alone, by the weights as installed.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the field's name for it

from grammars.embedded.packed import Packed
from grammars.embedded.precision import reading_type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from transformers import BertModel

Pieces = tuple[int, ...]

_CLS, _SEP = 101, 102  # MiniLM's ids
_LONGEST = 510  # pieces, between these two
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
    """Reads texts as MiniLM does; nothing in it is trained, and the last texts are remembered.

    `embeddings` and `readings` say of how many: who reads the same texts again and again raises them.
    """

    def __init__(self, minilm: BertModel) -> None:
        super().__init__()
        self.minilm = twin(minilm)
        self.embeddings, self.readings = _EMBEDDINGS, _READINGS
        self._embeddings: OrderedDict[Pieces, torch.Tensor] = OrderedDict()
        self._readings: OrderedDict[Pieces, torch.Tensor] = OrderedDict()

    def train(self, mode: bool = True) -> Glance:  # noqa: ARG002 - torch's signature
        """Stay in evaluation mode: no dropout here."""
        return super().train(False)

    def embed(self, texts: Sequence[Pieces]) -> torch.Tensor:
        """Return the L2-normalised mean-pooled embeddings (n, H) of texts given as MiniLM's pieces."""
        return torch.stack(self._recall(self._embeddings, self.embeddings, texts, _mean))

    def read(self, texts: Sequence[Pieces]) -> list[torch.Tensor]:
        """Return each text's L2-normalised states, one a piece, (pieces, H)."""
        return self._recall(self._readings, self.readings, texts, _inner)

    @torch.no_grad()
    def _recall(
        self,
        known: OrderedDict[Pieces, torch.Tensor],
        most: int,
        texts: Sequence[Pieces],
        pick: Callable[[torch.Tensor], torch.Tensor],
    ) -> list[torch.Tensor]:
        fresh = sorted({text for text in texts if text not in known}, key=len)
        if fresh:
            known.update(zip(fresh, map(pick, self._states(fresh)), strict=True))
        found = [known[text] for text in texts]
        for text in texts:
            known.move_to_end(text)
        while len(known) > most:
            known.popitem(last=False)
        return found

    def _states(self, texts: Sequence[Pieces]) -> tuple[torch.Tensor, ...]:
        """Return the states (pieces + 2, H) of each text between [CLS] and [SEP]."""
        lines = [[_CLS, *text[:_LONGEST], _SEP] for text in texts]
        lengths = [len(line) for line in lines]
        ids = torch.tensor([[piece for line in lines for piece in line]], device=self.minilm.device)
        places = torch.cat([torch.arange(length, device=ids.device) for length in lengths])
        embedded = self.minilm.embeddings(input_ids=ids, position_ids=places[None])
        return torch.split(self._packed(embedded[0], lengths), lengths)

    @cached_property
    def _packed(self) -> Packed:
        return Packed(self.minilm.encoder, reading_type(self.minilm.device))


def _mean(states: torch.Tensor) -> torch.Tensor:
    return F.normalize(states.sum(0), dim=0)


def _inner(states: torch.Tensor) -> torch.Tensor:
    return F.normalize(states[1:-1], dim=-1)
