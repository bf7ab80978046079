"""One thread that owns a model: requests wait for it in a bounded queue, and run in batches.

A batch may take in more while it runs, as long as what has waited longest may run with it: whoever asks for
something else, another adapter say, waits for one batch at most.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from grammars.engine.errors import EngineBusy, EngineClosed, EngineTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

Item = TypeVar("Item")
Result = TypeVar("Result")
Value = TypeVar("Value")


@dataclass(eq=False)
class Task(Generic[Item, Result]):
    """An item that waits or runs; tasks with equal keys may run together."""

    item: Item
    key: Hashable
    future: Future[Result] = field(default_factory=Future)

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more."""
        return self.future.cancelled()

    def finish(self, result: Result) -> None:
        """Hand over the result, unless nobody waits for it."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_result(result)

    def fail(self, error: BaseException) -> None:
        """Hand over an error, unless nobody waits for it."""
        if not self.future.done() and self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class Run(Protocol[Item, Result]):
    """Runs a batch to its end, and finishes each task as soon as its result is there.

    Tasks whose `cancelled` turns true may be given up. `more(running)` takes tasks that wait and may join,
    given how many are running.
    """

    def __call__(
        self, batch: Sequence[Task[Item, Result]], more: Callable[[int], Sequence[Task[Item, Result]]]
    ) -> None: ...


class Worker(Generic[Item, Result]):
    """Runs batches of items, one batch at a time, in a thread of its own.

    Args:
        name: the engine's, for the thread and for errors.
        run: runs a batch.
        max_batch: items that run together.
        max_waiting: items that may wait; one more is refused.
    """

    def __init__(
        self,
        name: str,
        run: Run[Item, Result],
        *,
        max_batch: int,
        max_waiting: int,
    ) -> None:
        self.name = name
        self._run = run
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._calls: deque[Callable[[], None]] = deque()
        self._waiting: deque[Task[Item, Result]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._work, name=f"inference-{self.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse what waits, let the batch in progress end, and end the thread."""
        thread, self._thread = self._thread, None
        with self._changed:
            waiting = [*self._waiting]
            self._waiting.clear()
            self._changed.notify()
        for task in waiting:
            task.fail(EngineClosed(self.name))
        if thread is not None:
            thread.join()

    async def submit(self, item: Item, *, key: Hashable = None, seconds: float | None = None) -> Result:
        """Return an item's result; cancelling the caller gives the item up.

        Raises:
            EngineBusy: too many wait already.
            EngineTimeout: no result within `seconds`.
            EngineClosed: the worker is not running.
        """
        task: Task[Item, Result] = Task(item, key)
        with self._changed:
            if self._thread is None:
                raise EngineClosed(self.name)
            if len(self._waiting) >= self._max_waiting:
                raise EngineBusy(len(self._waiting))
            self._waiting.append(task)
            self._changed.notify()
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(task.future)
        except TimeoutError:
            raise EngineTimeout(seconds or 0) from None

    async def call(self, function: Callable[[], Value]) -> Value:
        """Run a function in the thread, between two batches."""
        future: Future[Value] = Future()
        with self._changed:
            if self._thread is None:
                raise EngineClosed(self.name)
            self._calls.append(lambda: _settle(future, function))
            self._changed.notify()
        return await asyncio.wrap_future(future)

    def _work(self) -> None:
        while job := self._next_job():
            job()

    def _next_job(self) -> Callable[[], None] | None:
        """Wait for a call or a batch; None once the worker is stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._calls or self._waiting or self._thread is None)
            if self._calls:
                return self._calls.popleft()
            return partial(self._finish, self._next_batch()) if self._waiting else None

    def _next_batch(self) -> list[Task[Item, Result]]:
        """Take the oldest task and those that may run with it; those given up are dropped."""
        waiting = [task for task in self._waiting if not task.cancelled]
        batch = [task for task in waiting if task.key == waiting[0].key][: self._max_batch]
        self._waiting = deque(task for task in waiting if task not in batch)
        return batch

    def _join(self, batch: list[Task[Item, Result]], running: int) -> list[Task[Item, Result]]:
        """Take what may join a batch, unless somebody else's turn has come, and add it to the batch."""
        with self._changed:
            if self._calls or not self._waiting or self._waiting[0].key != batch[0].key:
                return []
            room = self._max_batch - running
            joining = list(takewhile(lambda task: task.key == batch[0].key, self._waiting))[:room]
            for task in joining:
                self._waiting.remove(task)
        fresh = [task for task in joining if not task.cancelled]
        batch += fresh
        return fresh

    def _finish(self, batch: list[Task[Item, Result]]) -> None:
        """Run a batch; where it fails, each unfinished task alone, so that one cannot spoil the others."""
        if not batch:
            return
        try:
            self._run(batch[:], partial(self._join, batch))
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for it
            unfinished = [task for task in batch if not task.future.done()]
            if len(batch) == 1:
                batch[0].fail(error)
                return
            for task in unfinished:
                self._alone(task)

    def _alone(self, task: Task[Item, Result]) -> None:
        try:
            self._run([task], lambda _: [])
        except Exception as error:  # noqa: BLE001 - as above
            task.fail(error)


def _settle(future: Future[Value], function: Callable[[], Value]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        value = function()
    except BaseException as error:  # noqa: BLE001 - handed to the caller
        future.set_exception(error)
    else:
        future.set_result(value)
