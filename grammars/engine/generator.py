"""A loaded model that decodes batches of requests, each under its own grammar."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
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
from grammars.engine.decode import jump_forward
from grammars.engine.errors import BudgetTooSmall, EngineError, PromptTooLong
from grammars.engine.prefix import Prefix, common
from grammars.engine.protocol import AnswerPrompt, Generation, PassageText
from grammars.engine.row import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from outlines.inputs import Chat
    from outlines.models import Transformers

    from grammars.engine.adapters import Manifest
    from grammars.engine.protocol import Located, Request
    from grammars.engine.worker import Task

_WARM_UP = 'start: "{}"'  # the first grammar that a process compiles takes seconds
# what two prompts with nothing in common still share is what all of them begin with
_UNLIKE = (
    AnswerPrompt("a", (PassageText("b", "c", "d"),)),
    AnswerPrompt("1", (PassageText("2", "3", "4"),)),
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model, its tokenizer, and how a prompt is laid out for it.

    Attributes:
        context: how many tokens the model reads and writes at most; None where there is no limit.
        unable: says why the model cannot take a prompt, such as its language; None where it can.
        locate: says where a text states what questions of a schema ask for; None where the model cannot.
    """

    model: Any
    tokenizer: Any
    render: Callable[[AnswerPrompt], str | Chat]
    context: int | None = None
    unable: Callable[[AnswerPrompt], str | None] = lambda _: None
    locate: Callable[[str, Sequence[str], str], Located] | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready to run: its prompt rendered and tokenized, its adapter settled.

    Its grammar may still be compiling, beside the forward pass over the prompt.
    """

    prompt: str | Chat
    tokens: list[int]
    grammar: Future[LLMatcher]
    request: Request


class Generator:
    """A loaded model, with outlines' view of it and the one grammar back end."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._outlines: Transformers = outlines.from_transformers(loaded.model, loaded.tokenizer)
        if loaded.model.config.is_encoder_decoder:
            loaded.tokenizer.padding_side = "right"  # on the left, where outlines pads, it shifts positions
        self._tokenizer = LLGuidanceBackend(self._outlines).llg_tokenizer
        # a tokenizer that pads in one thread must not tokenize in another
        self._unpadded = deepcopy(loaded.tokenizer)
        self._compiler = ThreadPoolExecutor(2, thread_name_prefix="grammar")
        self._adapters = Adapters(loaded.model)
        self._prefixes: dict[str | None, Prefix] = {}
        self._common = common(*(self._tokenize(self._loaded.render(prompt)) for prompt in _UNLIKE))
        self._matcher(_WARM_UP).compute_ff_tokens()

    def prepare(self, request: Request) -> Prepared:
        """Render the prompt and begin to compile the grammar, beside whatever batch is running.

        Raises:
            BudgetTooSmall: for the shortest output.
            PromptTooLong: for the model's context, with the budget.
        """
        shortest = len(self._tokenizer.tokenize_str(request.shortest))
        if request.max_tokens < max(shortest, 1):
            raise BudgetTooSmall(request.max_tokens, shortest)
        prompt = self._loaded.render(request.prompt)
        tokens = self._tokenize(prompt)
        if self._loaded.context and len(tokens) + request.max_tokens > self._loaded.context:
            raise PromptTooLong(len(tokens), self._loaded.context - request.max_tokens)
        return Prepared(prompt, tokens, self._compiler.submit(self._matcher, request.grammar), request)

    def _tokenize(self, prompt: str | Chat) -> list[int]:
        chat = not isinstance(prompt, str)  # a chat template writes its special tokens itself
        text = self._outlines.type_adapter.format_input(prompt)
        ids: list[int] = self._unpadded(text, add_special_tokens=not chat)["input_ids"]
        return ids

    def _matcher(self, grammar: str) -> LLMatcher:
        matcher = LLMatcher(self._tokenizer, llguidance.grammar_from("lark", grammar))
        if matcher.is_error():
            raise EngineError(f"The answer's grammar was refused: {matcher.get_error()[:200]}")
        return matcher

    @property
    def adapters(self) -> Mapping[str, Manifest]:
        """The adapters that are loaded, by name."""
        return self._adapters.manifests

    def load_adapter(self, name: str, folder: Path, *, base: str) -> Manifest:
        """Load an adapter, as `Adapters.load` does, and forget what one of that name has read."""
        manifest = self._adapters.load(name, folder, base=base)
        self._prefixes.pop(name, None)
        return manifest

    def unable(self, request: Request) -> str | None:
        """Return why the model cannot take a request; None where it can."""
        return self._loaded.unable(request.prompt)

    def locate(self, title: str, questions: Sequence[str], text: str) -> Located:
        """Return where a text states what the questions of one schema ask for.

        Raises:
            EngineError: the model cannot tell.
        """
        if self._loaded.locate is None:
            raise EngineError("The model that is loaded does not say where a text states something.")
        return self._loaded.locate(title, questions, text)

    def close(self) -> None:
        """Compile no more grammars."""
        self._compiler.shutdown(wait=False, cancel_futures=True)

    def generate(
        self,
        batch: Sequence[Task[Prepared, Generation]],
        more: Callable[[int], Sequence[Task[Prepared, Generation]]],
    ) -> None:
        """Decode a batch, and what joins it: all of these requests name the same adapter."""
        adapter = batch[0].item.request.adapter
        prefix = self._prefixes.setdefault(adapter, Prefix(self._common))
        rows = [self._row(task) for task in batch]
        with self._adapters.active(adapter), torch.inference_mode():
            self._outlines.generate_batch(
                [task.item.prompt for task in batch],
                generation_config=self._configuration(max(row.budget for row in rows)),
                custom_generate=partial(
                    _generate, rows, lambda running: [self._row(task) for task in more(running)], prefix
                ),
            )

    def _row(self, task: Task[Prepared, Generation]) -> Row:
        request = task.item.request
        return Row(
            task.item.tokens,
            task.item.grammar,
            self._tokenizer,
            budget=request.max_tokens,
            ended=partial(_finish, task),
            temperature=request.temperature,
            cancelled=lambda: task.cancelled,
            on_text=request.on_text,
        )

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


def _finish(task: Task[Prepared, Generation], row: Row) -> None:
    """Hand over what a row has come to."""
    if row.error:
        task.fail(row.error)
        return
    task.finish(
        Generation(
            text=row.text,
            truncated=row.truncated,
            probabilities=tuple(row.probabilities),
            prompt_tokens=len(row.prompt),
            completion_tokens=len(row.tokens),
            forward_passes=row.passes,
            adapter=task.item.request.adapter,
        )
    )


def _generate(  # noqa: PLR0917 - transformers calls it so
    rows: Sequence[Row],
    more: Callable[[int], Sequence[Row]],
    prefix: Prefix,
    model: Any,
    input_ids: torch.Tensor,
    logits_processor: Any,
    stopping_criteria: Any,
    generation_config: Any,
    **model_inputs: Any,
) -> torch.Tensor:
    """Decode as `generate` asks its `custom_generate` to; each row brings its own grammar and limits."""
    jump_forward(rows, more, prefix, model, input_ids, model_inputs)
    return input_ids
