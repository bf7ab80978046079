"""Jump-forward decoding: what the grammar forces is appended without a forward pass of its own.

It plugs into outlines and transformers as `custom_generate`. Each row of a batch has a grammar of its own. A
row whose next tokens are forced is fed several at once, so that rows grow at different speeds: the key-value
cache then has holes, which the attention mask hides and the position ids skip.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llguidance import LLMatcher, LLTokenizer

WIDEST = 8  # tokens a row is fed at once beside other rows: they wait, as padding, for the widest


@dataclass
class Row:
    """One request in a batch: its grammar's state, and what it has written.

    Attributes:
        budget: at most this many tokens are written.
        temperature: 0 is greedy.
        cancelled: asked before each step; the row stops where it says so.
        probabilities: under the mask, of each token that settled something the grammar left open.
    """

    matcher: LLMatcher
    tokenizer: LLTokenizer
    budget: int
    temperature: float = 0.0
    cancelled: Callable[[], bool] = lambda: False
    tokens: list[int] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)
    passes: int = 0
    done: bool = False
    truncated: bool = False
    queue: list[int] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What has been written; of a character that was cut, nothing."""
        return bytes(self.tokenizer.decode_bytes(self.tokens)).decode(errors="ignore")

    def begin(self) -> None:
        """Write what the grammar forces before anything is chosen."""
        self._write([])

    def choose(self, logits: torch.Tensor) -> None:
        """Choose the next token by its logit (V,) among those that the grammar admits."""
        forced = len(self.matcher.compute_ff_bytes())
        admitted = _tokens(self.matcher.compute_bitmask())
        scores = logits[admitted.to(logits.device)].float().cpu()
        place = int(scores.argmax()) if self.temperature == 0 else self._sample(scores)
        token = int(admitted[place])
        if token == self.tokenizer.eos_token:
            self.done = True
            return
        if len(self.tokenizer.decode_bytes([token])) > forced:
            self.probabilities.append(float(scores.softmax(0)[place]))
        self._write([token])

    def _sample(self, scores: torch.Tensor) -> int:
        return int(torch.multinomial((scores / self.temperature).softmax(0), 1))

    def _write(self, chosen: list[int]) -> None:
        """Accept tokens, and whatever the grammar then forces; stop at its end or at the budget's."""
        self.matcher.consume_tokens(chosen)
        forced = self.matcher.compute_ff_tokens()
        self.matcher.consume_tokens(forced)
        fresh = [*chosen, *forced]
        room = self.budget - len(self.tokens)
        self.truncated = len(fresh) > room or (len(fresh) == room and not self.matcher.is_accepting())
        self.done = self.truncated or self.matcher.is_stopped() or len(fresh) == room
        self.tokens += fresh[:room]
        self.queue = [] if self.done else fresh


def _tokens(bitmask: bytes) -> torch.Tensor:
    """Return the tokens whose bits are set."""
    bits = np.unpackbits(np.frombuffer(bitmask, np.uint8), bitorder="little")
    return torch.from_numpy(np.flatnonzero(bits))


def jump_forward(
    rows: Sequence[Row],
    model: Any,
    input_ids: torch.Tensor,
    model_inputs: dict[str, Any],
) -> torch.Tensor:
    """Decode a batch to the end of each row; return (B, prompt and output), padded on the right.

    Args:
        rows: one per row of `input_ids`; they hold the results.
        model: a causal or an encoder-decoder model.
        input_ids: (B, T) prompts padded on the left, or the decoder's first token.
        model_inputs: what `generate` has prepared: the masks, the cache, the encoder's output.
    """
    sequences = _Sequences(model, input_ids, model_inputs)
    for row in rows:
        row.begin()
    while not all(row.done for row in rows):
        logits = sequences.feed(sequences.take(rows))
        for row, scores in zip(rows, logits, strict=True):
            if row.done:
                continue
            row.passes += 1
            if row.cancelled():
                row.done = True
            elif not row.queue:
                row.choose(scores)
    return torch.cat([input_ids, _padded([row.tokens for row in rows], input_ids)[0]], 1)


class _Sequences:
    """What the model has read: its cache, and the mask that hides padding and holes."""

    def __init__(self, model: Any, prompt: torch.Tensor, inputs: dict[str, Any]) -> None:
        accepted = inspect.signature(model.forward).parameters
        self._model = model
        self._prompt: torch.Tensor | None = prompt
        self._decoder = "decoder_" if model.config.is_encoder_decoder else ""
        self._positions = f"{self._decoder}position_ids" in accepted
        self._keep = "logits_to_keep" in accepted
        self._inputs = {"past_key_values": inputs["past_key_values"], "use_cache": True}
        if self._decoder:
            self._inputs |= {name: inputs.get(name) for name in ("encoder_outputs", "attention_mask")}
            self._mask = torch.ones_like(prompt)
        else:
            mask = inputs.get("attention_mask")  # left out where there is no padding
            self._mask = torch.ones_like(prompt) if mask is None else mask

    def take(self, rows: Sequence[Row]) -> list[list[int]]:
        """Take from each row's queue what it is fed next; without position ids, equally many from each."""
        active = [len(row.queue) for row in rows if not row.done]
        widest = min(max(active), WIDEST) if self._positions else min(active)
        width = max(active) if len(rows) == 1 else widest
        taken = []
        for row in rows:
            taken.append(row.queue[:width])
            row.queue = row.queue[width:]
        return taken

    def feed(self, fresh: list[list[int]]) -> torch.Tensor:
        """Feed the rows' fresh tokens, at first after the prompts; return the last ones' logits (B, V)."""
        ids, mask = _padded(fresh, self._mask)
        read = ids.shape[1]
        if self._prompt is None:
            self._mask = torch.cat([self._mask, mask], 1)
        else:
            ids, self._prompt = torch.cat([self._prompt, ids], 1), None
            self._mask = torch.cat([self._mask, mask], 1)
            read += 1
        logits: torch.Tensor = self._model(**self._arguments(ids, read)).logits[:, -read:]
        last = self._mask[:, -read:] * torch.arange(1, read + 1, device=ids.device)
        return logits[torch.arange(len(ids), device=ids.device), last.argmax(1)]

    def _arguments(self, ids: torch.Tensor, read: int) -> dict[str, Any]:
        arguments = {
            **self._inputs,
            f"{self._decoder}input_ids": ids,
            f"{self._decoder}attention_mask": self._mask,
        }
        if self._positions:
            positions = (self._mask.cumsum(1) - 1).clamp(min=0)
            arguments[f"{self._decoder}position_ids"] = positions[:, -ids.shape[1] :]
        if self._keep:
            arguments["logits_to_keep"] = read
        return arguments


def _padded(rows: list[list[int]], like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows of tokens padded on the right (B, T), and their mask."""
    width = max(map(len, rows))
    ids = [row + [0] * (width - len(row)) for row in rows]
    mask = [[1] * len(row) + [0] * (width - len(row)) for row in rows]
    shape = (len(rows), width)
    return (
        torch.tensor(ids, dtype=torch.long, device=like.device).reshape(shape),
        torch.tensor(mask, dtype=like.dtype, device=like.device).reshape(shape),
    )
