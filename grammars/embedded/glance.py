"""The first glance: texts read alone, by MiniLM as it comes.

MiniLM was trained to put a question near what answers it, each read alone. Reading them together, as the
encoder does, loses that, and a few thousand examples do not bring all of it back. So the question and the
passages are also read alone, by the weights as installed. A sentence is taken from the reading of its
passage, where its words have their context (late chunking: Günther et al. 2024, arXiv:2409.04701).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import nn

from grammars.embedded.packed import Packed
from grammars.embedded.precision import reading_type
from grammars.embedded.readings import Reading, Readings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import BertModel

    from grammars.embedded.readings import Line

Pieces = tuple[int, ...]

_CLS, _SEP = 101, 102  # MiniLM's ids
_LONGEST = 510  # pieces, between these two


def twin(minilm: BertModel) -> BertModel:
    """Return a second model over the same weights in memory, which no adapter reaches."""
    other = type(minilm)(minilm.config, add_pooling_layer=False)
    other.load_state_dict(minilm.state_dict(), assign=True)
    other.requires_grad_(requires_grad=False)
    other.train(mode=False)
    return other


def line(text: Pieces) -> Line:
    """Return what is read of a text: beyond 510 pieces, nothing."""
    return (_CLS, *text[:_LONGEST], _SEP)


class Glance(nn.Module):
    """Reads texts as MiniLM does; nothing in it is trained.

    Who reads the same texts again and again, or with somebody else, gives it other `readings`.
    """

    def __init__(self, minilm: BertModel) -> None:
        super().__init__()
        self.minilm = twin(minilm)
        self.readings = Readings()

    def train(self, mode: bool = True) -> Glance:  # noqa: ARG002 - torch's signature
        """Stay in evaluation mode: no dropout here."""
        return super().train(False)

    @torch.no_grad()
    def read(self, texts: Sequence[Pieces]) -> list[Reading]:
        """Return the readings of texts given as MiniLM's pieces, on the model's device."""
        lines = [line(text) for text in texts]
        known = self.readings.of(lines)
        fresh = sorted({line for line in lines if line not in known}, key=len)
        if fresh:
            read = dict(zip(fresh, map(Reading.of, self._states(fresh)), strict=True))
            self.readings.keep(read)
            known |= read
        return [known[line].on(self.minilm.device) for line in lines]

    def _states(self, lines: Sequence[Line]) -> tuple[torch.Tensor, ...]:
        """Return the states (pieces + 2, H) of each line."""
        lengths = [len(line) for line in lines]
        ids = torch.tensor([[piece for line in lines for piece in line]], device=self.minilm.device)
        places = torch.cat([torch.arange(length, device=ids.device) for length in lengths])
        embedded = self.minilm.embeddings(input_ids=ids, position_ids=places[None])
        return torch.split(self._packed(embedded[0], lengths), lengths)

    @cached_property
    def _packed(self) -> Packed:
        return Packed(self.minilm.encoder, reading_type(self.minilm.device))
