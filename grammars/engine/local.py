"""A model in this process, through outlines and transformers, under llguidance's grammars."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import llguidance
import outlines
import torch
from llguidance import LLMatcher
from outlines.backends.llguidance import LLGuidanceBackend
from transformers import GenerationConfig

from grammars.engine.decode import Row, jump_forward
from grammars.engine.errors import BudgetTooSmall, EngineClosed, EngineError, PromptTooLong
from grammars.engine.protocol import Generation
from grammars.engine.worker import Task, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from outlines.inputs import Chat
    from outlines.models import Transformers

    from grammars.engine.protocol import AnswerPrompt, Request

_WARM_UP = 'start: "{}"'  # the first grammar that a process compiles takes seconds


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model, its tokenizer, and how a prompt is laid out for it."""

    model: Any
    tokenizer: Any
    render: Callable[[AnswerPrompt], str | Chat]
    context: int | None = None  # tokens that the model reads and writes at most


@dataclass(frozen=True, slots=True)
class _Prepared:
    prompt: str | Chat
    matcher: LLMatcher
    request: Request


class LocalEngine:
    """A transformers model, causal or encoder-decoder, that a thread of its own runs in batches.

    Use it inside `async with`, which loads the model.

    Args:
        name: what `Answer.model` says.
        load: loads the model; runs in the engine's thread.
        extractive: whether the model can only quote.
        max_batch: requests decoded together.
        max_waiting: requests that may wait; more are refused with EngineBusy.
        seconds: a request takes at most this long, waiting included.
    """

    enforces_grammar = True

    def __init__(
        self,
        name: str,
        load: Callable[[], Loaded],
        *,
        extractive: bool = False,
        max_batch: int = 16,
        max_waiting: int = 64,
        seconds: float = 120.0,
    ) -> None:
        self.name = name
        self.extractive = extractive
        self._load = load
        self._seconds = seconds
        self._worker: Worker[_Prepared, Generation] = Worker(
            name, self._run, max_batch=max_batch, max_waiting=max_waiting
        )
        self._opened: _Opened | None = None

    async def __aenter__(self) -> Self:
        """Load and warm up the model."""
        self._worker.start()
        try:
            self._opened = await self._worker.call(lambda: _Opened(self._load()))
        except BaseException:
            await asyncio.to_thread(self._worker.stop)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Refuse what waits, and end the thread."""
        await asyncio.to_thread(self._worker.stop)
        self._opened = None

    async def generate(self, request: Request) -> Generation:
        """Generate under the request's grammar; cancelling the task stops its row of the batch.

        Raises:
            EngineError: BudgetTooSmall, PromptTooLong, EngineBusy, EngineTimeout or EngineClosed.
        """
        if self._opened is None:
            raise EngineClosed(self.name)
        prepared = await asyncio.to_thread(self._opened.prepare, request)
        return await self._worker.submit(prepared, key=request.adapter, seconds=self._seconds)

    def _run(self, batch: Sequence[Task[_Prepared, Generation]]) -> list[Generation]:
        assert self._opened is not None
        return self._opened.generate(batch)


class _Opened:
    """The loaded model, with outlines' view of it and the one grammar back end."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._outlines: Transformers = outlines.from_transformers(loaded.model, loaded.tokenizer)
        if loaded.model.config.is_encoder_decoder:
            loaded.tokenizer.padding_side = "right"  # on the left, where outlines pads, it shifts positions
        self._tokenizer = LLGuidanceBackend(self._outlines).llg_tokenizer
        self._matcher(_WARM_UP).compute_ff_tokens()

    def prepare(self, request: Request) -> _Prepared:
        """Render the prompt and build the grammar's matcher, beside whatever batch is running."""
        shortest = len(self._tokenizer.tokenize_str(request.shortest))
        if request.max_tokens < max(shortest, 1):
            raise BudgetTooSmall(request.max_tokens, shortest)
        return _Prepared(self._loaded.render(request.prompt), self._matcher(request.grammar), request)

    def _matcher(self, grammar: str) -> LLMatcher:
        matcher = LLMatcher(self._tokenizer, llguidance.grammar_from("lark", grammar))
        if matcher.is_error():
            raise EngineError(f"The answer's grammar was refused: {matcher.get_error()[:200]}")
        return matcher

    @torch.inference_mode()
    def generate(self, batch: Sequence[Task[_Prepared, Generation]]) -> list[Generation]:
        """Decode a batch."""
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

    def _row(self, task: Task[_Prepared, Generation]) -> Row:
        request = task.item.request
        return Row(
            task.item.matcher.deep_copy(),
            self._tokenizer,
            budget=request.max_tokens,
            temperature=request.temperature,
            cancelled=lambda: task.cancelled,
        )

    def _fit(self, batch: Sequence[_Prepared]) -> list[int]:
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
