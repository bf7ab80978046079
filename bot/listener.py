"""The HTTP listener: health, metrics, signed webhooks, and Slack's events where they come over HTTP."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import uvicorn
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.metrics import metrics_text
from knowledge.health import Health, activity, health

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from slack_bolt.async_app import AsyncApp
    from starlette.requests import Request

    from knowledge.database import Pool

HEALTH_SECONDS = 5.0  # what a health check may take
HEARTBEAT_SECONDS = 30.0  # a worker silent for longer counts as gone
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class PortInUseError(Exception):
    """Another process listens on this address: stop it, or choose another with --port."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"{host}:{port} cannot be listened on ({reason}): choose another with --port.")


class _Server(uvicorn.Server):
    """A server that leaves the signals to the process that it is a part of."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def build_listener(pool: Pool, slack: AsyncApp | None, *hooks: Route) -> Starlette:
    """Return the ASGI app; `slack` is given where Slack's events come over HTTP."""

    async def healthz(_: Request) -> Response:
        return await _health(pool)

    async def metrics(_: Request) -> Response:
        return Response(metrics_text(await health(pool), await activity(pool)), media_type=METRICS_TYPE)

    routes = [Route("/healthz", healthz), Route("/metrics", metrics), *hooks]
    if slack:
        bolt = AsyncSlackRequestHandler(slack)
        routes.append(Route("/slack/events", bolt.handle, methods=["POST"]))
    return Starlette(routes=routes)


async def _health(pool: Pool) -> Response:
    """200 where questions can be answered; 503, with the same shape, where something is down."""
    try:
        async with asyncio.timeout(HEALTH_SECONDS):
            found = await health(pool)
    except (OperationalError, PoolTimeout, TimeoutError) as error:
        down = {"status": "down", "database": f"not reachable: {type(error).__name__}"}
        return JSONResponse(down, status_code=503)
    state = _state(found)
    return JSONResponse(state, status_code=200 if state["status"] == "ok" else 503)


def _state(found: Health) -> dict[str, Any]:
    alive = found.heartbeat_age is not None and found.heartbeat_age < HEARTBEAT_SECONDS
    return {
        "status": "ok" if alive else "down",
        "database": "ok",
        "worker": "ok" if alive else "no sign of life: start `almanac worker`",
        **asdict(found),
    }


@asynccontextmanager
async def listening(app: Starlette, host: str, port: int) -> AsyncIterator[str]:
    """Serve the app and yield its address; port 0 takes a free one.

    Raises:
        PortInUseError: the address is taken or not ours.
    """
    with _bound(host, port) as bound:
        server = _Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        try:
            yield f"http://{host}:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    try:
        bound = socket.create_server((host, port))
    except OSError as error:
        raise PortInUseError(host, port, error.strerror or str(error)) from None
    with bound:
        yield bound
