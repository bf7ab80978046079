"""A model in this process, through outlines and transformers, under llguidance's grammars."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from grammars.engine.errors import EngineClosed, EngineTimeout, UnknownAdapter
from grammars.engine.generator import Generator, Loaded, Prepared
from grammars.engine.protocol import Generation
from grammars.engine.worker import Task, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path
    from types import TracebackType

    from grammars.engine.adapters import Manifest
    from grammars.engine.protocol import Located, Request

__all__ = ["Loaded", "LocalEngine"]


class LocalEngine:
    """A transformers model, causal or encoder-decoder, that a thread of its own runs in batches.

    Use it inside `async with`, which loads the model.

    Args:
        name: what `Answer.model` says, and what an adapter's manifest calls its base.
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
        self._worker: Worker[Prepared, Generation] = Worker(
            name, self._run, max_batch=max_batch, max_waiting=max_waiting
        )
        self._generator: Generator | None = None
        self._chosen: list[str | None] = [None]

    async def __aenter__(self) -> Self:
        """Load and warm up the model."""
        self._worker.start()
        try:
            self._generator = await self._worker.call(lambda: Generator(self._load()))
        except BaseException:
            await asyncio.to_thread(self._worker.stop)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Refuse what waits, and end the thread."""
        await asyncio.to_thread(self._worker.stop)
        if self._generator:
            self._generator.close()
        self._generator = None

    async def generate(self, request: Request) -> Generation:
        """Generate under the request's grammar; cancelling the task stops its row of the batch.

        `Request.on_text` is called in this task's event loop.

        Raises:
            EngineError: BudgetTooSmall, PromptTooLong, UnknownAdapter, EngineBusy, EngineTimeout, or
                EngineClosed.
        """
        generator = self._open()
        settled = replace(request, adapter=self._known(request.adapter or self.adapter))
        if reason := generator.unable(settled):
            return Generation(settled.shortest, adapter=settled.adapter, extra={"note": reason})
        if settled.on_text:
            settled = replace(settled, on_text=_in_this_loop(settled.on_text))
        prepared = await asyncio.to_thread(generator.prepare, settled)
        return await self._worker.submit(prepared, key=settled.adapter, seconds=self._seconds)

    async def locate(self, title: str, questions: Sequence[str], text: str) -> Located:
        """Say where a text states what the questions of one schema ask for, between two batches.

        Raises:
            EngineError: the model cannot tell, or EngineTimeout, or EngineClosed.
        """
        generator = self._open()
        try:
            async with asyncio.timeout(self._seconds):
                return await self._worker.call(lambda: generator.locate(title, questions, text))
        except TimeoutError:
            raise EngineTimeout(self._seconds) from None

    @property
    def adapter(self) -> str | None:
        """The adapter of requests that name none; None is the model as it was loaded."""
        return self._chosen[-1]

    @property
    def adapters(self) -> Collection[str]:
        """The names of the adapters that are loaded."""
        return tuple(self._open().adapters)

    async def load_adapter(self, name: str, folder: Path) -> Manifest:
        """Load an adapter between two batches, without choosing it.

        Raises:
            AdapterError: the folder holds no adapter of this model.
        """
        generator = self._open()
        return await self._worker.call(lambda: generator.load_adapter(name, folder, base=self.name))

    def use_adapter(self, name: str | None) -> None:
        """Choose the adapter of the requests to come; those that wait or run keep theirs."""
        self._chosen.append(self._known(name))

    def roll_back(self) -> str | None:
        """Return to the adapter chosen before, and return its name."""
        if len(self._chosen) > 1:
            self._chosen.pop()
        return self.adapter

    def _known(self, adapter: str | None) -> str | None:
        loaded = self._open().adapters
        if adapter is not None and adapter not in loaded:
            raise UnknownAdapter(adapter, tuple(loaded))
        return adapter

    def _open(self) -> Generator:
        if self._generator is None:
            raise EngineClosed(self.name)
        return self._generator

    def _run(
        self,
        batch: Sequence[Task[Prepared, Generation]],
        more: Callable[[int], Sequence[Task[Prepared, Generation]]],
    ) -> None:
        self._open().generate(batch, more)


def _in_this_loop(on_text: Callable[[str], None]) -> Callable[[str], None]:
    """Return a function that may be called in any thread."""
    loop = asyncio.get_running_loop()

    def told(text: str) -> None:
        loop.call_soon_threadsafe(on_text, text)

    return told
