"""`POST /hooks/reindex/NAME`: somebody who changed a source says so, and signs it.

The signature is the HMAC-SHA256 of `TIMESTAMP.BODY` under ALMANAC_WEBHOOK_SECRET, as `v1=HEX` in
`X-Almanac-Signature`, with the seconds since the epoch in `X-Almanac-Timestamp`. GitHub's own webhooks,
which sign the body alone in `X-Hub-Signature-256`, are taken as well: repeating one costs a run that finds
nothing new.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from knowledge.sources import SourceError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

LONGEST_AGE = 300.0  # seconds between signing and arriving, either way
MOST_BYTES = 25 * 1024 * 1024  # what GitHub sends at most
ACCEPTED, UNAUTHORISED, NOT_FOUND, TOO_LARGE = 202, 401, 404, 413
TIMESTAMP, SIGNATURE, GITHUB = "x-almanac-timestamp", "x-almanac-signature", "x-hub-signature-256"
REFUSED = "The signature does not fit, or is older than five minutes: docs/sources.md shows how to sign."


def reindex_hook(secret: str, request_reindex: Callable[[str], Awaitable[int]]) -> Route:
    """Return the route; `request_reindex` asks for a run over the source of a name and returns its number."""

    async def hook(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return JSONResponse({"error": "The body is too large."}, TOO_LARGE)
        if not is_signed(secret, request.headers, body, time.time()):
            return JSONResponse({"error": REFUSED}, UNAUTHORISED)
        try:
            number = await request_reindex(request.path_params["name"])
        except SourceError:
            return JSONResponse({"error": "There is no such source."}, NOT_FOUND)
        return JSONResponse({"run": number}, ACCEPTED)

    return Route("/hooks/reindex/{name:path}", hook, methods=["POST"])


def is_signed(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether the body was signed with the secret, and lately where the signature says when."""
    if GITHUB in headers:
        return hmac.compare_digest(headers[GITHUB].encode(), b"sha256=" + _digest(secret, body))
    moment = headers.get(TIMESTAMP, "")
    if not moment.isascii() or not moment.isdigit() or abs(now - int(moment)) > LONGEST_AGE:
        return False
    expected = b"v1=" + _digest(secret, moment.encode() + b"." + body)
    return hmac.compare_digest(headers.get(SIGNATURE, "").encode(), expected)


def _digest(secret: str, signed: bytes) -> bytes:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()


async def _body(request: Request) -> bytes | None:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            return None
    return bytes(body)
