"""One request in a batch: its grammar's state, and what it has written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from grammars.engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from llguidance import LLMatcher, LLTokenizer


@dataclass(eq=False)
class Row:
    """What a request has written so far, and what its grammar admits next.

    Attributes:
        prompt: its tokens.
        grammar: the matcher, which may still be in the making while the model reads the prompt.
        budget: at most this many tokens are written.
        ended: told once, when nothing more will be written.
        temperature: 0 is greedy.
        cancelled: asked before each step; the row stops where it says so.
        on_text: told what has been written, each time that there is more.
        queue: what is written and not yet read by the model.
        probabilities: under the mask, of each token that settled something the grammar left open.
        error: why nothing could be written.
    """

    prompt: Sequence[int]
    grammar: Future[LLMatcher]
    tokenizer: LLTokenizer
    budget: int
    ended: Callable[[Row], None]
    temperature: float = 0.0
    cancelled: Callable[[], bool] = lambda: False
    on_text: Callable[[str], None] | None = None
    tokens: list[int] = field(default_factory=list)
    queue: list[int] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)
    passes: int = 0
    truncated: bool = False
    done: bool = False
    error: EngineError | None = None
    _matcher: LLMatcher | None = None

    @property
    def text(self) -> str:
        """What has been written; of a character that was cut, nothing."""
        return bytes(self.tokenizer.decode_bytes(self.tokens)).decode(errors="ignore")

    def begin(self) -> None:
        """Write what the grammar forces before anything is chosen; wait for the grammar where need be."""
        try:
            self._matcher = self.grammar.result().deep_copy()
        except EngineError as error:
            self.error = error
            self._end()
        else:
            self._write([])

    def advance(self, logits: torch.Tensor) -> None:
        """Go on after a forward pass, which gave the next token's logits (V,)."""
        if self.done:
            return
        self.passes += 1
        if self.cancelled():
            self._end()
            return
        if self._matcher is None:
            self.begin()
        if not self.queue and not self.done:
            self._choose(logits)

    def _choose(self, logits: torch.Tensor) -> None:
        """Choose the next token by its logit among those that the grammar admits."""
        assert self._matcher is not None
        forced = len(self._matcher.compute_ff_bytes())
        admitted = _tokens(self._matcher.compute_bitmask())
        scores = logits[admitted.to(logits.device)].float().cpu()
        place = int(scores.argmax()) if self.temperature == 0 else self._sample(scores)
        token = int(admitted[place])
        if token == self.tokenizer.eos_token:
            self._end()
            return
        if len(self.tokenizer.decode_bytes([token])) > forced:
            self.probabilities.append(float(scores.softmax(0)[place]))
        self._write([token])

    def _sample(self, scores: torch.Tensor) -> int:
        return int(torch.multinomial((scores / self.temperature).softmax(0), 1))

    def _write(self, chosen: list[int]) -> None:
        """Accept tokens, and whatever the grammar then forces; stop at its end or at the budget's."""
        assert self._matcher is not None
        self._matcher.consume_tokens(chosen)
        forced = self._matcher.compute_ff_tokens()
        self._matcher.consume_tokens(forced)
        fresh = [*chosen, *forced]
        room = self.budget - len(self.tokens)
        self.truncated = len(fresh) > room or (len(fresh) == room and not self._matcher.is_accepting())
        self.tokens += fresh[:room]
        if self.on_text and fresh:
            self.on_text(self.text)
        if self.truncated or self._matcher.is_stopped() or len(fresh) == room:
            self._end()
        else:
            self.queue = fresh

    def _end(self) -> None:
        self.queue, self.done = [], True
        self.ended(self)


def _tokens(bitmask: bytes) -> torch.Tensor:
    """Return the tokens whose bits are set."""
    bits = np.unpackbits(np.frombuffer(bitmask, np.uint8), bitorder="little")
    return torch.from_numpy(np.flatnonzero(bits))
