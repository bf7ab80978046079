"""What every engine offers: one constrained generation, whatever model runs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier message of the conversation."""

    speaker: str  # "user" or "assistant"
    text: str


@dataclass(frozen=True, slots=True)
class PassageText:
    """What the model sees of a passage; its number is its place in the prompt, from 1."""

    title: str
    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class AnswerPrompt:
    """A question, what was said before it, and the passages that may be quoted.

    With a `system` of its own the model does what that says with the question alone.
    """

    question: str
    passages: tuple[PassageText, ...]
    history: tuple[Turn, ...] = ()
    system: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One generation.

    Attributes:
        prompt: rendered by the engine, which knows its model's layout or chat template.
        grammar: what the output must match: an llguidance Lark grammar, for engines that take one.
        schema: the JSON Schema of the same shape, for engines that take only that.
        max_tokens: the budget, in tokens of the engine's model.
        temperature: 0 is greedy.
        adapter: the LoRA adapter to answer with; None is the engine's current one.
        shortest: the shortest output that the grammar admits; a budget below it is refused.
        on_text: told the whole output so far, each time that there is more of it; from the start again where
            the engine had to begin anew. It must not block.
    """

    prompt: AnswerPrompt
    grammar: str
    schema: dict[str, Any]
    max_tokens: int
    temperature: float = 0.0
    adapter: str | None = None
    shortest: str = ""
    on_text: Callable[[str], None] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Generation:
    """What came back.

    Attributes:
        text: the output; complete JSON, except where `truncated`.
        probabilities: of each token that was chosen rather than forced, under the grammar's mask, in order.
            Empty where the engine cannot tell.
        truncated: the budget ended before the grammar did.
    """

    text: str
    truncated: bool = False
    probabilities: tuple[float, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    forward_passes: int = 0
    adapter: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """Log-probabilities of where a text states what each of Q questions asks for.

    Attributes:
        offsets: (N, 2), the characters of each of the text's tokens.
        begins: (Q, N), that it begins with a token.
        ends: (Q, N), that it ends with one.
        absent: (Q,), that the text states it nowhere, by the beginning and the end together.
    """

    offsets: NDArray[np.int64]
    begins: NDArray[np.float32]
    ends: NDArray[np.float32]
    absent: NDArray[np.float32]


@runtime_checkable
class Engine(Protocol):
    """A model that generates under a grammar."""

    @property
    def name(self) -> str:
        """What `Answer.model` says: `embedded`, a hub name, or `vllm:URL#MODEL` without credentials."""

    @property
    def extractive(self) -> bool:
        """Whether the model can only quote; its `answer` is then a span of its quotes, or empty."""

    @property
    def enforces_grammar(self) -> bool:
        """Whether `Request.grammar` is enforced token by token; otherwise the caller checks the quotes."""

    async def generate(self, request: Request) -> Generation:
        """Generate once; cancelling the task stops the generation.

        Raises:
            grammars.engine.errors.EngineError: with a sentence for the person who asked.
        """


class Extractive(Engine, Protocol):
    """An engine that can only quote: it says where a text states something."""

    async def locate(self, title: str, questions: Sequence[str], text: str) -> Located:
        """Say where a text states what the questions of one schema ask for.

        Raises:
            grammars.engine.errors.EngineError: with a sentence for the person who asked.
        """


@runtime_checkable
class Adaptable(Protocol):
    """An engine whose adapters are loaded and chosen while it runs."""

    @property
    def name(self) -> str:
        """The model's, which an adapter's manifest calls its base."""

    @property
    def adapter(self) -> str | None:
        """The adapter of requests that name none; None is the model as it is."""

    @property
    def adapters(self) -> Collection[str]:
        """The names of those that are loaded."""

    async def load_adapter(self, name: str, folder: Path) -> Any:
        """Load one without choosing it.

        Raises:
            grammars.engine.adapters.AdapterError: the folder holds no adapter of this model.
        """

    def use_adapter(self, name: str | None) -> None:
        """Choose one for the requests to come; those that wait or run keep theirs."""
