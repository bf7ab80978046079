"""Opening a source by its kind."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from knowledge.sources.local import LocalOrigin
from knowledge.sources.origin import UnreachableError
from knowledge.sources.uri import Kind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from knowledge.sources.origin import Origin, Reach
    from knowledge.sources.registry import Source


@asynccontextmanager
async def open_origin(source: Source, reach: Reach) -> AsyncIterator[Origin]:
    """Open a source; what its kind needs is loaded only here.

    Raises:
        UnreachableError: its driver is not installed, a secret it names is not set, or it cannot be had.
    """
    if source.kind is Kind.LOCAL:
        yield LocalOrigin(source)
        return
    async with _driver(source.kind)(source, resolved(source, reach), reach) as origin:
        yield origin


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
    """Return the source's options with the values of the secrets that they name.

    Raises:
        UnreachableError: there is no such secret.
    """
    values: dict[str, Any] = {}
    for name, value in source.options.items():
        if isinstance(value, dict) and "setting" in value:
            if value["setting"] not in reach.secrets:
                raise UnreachableError(
                    f"ALMANAC_SOURCE_SECRETS has no {value['setting']}, which holds the source's {name}."
                )
            values[name] = reach.secrets[value["setting"]]
        else:
            values[name] = value
    return values
