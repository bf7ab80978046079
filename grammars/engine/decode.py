"""Jump-forward decoding: what the grammar forces is appended without a forward pass of its own.

It plugs into outlines and transformers as `custom_generate`. Each row of a batch has a grammar of its own. A
row whose next tokens are forced is fed several at once, so that rows grow at different speeds: the key-value
cache then has holes, which the attention mask hides and the position ids skip. Where the model allows it, a
row that has ended leaves the batch, and one that waits takes its place between two steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from grammars.engine.cache import joined, kept, repeated, separable
from grammars.engine.forward import Forward

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from transformers.cache_utils import DynamicCache

    from grammars.engine.prefix import Prefix
    from grammars.engine.row import Row

WIDEST = 8  # tokens a row is fed at once beside other rows: they wait, as padding, for the widest


def jump_forward(  # noqa: PLR0917 - the last three are what transformers hands over
    rows: Sequence[Row],
    more: Callable[[int], Sequence[Row]],
    prefix: Prefix,
    model: Any,
    input_ids: torch.Tensor,
    inputs: dict[str, Any],
) -> None:
    """Decode rows to their ends; the results are in the rows.

    Args:
        rows: one per row of `input_ids`.
        more: takes further rows, given how many are running; none where they may not join.
        prefix: what prompts begin with and the model has read before.
        model: a causal or an encoder-decoder model.
        input_ids: (B, T) prompts padded on the left, or the decoder's first token.
        inputs: what `generate` has prepared: the masks, the cache, the encoder's output.
    """
    forward = Forward(model, inputs)
    if not (separable(model) and forward.positions):
        _together(rows, forward, input_ids, inputs)
        return
    batch = _Batch(forward)
    while rows or batch.rows:
        if rows:
            _join(batch, rows, prefix)
        else:
            batch.step()
        batch.drop()
        rows = more(len(batch.rows))


def _together(rows: Sequence[Row], forward: Forward, input_ids: torch.Tensor, inputs: dict[str, Any]) -> None:
    """Decode rows that began together until the last one ends."""
    batch = _Batch(forward)
    mask = None if "encoder_outputs" in inputs else inputs.get("attention_mask")
    batch.begin(rows, input_ids, torch.ones_like(input_ids) if mask is None else mask, inputs["cache"])
    while not all(row.done for row in batch.rows):
        batch.step()


def _join(batch: _Batch, rows: Sequence[Row], prefix: Prefix) -> None:
    """Read the prompts of further rows, from where what they share ends, and add the rows to the batch."""
    forward = batch.forward
    begun = prefix.of([row.prompt for row in rows], forward)
    shared = begun.get_seq_length()
    ids, mask = forward.padded([row.prompt[shared:] for row in rows], left=True)
    joining = _Batch(forward)
    joining.begin(
        rows, ids, torch.cat([mask.new_ones(len(rows), shared), mask], 1), repeated(begun, len(rows))
    )
    batch.add(joining)


class _Batch:
    """Rows in the making: what the model has read of them, and the mask (B, T) over it."""

    def __init__(self, forward: Forward) -> None:
        self.forward = forward
        self.rows: list[Row] = []
        self._cache: DynamicCache
        self._mask: torch.Tensor

    def begin(
        self, rows: Sequence[Row], prompt: torch.Tensor, mask: torch.Tensor, cache: DynamicCache
    ) -> None:
        """Read the prompts (B, T), and what the grammars force after them; `mask` covers the cache too."""
        self.rows, self._cache, self._mask = [*rows], cache, mask
        for row in rows:
            if row.grammar.done():
                row.begin()
        self._feed(prompt)

    def step(self) -> None:
        """Read what the rows have written, and let each write more."""
        self._feed()

    def _feed(self, prompt: torch.Tensor | None = None) -> None:
        ids, mask = self.forward.padded(self._take())
        read = ids.shape[1]
        if prompt is not None:
            ids, read = torch.cat([prompt, ids], 1), read + 1
        self._mask = torch.cat([self._mask, mask.to(self._mask.dtype)], 1)
        logits = self.forward(self._cache, ids, self._mask, read)
        for row, scores in zip(self.rows, logits, strict=True):
            row.advance(scores)

    def _take(self) -> list[list[int]]:
        """Take from each row's queue what it is fed next; without position ids, equally many from each."""
        waiting = [len(row.queue) for row in self.rows if not row.done] or [0]
        widest = min(max(waiting), WIDEST) if self.forward.positions else min(waiting)
        width = max(waiting) if len(self.rows) == 1 else widest
        taken = []
        for row in self.rows:
            taken.append(row.queue[:width])
            row.queue = row.queue[width:]
        return taken

    def add(self, other: _Batch) -> None:
        """Take over another batch's rows."""
        if self.rows:
            self._mask = joined(self._cache, self._mask, other._cache, other._mask)
        else:
            self._cache, self._mask = other._cache, other._mask
        self.rows += other.rows

    def drop(self) -> None:
        """Let go of the rows that have ended."""
        going = [number for number, row in enumerate(self.rows) if not row.done]
        if going and len(going) < len(self.rows):
            self._mask = kept(self._cache, self._mask, going)
        self.rows = [self.rows[number] for number in going]
