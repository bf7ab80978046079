"""Opening a source by its kind."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from knowledge.sources.local import LocalOrigin
from knowledge.sources.origin import UnreachableError
from knowledge.sources.uri import Kind, setting_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from knowledge.sources.origin import Content, File, Listing, Origin, Reach
    from knowledge.sources.registry import Source

LONGEST_ADDRESS = 2_600  # bytes; the index of addresses takes no more than 2,704 for a row
LONG_ADDRESS = "Its address is too long."
INT8 = 2**63


@asynccontextmanager
async def open_origin(source: Source, reach: Reach) -> AsyncIterator[Origin]:
    """Open a source; what its kind needs is loaded only here.

    Raises:
        UnreachableError: its driver is not installed, a secret it names is not set, or it cannot be had.
    """
    if source.kind is Kind.LOCAL:
        yield Storable(LocalOrigin(source))
        return
    async with _driver(source.kind)(source, resolved(source, reach), reach) as origin:
        yield Storable(origin)


class Storable:
    """An origin whose documents fit where they are stored, whatever it says of them."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    async def list(self) -> Listing:
        """Return everything there is to index."""
        listing = await self._origin.list()
        return replace(listing, files=[storable(file) for file in listing.files])

    async def read(self, file: File, version: str | None) -> Content:
        """Read a document."""
        content = await self._origin.read(file, version)
        return replace(content, file=storable(content.file))


def storable(file: File) -> File:
    """Return the file with a time that a row holds; one of too long an address stands under a short one."""
    fitting = replace(file, mtime_ns=max(-INT8, min(file.mtime_ns, INT8 - 1)))
    address = file.uri.encode()
    if len(address) <= LONGEST_ADDRESS:
        return fitting
    short = f"{file.uri[: LONGEST_ADDRESS // 10]}…{hashlib.sha256(address).hexdigest()}"
    return replace(fitting, uri=short, error=LONG_ADDRESS)


def _driver(kind: Kind) -> Callable[..., AbstractAsyncContextManager[Origin]]:
    if kind is Kind.GIT:
        from knowledge.sources.git import open_git

        return open_git
    if kind is Kind.WEB:
        from knowledge.sources.web import open_web

        return open_web
    if kind is Kind.SLACK_EXPORT:
        from knowledge.sources.slack_export import open_export

        return open_export
    from knowledge.sources.remote import open_remote

    return open_remote


def resolved(source: Source, reach: Reach) -> dict[str, Any]:
    """Return the source's options with the values of the secrets that they name, however deep.

    Raises:
        UnreachableError: there is no such secret.
    """
    return {name: _resolved(name, value, reach) for name, value in source.options.items()}


def _resolved(name: str, value: Any, reach: Reach) -> Any:
    if setting := setting_of(value):
        if setting not in reach.secrets:
            raise UnreachableError(
                f"ALMANAC_SOURCE_SECRETS has no {setting}, which holds the source's {name}."
            )
        return reach.secrets[setting]
    if isinstance(value, dict):
        return {inner: _resolved(inner, of, reach) for inner, of in value.items()}
    if isinstance(value, list):
        return [_resolved(name, of, reach) for of in value]
    return value
