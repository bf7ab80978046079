"""Answering from the index as it is: with the embedder that it was built with, until another's is ready."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from knowledge.embed import EmbeddingError
from knowledge.generations import GenerationError, current_generation, fits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from knowledge.database import Pool
    from knowledge.embed import Embedder
    from knowledge.generations import Generation

Result = TypeVar("Result")

ANOTHER = (
    "The index was built with the embedder %s, and %s is set. Questions are answered with the former until a"
    " new index is built beside the old one: by a worker, or by `almanac reindex`."
)
LOST = (
    "The index was built with the embedder {name}, which cannot be opened any more ({reason}), and {own} is"
    " set: run `almanac reindex`, or set ALMANAC_EMBEDDER back."
)
OUT_OF_REACH = "it is not within reach here"
ALTERED = "its vectors are of {now} numbers now, not of {before}"

log = logging.getLogger(__name__)


class Serving:
    """Knows the embedder of the current generation, whichever that is; vectors of two are never compared.

    Args:
        pool: of the database.
        own: the embedder that is set.
        reopen: opens the one of a name, for an index that was built with another than `own`.
    """

    def __init__(
        self,
        pool: Pool,
        own: Embedder,
        reopen: Callable[[str], AbstractAsyncContextManager[Embedder]] | None = None,
    ) -> None:
        self.own = own
        self._pool, self._reopen = pool, reopen
        self._other: Embedder | None = None
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def opened(cls, *parts: Any) -> AsyncIterator[Serving]:
        """Open it; what it opens itself is closed with it."""
        serving = cls(*parts)
        async with serving._stack:
            yield serving

    async def embedder(self) -> Embedder:
        """Return the embedder of the current generation; before the first one, the one that is set.

        Raises:
            GenerationError: it cannot be opened any more; the message says what mends it.
        """
        async with self._pool.connection() as connection:
            current = await current_generation(connection)
        if current is None or fits(current, self.own):
            return self.own
        async with self._opening:
            if self._other is None or not fits(current, self._other):
                self._other = await self._open(current)
            return self._other

    async def use(self, work: Callable[[Embedder], Awaitable[Result]]) -> Result:
        """Do something with the embedder of the current generation; anew where another came meanwhile.

        Raises:
            GenerationError: as `embedder` does.
        """
        try:
            return await work(await self.embedder())
        except GenerationError:
            return await work(await self.embedder())

    async def _open(self, current: Generation) -> Embedder:
        log.warning(ANOTHER, current.embedder, self.own.name)
        if self._reopen is None:
            raise self._lost(current, OUT_OF_REACH)
        try:
            other = await self._stack.enter_async_context(self._reopen(current.embedder))
        except EmbeddingError as error:
            raise self._lost(current, error) from error
        if not fits(current, other):
            raise self._lost(current, ALTERED.format(now=other.dimensions, before=current.dimensions))
        return other

    def _lost(self, current: Generation, reason: object) -> GenerationError:
        return GenerationError(LOST.format(name=current.embedder, reason=reason, own=self.own.name))
