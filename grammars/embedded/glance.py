"""The first glance: texts read alone, by MiniLM as it comes.

MiniLM was trained to put a question near what answers it, each read alone. Reading them together, as the
encoder does, loses that, and a few thousand examples do not bring all of it back. So the question, the
sentences and the passages are also embedded alone, by the weights as installed.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the field's name for it

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import BertModel

Pieces = tuple[int, ...]

_CLS, _SEP = 101, 102  # MiniLM's ids
_LENGTHS = (16, 32, 64, 128, 256)  # texts are padded to these: bfloat16 compiles each shape
_LONGEST = _LENGTHS[-1]  # tokens, as MiniLM was trained
_GROUP = 8  # and batches to a multiple of it
_BATCH = 64
_REMEMBERED = 20_000  # texts, 30 MB


def twin(minilm: BertModel) -> BertModel:
    """Return a second model over the same weights in memory, which no adapter reaches."""
    other = type(minilm)(minilm.config, add_pooling_layer=False)
    other.load_state_dict(minilm.state_dict(), assign=True)
    other.requires_grad_(requires_grad=False)
    other.train(mode=False)
    return other


class Glance(nn.Module):
    """Embeds texts as MiniLM does; nothing in it is trained, and the last texts are remembered."""

    def __init__(self, minilm: BertModel) -> None:
        super().__init__()
        self.minilm = twin(minilm)
        self._known: OrderedDict[Pieces, torch.Tensor] = OrderedDict()

    def train(self, mode: bool = True) -> Glance:  # noqa: ARG002 - torch's signature
        """Stay in evaluation mode: no dropout here."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, texts: Sequence[Pieces]) -> torch.Tensor:
        """Return the L2-normalised mean-pooled embeddings (n, H) of texts given as MiniLM's pieces."""
        fresh = sorted({text for text in texts if text not in self._known}, key=len)
        for size in _LENGTHS:
            group = [text for text in fresh if _length(text) == size]
            for at in range(0, len(group), _BATCH):
                batch = group[at : at + _BATCH]
                self._known.update(zip(batch, self._embed(batch, size), strict=False))
        found = [self._known[text] for text in texts]
        for text in texts:
            self._known.move_to_end(text)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return torch.stack(found) if found else torch.zeros(0, self.minilm.config.hidden_size)

    def _embed(self, texts: Sequence[Pieces], length: int) -> torch.Tensor:
        device = self.minilm.embeddings.word_embeddings.weight.device
        pieces = torch.zeros(len(texts) + -len(texts) % _GROUP, length, dtype=torch.long)
        pieces[:, 0] = _CLS
        for line, text in zip(pieces, texts, strict=False):
            kept = text[: length - 2]
            line[1 : len(kept) + 2] = torch.tensor([*kept, _SEP])
        pieces = pieces.to(device)
        real = (pieces != 0).long()
        states = self.minilm(input_ids=pieces, attention_mask=real).last_hidden_state.float()
        return F.normalize((states * real[..., None]).sum(1), dim=-1)


def _length(text: Pieces) -> int:
    return next((size for size in _LENGTHS if size >= len(text) + 2), _LONGEST)
