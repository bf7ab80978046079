"""One forward pass over what a model has not read yet, whatever the model's arguments are called."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import Cache


class Forward:
    """How a model is called. Rows may have holes: the mask hides them, and the position ids skip them.

    Args:
        model: a causal or an encoder-decoder model.
        inputs: what `generate` has prepared; of an encoder-decoder model, the encoder's output.
    """

    def __init__(self, model: Any, inputs: dict[str, Any]) -> None:
        accepted = inspect.signature(model.forward).parameters
        self.device: torch.device = model.device
        self._model = model
        self._prefix = "decoder_" if model.config.is_encoder_decoder else ""
        self._keep = "logits_to_keep" in accepted
        self.positions = f"{self._prefix}position_ids" in accepted  # without them, no row may have holes
        names = ("encoder_outputs", "attention_mask") if self._prefix else ()
        self._inputs = {name: inputs.get(name) for name in names}

    def __call__(self, cache: Cache, ids: torch.Tensor, mask: torch.Tensor, read: int) -> torch.Tensor:
        """Read tokens; return the logits (B, V) after each row's last one.

        Args:
            cache: what was read before; these tokens are added to it.
            ids: (B, T).
            mask: (B, cached + T), 0 where there is padding.
            read: each row's last token is among this many last places.
        """
        arguments = {
            **self._inputs,
            "cache": cache,
            "use_cache": True,
            f"{self._prefix}input_ids": ids,
            f"{self._prefix}attention_mask": mask,
        }
        if self.positions:
            places = (mask.cumsum(1) - 1).clamp(min=0)
            arguments[f"{self._prefix}position_ids"] = places[:, -ids.shape[1] :]
        if self._keep:
            arguments["logits_to_keep"] = read
        logits: torch.Tensor = self._model(**arguments).logits[:, -read:]
        last = mask[:, -read:] * torch.arange(1, read + 1, device=self.device)
        return logits[torch.arange(len(ids), device=self.device), last.argmax(1)]

    def padded(
        self, rows: Sequence[Sequence[int]], *, left: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return rows of tokens padded to one length (B, T), and their mask."""
        width = max(map(len, rows))
        ids = torch.zeros(len(rows), width, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for number, row in enumerate(rows):
            place = slice(width - len(row), width) if left else slice(len(row))
            ids[number, place] = torch.tensor(row, dtype=torch.long)
            mask[number, place] = 1
        return ids.to(self.device), mask.to(self.device)
