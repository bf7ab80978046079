"""What Slack said, remembered for a while: bounded, expiring, dropped when it is known to have changed."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """Values by name, each as of a version of its subject.

    Args:
        size: values at most; the one that was used longest ago goes first.
        seconds: how long a value holds.
        now: a clock, in seconds.
    """

    def __init__(self, size: int, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._size, self._seconds, self._now = size, seconds, now
        self._values: OrderedDict[str, tuple[int, float, Value]] = OrderedDict()
        self._lock = asyncio.Lock()

    def get(self, name: str, version: int = 0) -> Value | None:
        """Return the value of this version that still holds, or None."""
        found = self._values.get(name)
        if found is None or found[0] != version or found[1] <= self._now():
            self._values.pop(name, None)
            return None
        self._values.move_to_end(name)
        return found[2]

    def put(self, name: str, value: Value, version: int = 0) -> None:
        """Remember a value."""
        self._values[name] = (version, self._now() + self._seconds, value)
        self._values.move_to_end(name)
        while len(self._values) > self._size:
            self._values.popitem(last=False)

    async def fetch(self, name: str, version: int, ask: Callable[[str], Awaitable[Value]]) -> Value:
        """Return the value, asking for it where it is not known; what `ask` raises is not remembered."""
        async with self._lock:  # those who come at the same time wait for one answer
            found = self.get(name, version)
            if found is None:
                found = await ask(name)
                self.put(name, found, version)
            return found
