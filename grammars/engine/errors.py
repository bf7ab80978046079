"""What can go wrong in an engine, each with a sentence for the person who asked."""

from __future__ import annotations


class EngineError(Exception):
    """The model could not answer; the message says why, and what to do."""


class BudgetTooSmall(EngineError):  # noqa: N818 - it reads as what happened
    """The token budget is below the shortest valid output: nothing was generated."""

    def __init__(self, budget: int, shortest: int) -> None:
        super().__init__(
            f"A budget of {budget} tokens is too small: the shortest valid answer takes {shortest}. "
            "Raise max_tokens."
        )


class PromptTooLong(EngineError):  # noqa: N818
    """The prompt does not fit in the model's context, however far its passages are cut."""

    def __init__(self, tokens: int, context: int) -> None:
        super().__init__(
            f"The question and its passages take {tokens} tokens, and the model reads at most {context}. "
            "Ask with fewer or shorter passages."
        )


class EngineBusy(EngineError):  # noqa: N818
    """Too many requests wait for the model."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"The model is busy: {waiting} requests are waiting already. Try again in a moment.")


class EngineTimeout(EngineError):  # noqa: N818
    """The model did not finish in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The model did not answer within {seconds:g} seconds. Try again, or raise the timeout."
        )


class EngineClosed(EngineError):  # noqa: N818
    """The engine was closed, or never opened, when a request came."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The engine {name!r} is not open: use it inside `async with`.")


class InvalidOutput(EngineError):  # noqa: N818
    """The output was not what was asked for, after a retry."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"The model {name!r} gave no valid answer, twice: {reason}. Try another model.")


class RemoteError(EngineError):
    """A model server could not be reached, or refused."""


class UnknownAdapter(EngineError):  # noqa: N818
    """A request named an adapter that is not loaded."""

    def __init__(self, adapter: str, loaded: tuple[str, ...]) -> None:
        known = ", ".join(loaded) or "none"
        super().__init__(
            f"The adapter {adapter!r} is not loaded (loaded: {known}). See `almanac adapters list`."
        )
