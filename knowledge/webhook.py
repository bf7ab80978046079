"""Records sent out: signed, to the one address that the settings name.

A receiver recomputes HMAC-SHA256 over `TIMESTAMP.BODY` with the shared secret, compares it with the signature
header, and refuses timestamps that are minutes old. A delivery may arrive twice; its id says so.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import ClientError, ClientTimeout, TCPConnector

from knowledge.sources.addresses import PublicResolver, is_public

if TYPE_CHECKING:
    from collections.abc import Callable

TIMESTAMP = "X-Almanac-Timestamp"
SIGNATURE = "X-Almanac-Signature"
DELIVERY = "X-Almanac-Delivery"
TIMEOUT = ClientTimeout(total=15)  # seconds

TRY_AGAIN = frozenset({408, 425, 429})  # and whatever is the server's own fault, from 500 on
SERVER_ERROR = 500


class DeliveryError(Exception):
    """The webhook did not take the record; it is tried again."""


class DeliveryRefusedError(Exception):
    """The webhook will not take the record, now or later: check ALMANAC_EXTRACT_WEBHOOK and its receiver."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where confirmed records go.

    Attributes:
        url: http or https.
        secret: what deliveries are signed with.
        private: whether the address may be in a private network.
        clock: seconds since the epoch.
    """

    url: str
    secret: str = field(repr=False)
    private: bool = False
    clock: Callable[[], float] = time.time

    async def send(self, delivery_id: str, payload: Any) -> None:
        """Send a payload as JSON; redirects are not followed, and the answer's body is not read.

        Raises:
            DeliveryError: it was not taken, and may be later.
            DeliveryRefusedError: it will not be taken.
        """
        body = json.dumps(payload, ensure_ascii=False).encode()
        try:
            status = await self._post(body, self.headers(body) | {DELIVERY: delivery_id})
        except (ClientError, TimeoutError, OSError) as error:
            raise DeliveryError(f"The webhook cannot be reached: {type(error).__name__}.") from error
        if status in TRY_AGAIN or status >= SERVER_ERROR:
            raise DeliveryError(f"The webhook answered {status}.")
        if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's own numbers
            raise DeliveryRefusedError(f"The webhook answered {status}: check ALMANAC_EXTRACT_WEBHOOK.")

    def headers(self, body: bytes) -> dict[str, str]:
        """Return the headers that sign a body at this moment."""
        moment = str(int(self.clock()))
        return {
            "Content-Type": "application/json; charset=utf-8",
            TIMESTAMP: moment,
            SIGNATURE: f"sha256={signature(self.secret, moment, body)}",
        }

    async def _post(self, body: bytes, headers: dict[str, str]) -> int:
        if not self.private:
            _refuse_address(self.url)
        connector = TCPConnector() if self.private else TCPConnector(resolver=PublicResolver())
        async with (
            aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session,
            session.post(self.url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            return answer.status


def signature(secret: str, moment: str, body: bytes) -> str:
    """Return the hex digest that a receiver compares."""
    return hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()


def _refuse_address(url: str) -> None:
    """Refuse an address that is written as a number, which no resolver is asked about."""
    host = urlsplit(url).hostname or ""
    try:
        public = is_public(host)
    except ValueError:
        return  # a name
    if not public:
        raise DeliveryRefusedError(
            f"{host} is in a private network: set ALMANAC_EXTRACT_WEBHOOK_PRIVATE=true if it is meant."
        )
