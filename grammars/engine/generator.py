"""A loaded model that decodes batches of requests, each under its own grammar."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import llguidance
import outlines
import torch
from llguidance import LLMatcher
from outlines.backends.llguidance import LLGuidanceBackend
from transformers import GenerationConfig

from grammars.engine.adapters import Adapters
from grammars.engine.decode import Row, jump_forward
from grammars.engine.errors import BudgetTooSmall, EngineError, PromptTooLong
from grammars.engine.protocol import Generation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from outlines.inputs import Chat
    from outlines.models import Transformers

    from grammars.engine.protocol import AnswerPrompt, Request
    from grammars.engine.worker import Task

_WARM_UP = 'start: "{}"'  # the first grammar that a process compiles takes seconds


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model, its tokenizer, and how a prompt is laid out for it.

    Attributes:
        context: how many tokens the model reads and writes at most; None where there is no limit.
        unable: says why the model cannot take a prompt, such as its language; None where it can.
    """

    model: Any
    tokenizer: Any
    render: Callable[[AnswerPrompt], str | Chat]
    context: int | None = None
    unable: Callable[[AnswerPrompt], str | None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready to run: its prompt rendered, its grammar compiled, its adapter settled."""

    prompt: str | Chat
    matcher: LLMatcher
    request: Request


class Generator:
    """A loaded model, with outlines' view of it and the one grammar back end."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._outlines: Transformers = outlines.from_transformers(loaded.model, loaded.tokenizer)
        if loaded.model.config.is_encoder_decoder:
            loaded.tokenizer.padding_side = "right"  # on the left, where outlines pads, it shifts positions
        self._tokenizer = LLGuidanceBackend(self._outlines).llg_tokenizer
        self.adapters = Adapters(loaded.model)
        self._matcher(_WARM_UP).compute_ff_tokens()

    def prepare(self, request: Request) -> Prepared:
        """Render the prompt and build the grammar's matcher, beside whatever batch is running."""
        shortest = len(self._tokenizer.tokenize_str(request.shortest))
        if request.max_tokens < max(shortest, 1):
            raise BudgetTooSmall(request.max_tokens, shortest)
        return Prepared(self._loaded.render(request.prompt), self._matcher(request.grammar), request)

    def _matcher(self, grammar: str) -> LLMatcher:
        matcher = LLMatcher(self._tokenizer, llguidance.grammar_from("lark", grammar))
        if matcher.is_error():
            raise EngineError(f"The answer's grammar was refused: {matcher.get_error()[:200]}")
        return matcher

    def unable(self, request: Request) -> str | None:
        """Return why the model cannot take a request; None where it can."""
        return self._loaded.unable(request.prompt)

    def generate(self, batch: Sequence[Task[Prepared, Generation]]) -> list[Generation]:
        """Decode a batch, all of whose requests name the same adapter."""
        with self.adapters.active(batch[0].item.request.adapter), torch.inference_mode():
            return self._generate(batch)

    def _generate(self, batch: Sequence[Task[Prepared, Generation]]) -> list[Generation]:
        rows = [self._row(task) for task in batch]
        lengths = self._fit([task.item for task in batch])
        self._outlines.generate_batch(
            [task.item.prompt for task in batch],
            generation_config=self._configuration(max(row.budget for row in rows)),
            custom_generate=partial(_generate, rows),
        )
        return [
            Generation(
                text=row.text,
                truncated=row.truncated,
                probabilities=tuple(row.probabilities),
                prompt_tokens=length,
                completion_tokens=len(row.tokens),
                forward_passes=row.passes,
                adapter=task.item.request.adapter,
            )
            for row, length, task in zip(rows, lengths, batch, strict=True)
        ]

    def _row(self, task: Task[Prepared, Generation]) -> Row:
        request = task.item.request
        return Row(
            task.item.matcher.deep_copy(),
            self._tokenizer,
            budget=request.max_tokens,
            temperature=request.temperature,
            cancelled=lambda: task.cancelled,
        )

    def _fit(self, batch: Sequence[Prepared]) -> list[int]:
        """Return the prompts' lengths in tokens, all of which fit in the model's context."""
        lengths = [
            len(self._loaded.tokenizer(self._outlines.type_adapter.format_input(item.prompt))["input_ids"])
            for item in batch
        ]
        for length, item in zip(lengths, batch, strict=True):
            if self._loaded.context and length + item.request.max_tokens > self._loaded.context:
                raise PromptTooLong(length, self._loaded.context - item.request.max_tokens)
        return lengths

    def _configuration(self, max_tokens: int) -> GenerationConfig:
        own = self._loaded.model.generation_config
        return GenerationConfig(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
            max_new_tokens=max_tokens,
            do_sample=False,
            decoder_start_token_id=own.decoder_start_token_id,
            bos_token_id=own.bos_token_id,
            eos_token_id=self._loaded.tokenizer.eos_token_id,
            pad_token_id=self._loaded.tokenizer.pad_token_id,
        )


def _generate(  # noqa: PLR0917 - transformers calls it so
    rows: Sequence[Row],
    model: Any,
    input_ids: torch.Tensor,
    logits_processor: Any,
    stopping_criteria: Any,
    generation_config: Any,
    **model_inputs: Any,
) -> torch.Tensor:
    """Decode as `generate` asks its `custom_generate` to; each row brings its own grammar and limits."""
    return jump_forward(rows, model, input_ids, model_inputs)
