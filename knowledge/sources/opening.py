"""Opening a source by its kind."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from knowledge.sources.local import LocalOrigin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from knowledge.sources.origin import Origin, Reach
    from knowledge.sources.registry import Source


@asynccontextmanager
async def open_origin(source: Source, reach: Reach) -> AsyncIterator[Origin]:
    """Open a source; what it needs is loaded only here.

    Raises:
        UnreachableError: its driver is not installed, a setting it names is not set, or it cannot be had.
    """
    yield LocalOrigin(source)
