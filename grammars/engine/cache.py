"""Key-value caches of causal models: rows are added to one, taken out, and begun from a shared prefix.

A cache grows to the right. What is padded to fit stands on the left, and the mask that goes with a cache
(B, T) hides it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import pad
from transformers.cache_utils import DynamicCache, DynamicLayer


def separable(model: Any) -> bool:
    """Whether a model's rows can join and leave a batch: it attends to a plain cache, and to nothing else."""
    if model.config.is_encoder_decoder:
        return False
    layers = DynamicCache(config=model.config.get_text_config(decoder=True)).layers
    return bool(layers) and all(isinstance(layer, DynamicLayer) for layer in layers)


def repeated(cache: DynamicCache, rows: int) -> DynamicCache:
    """Return a cache of its own in which each of the rows has read what the one row of `cache` has."""
    copy = DynamicCache()
    layers: list[Any] = list(cache.layers)
    for number, layer in enumerate(layers):
        if not layer.is_initialized:
            continue
        keys, values = (part.expand(rows, -1, -1, -1) for part in (layer.keys, layer.values))
        copy.update(keys, values, number)
    return copy


def joined(
    first: DynamicCache, first_mask: torch.Tensor, second: DynamicCache, second_mask: torch.Tensor
) -> torch.Tensor:
    """Add the rows of `second` below those of `first`; return the mask over both."""
    width = max(first_mask.shape[1], second_mask.shape[1])
    for layer, added in zip(_layers(first), _layers(second), strict=True):
        layer.keys = torch.cat([_widened(layer.keys, width), _widened(added.keys, width)])
        layer.values = torch.cat([_widened(layer.values, width), _widened(added.values, width)])
    masks = [pad(mask, (width - mask.shape[1], 0)) for mask in (first_mask, second_mask)]
    return torch.cat(masks)


def kept(cache: DynamicCache, mask: torch.Tensor, rows: list[int]) -> torch.Tensor:
    """Keep these rows alone, without the places that are padding in all of them; return their mask."""
    mask = mask[rows]
    places = mask.any(0).nonzero()[:, 0]
    for layer in _layers(cache):
        layer.keys, layer.values = (part[rows].index_select(2, places) for part in (layer.keys, layer.values))
    return mask.index_select(1, places)


def _layers(cache: DynamicCache) -> list[Any]:
    """Return the layers that have read something; a model may share one layer's keys among several."""
    layers: list[Any] = list(cache.layers)
    return [layer for layer in layers if layer.is_initialized]


def _widened(part: torch.Tensor, width: int) -> torch.Tensor:
    return pad(part, (0, 0, width - part.shape[2], 0))
