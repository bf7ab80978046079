"""The decoder: small pre-norm transformer layers that read the encoder's states, with key/value caches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the field's name for it

if TYPE_CHECKING:
    from transformers import EncoderDecoderCache


def sinusoids(positions: torch.Tensor, width: int) -> torch.Tensor:
    """Return sinusoidal position embeddings (…, width) of integer positions (…) (Vaswani et al. 2017)."""
    rates = torch.exp(torch.arange(0, width, 2, device=positions.device) * (-math.log(10_000.0) / width))
    angles = positions[..., None].float() * rates
    return torch.cat([angles.sin(), angles.cos()], -1)


@dataclass(frozen=True)
class View:
    """What the tokens of a step may look at.

    Attributes:
        source: (B, N, H), the encoder's states.
        source_mask: (B, 1, 1, N), true where a place may be seen.
        own_mask: (B, 1, T, cached + T), true where an earlier token may be seen.
        cache: keys and values of the tokens before; None where there are none.
    """

    source: torch.Tensor
    source_mask: torch.Tensor
    own_mask: torch.Tensor
    cache: EncoderDecoderCache | None = None


class Attention(nn.Module):
    """Multi-head attention over given keys and values; (B, T, H) in and out."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def split(self, states: torch.Tensor) -> torch.Tensor:
        """Return (B, T, H) as (B, heads, T, H / heads)."""
        return states.view(*states.shape[:-1], self.heads, -1).transpose(1, 2)

    def keys_values(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the keys and values of the states, each (B, heads, T, H / heads)."""
        return self.split(self.key(states)), self.split(self.value(states))

    def forward(
        self, states: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Attend; `mask` (B, 1, T or 1, S) is true where a key may be seen."""
        mixed = F.scaled_dot_product_attention(self.split(self.query(states)), keys, values, attn_mask=mask)
        attended: torch.Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return attended


class DecoderLayer(nn.Module):
    """Self-attention, attention to the source, and a feed-forward part, each with its residual."""

    def __init__(self, index: int, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.index = index
        self.norm_self, self.norm_cross, self.norm_inner = (nn.LayerNorm(width) for _ in range(3))
        self.attend_self, self.attend_cross = Attention(width, heads), Attention(width, heads)
        self.inner = nn.Sequential(
            nn.Linear(width, inner), nn.GELU(), nn.Dropout(dropout), nn.Linear(inner, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: torch.Tensor, view: View) -> torch.Tensor:
        """Return the next states (B, T, H)."""
        normed = self.norm_self(states)
        keys, values = self.attend_self.keys_values(normed)
        if view.cache is not None:
            keys, values = view.cache.self_attention_cache.update(keys, values, self.index)
        states = states + self.dropout(self.attend_self(normed, keys, values, view.own_mask))
        keys, values = self._source_keys_values(view)
        normed = self.norm_cross(states)
        states = states + self.dropout(self.attend_cross(normed, keys, values, view.source_mask))
        changed: torch.Tensor = states + self.dropout(self.inner(self.norm_inner(states)))
        return changed

    def _source_keys_values(self, view: View) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the source's keys and values, computed once a prompt."""
        cache = view.cache
        if cache is None:
            return self.attend_cross.keys_values(view.source)
        if not cache.is_updated.get(self.index):
            cache.cross_attention_cache.update(*self.attend_cross.keys_values(view.source), self.index)
            cache.is_updated[self.index] = True
        layer: Any = cache.cross_attention_cache.layers[self.index]
        return layer.keys, layer.values


class Decoder(nn.Module):
    """Embeds the tokens written so far and contextualises them; (B, T) ids to (B, T, H) states."""

    def __init__(self, width: int, layers: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.layers = nn.ModuleList(DecoderLayer(i, width, heads, inner, dropout) for i in range(layers))
        self.embed_norm, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, embedded: torch.Tensor, positions: torch.Tensor, view: View) -> torch.Tensor:
        """Return states (B, T, H) for embedded tokens (B, T, H) at the given positions (B, T)."""
        states = self.embed_norm(embedded) + sinusoids(positions, self.width).to(embedded.dtype)
        for layer in self.layers:
            states = layer(states, view)
        contextual: torch.Tensor = self.norm(states)
        return contextual
