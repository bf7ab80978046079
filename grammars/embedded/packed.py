"""MiniLM's layers over many texts at once, without padding.

The texts' tokens stand one behind another as one row: what a layer does to each token alone runs over all of
them at once, and each token attends to its own text only (sequence packing: Krell et al. 2021,
arXiv:2107.02027). The query, the key and the value are one multiplication.
"""

from __future__ import annotations

from collections import OrderedDict
from copy import deepcopy
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F  # noqa: N812 - the field's name for it

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn
    from transformers import BertModel

_BATCH = 2048  # tokens read at once: what comes of more does not stay in the cache
_STEP = 64  # tokens: oneDNN compiles kernels for each number of rows, and keeps them
_CHOICES = 4  # of adapters, whose merged weights are kept: 21 MB each in bfloat16

Affine = tuple[torch.Tensor, torch.Tensor]  # a weight (out, in) and a bias (out,)


class Packed:
    """The layers of a `BertEncoder`, without dropout, for weights that stay as they are.

    What is multiplied is of the type `dtype`; what is added up, normalised or attended to is float32.
    """

    def __init__(self, encoder: nn.Module, dtype: torch.dtype) -> None:
        layers: Any = encoder.layer
        self._layers = [_Layer.of(layer, dtype) for layer in layers]

    @torch.no_grad()
    def __call__(self, states: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        """Return the states (T, H) that the embedded tokens (T, H) of texts of these lengths come to."""
        batches = _batches(lengths)
        parts = torch.split(states.float(), [sum(batch) for batch in batches])
        with torch.autocast(states.device.type, enabled=False):
            return torch.cat([self._read(*batch) for batch in zip(parts, batches, strict=True)])

    def _read(self, states: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        count, more = len(states), -len(states) % _STEP
        states = F.pad(states, (0, 0, 0, more))
        for layer in self._layers:
            states = layer(states, [*lengths, more] if more else lengths)
        return states[:count]


class Merged:
    """The layers of a MiniLM that adapters bend, the chosen ones merged into the weights."""

    def __init__(self, minilm: BertModel, dtype: torch.dtype) -> None:
        self._minilm = minilm
        self._dtype = dtype
        self._known: OrderedDict[tuple[str, ...], Packed] = OrderedDict()

    def chosen(self) -> Packed:
        """Return the layers with the adapters that are active now."""
        active = _active(self._minilm)
        if active not in self._known:
            self._known[active] = Packed(_merge(self._minilm.encoder, active), self._dtype)
        self._known.move_to_end(active)
        if len(self._known) > _CHOICES:
            self._known.popitem(last=False)
        return self._known[active]


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Return the lengths, in order, in batches of at most _BATCH tokens, or of one text."""
    batches: list[list[int]] = [[]]
    for length in lengths:
        if batches[-1] and sum(batches[-1]) + length > _BATCH:
            batches.append([])
        batches[-1].append(length)
    return batches


def _active(model: nn.Module) -> tuple[str, ...]:
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = (module for module in model.modules() if isinstance(module, BaseTunerLayer))
    return next((() if layer.disable_adapters else tuple(layer.active_adapters) for layer in layers), ())


def _merge(encoder: nn.Module, adapters: Sequence[str]) -> nn.Module:
    """Return a copy of the encoder: other models share the weights of this one."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    merged = deepcopy(encoder)
    for module in merged.modules():
        if isinstance(module, BaseTunerLayer) and adapters:
            module.merge(adapter_names=list(adapters))
    return merged


@dataclass(frozen=True)
class _Layer:
    heads: int
    mix: Affine  # to the query, the key and the value
    attended: Affine
    attended_norm: nn.LayerNorm
    widen: Affine
    narrow: Affine
    norm: nn.LayerNorm

    @classmethod
    def of(cls, layer: Any, dtype: torch.dtype) -> _Layer:
        attention, written = layer.attention.self, layer.attention.output
        return cls(
            attention.num_attention_heads,
            _affine(dtype, attention.query, attention.key, attention.value),
            _affine(dtype, written.dense),
            written.LayerNorm,
            _affine(dtype, layer.intermediate.dense),
            _affine(dtype, layer.output.dense),
            layer.output.LayerNorm,
        )

    def __call__(self, states: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        attended = _attend(_apply(self.mix, states), lengths, self.heads)
        states = self.attended_norm(states + _apply(self.attended, attended))
        inner = F.gelu(_apply(self.widen, states))
        normed: torch.Tensor = self.norm(states + _apply(self.narrow, inner))
        return normed


def _affine(dtype: torch.dtype, *layers: nn.Linear) -> Affine:
    """Return the layers as one, their outputs side by side."""
    weight = torch.cat([layer.weight.detach() for layer in layers])
    return weight.to(dtype), torch.cat([layer.bias.detach() for layer in layers]).to(dtype)


def _apply(affine: Affine, states: torch.Tensor) -> torch.Tensor:
    weight, bias = affine
    return F.linear(states.to(weight.dtype), weight, bias)


def _attend(mixed: torch.Tensor, lengths: Sequence[int], heads: int) -> torch.Tensor:
    """Return what each token (T, H) attends to in its text; neighbours of one length run as one batch."""
    runs = [(length, len(list(run))) for length, run in groupby(lengths)]
    rows = torch.split(mixed.float(), [length * count for length, count in runs])
    found = []
    for (length, count), run in zip(runs, rows, strict=True):
        query, key, value = run.view(count, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value)
        found.append(attended.transpose(1, 2).reshape(count * length, -1))
    return torch.cat(found)
