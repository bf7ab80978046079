"""The first glance: texts read alone, by MiniLM as it comes.

MiniLM was trained to put a question near what answers it, each read alone. Reading them together, as the
encoder does, loses that, and a few thousand examples do not bring all of it back. So the question and the
passages are also read alone, by the weights as installed. A sentence is taken from the reading of its
passage, where its words have their context (late chunking: Günther et al. 2024, arXiv:2409.04701).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the field's name for it

from grammars.embedded.packed import Packed
from grammars.embedded.precision import reading_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import BertModel

Pieces = tuple[int, ...]

_CLS, _SEP = 101, 102  # MiniLM's ids
_LONGEST = 510  # pieces, between these two
_READINGS = 200  # remembered, at most 150 MB


@dataclass(frozen=True)
class Reading:
    """A text read alone.

    Attributes:
        states: (pieces, H), one a piece.
        whole: (H,), their L2-normalised mean with those of the marks at both ends: the text's embedding.
    """

    states: torch.Tensor
    whole: torch.Tensor


def twin(minilm: BertModel) -> BertModel:
    """Return a second model over the same weights in memory, which no adapter reaches."""
    other = type(minilm)(minilm.config, add_pooling_layer=False)
    other.load_state_dict(minilm.state_dict(), assign=True)
    other.requires_grad_(requires_grad=False)
    other.train(mode=False)
    return other


class Glance(nn.Module):
    """Reads texts as MiniLM does; nothing in it is trained, and the last texts are remembered.

    `readings` says how many: who reads the same texts again and again raises it.
    """

    def __init__(self, minilm: BertModel) -> None:
        super().__init__()
        self.minilm = twin(minilm)
        self.readings = _READINGS
        self._known: OrderedDict[Pieces, Reading] = OrderedDict()

    def train(self, mode: bool = True) -> Glance:  # noqa: ARG002 - torch's signature
        """Stay in evaluation mode: no dropout here."""
        return super().train(False)

    @torch.no_grad()
    def read(self, texts: Sequence[Pieces]) -> list[Reading]:
        """Return the readings of texts given as MiniLM's pieces; beyond 510 of them a text is not read."""
        fresh = sorted({text for text in texts if text not in self._known}, key=len)
        if fresh:
            self._known.update(zip(fresh, map(_reading, self._states(fresh)), strict=True))
        found = [self._known[text] for text in texts]
        for text in texts:
            self._known.move_to_end(text)
        while len(self._known) > self.readings:
            self._known.popitem(last=False)
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


def _reading(states: torch.Tensor) -> Reading:
    return Reading(states[1:-1], F.normalize(states.sum(0), dim=0))
