"""Which addresses may be fetched: those of the public network, unless a setting says otherwise.

Else whoever may add a source could read what only this machine can reach.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aiohttp import ClientSession, TCPConnector, ThreadedResolver

from knowledge.sources.origin import UnreachableError

if TYPE_CHECKING:
    from aiohttp import AddrInfoType
    from aiohttp.abc import ResolveResult

PRIVATE = (
    "{} is on this machine or in a private network. If it is meant to be indexed, set"
    " ALMANAC_PRIVATE_SOURCES=true."
)


async def check_public(url: str) -> list[str]:
    """Return the addresses of a URL's host, which are public, all of them.

    Raises:
        UnreachableError: it has another, or none.
    """
    host = urlsplit(url).hostname or ""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UnreachableError(f"{host} cannot be found: {error.strerror}.") from error
    addresses = [str(address[0]) for *_, address in found]
    if not all(map(is_public, addresses)):
        raise UnreachableError(PRIVATE.format(host))
    return addresses


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public network, whatever form it is written in."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return parsed.is_global and not parsed.is_multicast


async def public_client(**given: Any) -> ClientSession:
    """Return a client that connects to public addresses only, whatever name or redirect leads to others."""
    return ClientSession(connector=TCPConnector(socket_factory=_public_socket), **given)


def _public_socket(info: AddrInfoType) -> socket.socket:
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise OSError(errno.EHOSTUNREACH, PRIVATE.format(address[0]))
    return socket.socket(family, kind, protocol)


class PublicResolver(ThreadedResolver):
    """Resolves names to public addresses only; each connection is made to an address that it returned."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host.

        Raises:
            OSError: one of them is not public.
        """
        found = await super().resolve(host, port, family)
        if not all(is_public(entry["host"]) for entry in found):
            raise OSError(PRIVATE.format(host))
        return found
