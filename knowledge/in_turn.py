"""One after another, in the order of arrival, within this process."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary


class InTurn:
    """A lock for each key, kept only while somebody holds it or waits for it.

    Whoever waits gets in first come, first served, as `asyncio.Lock` promises.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def __call__(self, key: str) -> asyncio.Lock:
        """Return the key's lock: `async with in_turn(key): …`."""
        return self._locks.setdefault(key, asyncio.Lock())
