"""Socket Mode: WebSocket connections of the app, one delivery an envelope, acknowledgements, redelivery."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import secrets
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from bot.demo.faults import Faults
    from bot.demo.workspace import Json

MAX_CONNECTIONS = 10  # Slack's: "up to 10 WebSocket connections at the same time"
HEARTBEAT_S = 10.0


class NotAcknowledgedError(Exception):
    """The app did not acknowledge in time: it is not connected, or its listener is too slow."""


@dataclass(frozen=True, slots=True)
class Redelivery:
    """When an event that was not acknowledged comes again.

    Attributes:
        ack_timeout: Seconds that an app has to acknowledge.
        delays: Seconds before each further attempt (Slack: at once, after 1 and after 5 minutes).
    """

    ack_timeout: float = 3.0
    delays: tuple[float, ...] = (0.0, 60.0, 300.0)


@dataclass(slots=True)
class Delivery:
    """One attempt; `ack_s` is the time until its acknowledgement in seconds, None where none came."""

    envelope_id: str
    kind: str
    payload: Json
    attempt: int = 0
    ack_s: float | None = None
    sent_at: float = field(default_factory=time.monotonic)


class SocketMode:
    """The app's connections and the envelopes that go over them."""

    def __init__(self, app_id: str, faults: Faults, redelivery: Redelivery) -> None:
        self.app_id = app_id
        self.faults = faults
        self.redelivery = redelivery
        self.deliveries: list[Delivery] = []
        self.connections: dict[web.WebSocketResponse, web.Request] = {}
        self.connected = asyncio.Event()
        self.when_connected: Callable[[bool], None] = lambda _connected: None
        self._turn = itertools.count()
        self._tickets: set[str] = set()
        self._acks: dict[str, asyncio.Future[Json]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # -- connections --

    def ticket(self) -> str:
        """Return a secret that opens one connection."""
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        return ticket

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it closes."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=401, text="Ask apps.connections.open for a new address.")
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S)
        await socket.prepare(request)
        if len(self.connections) >= MAX_CONNECTIONS:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        with self._open(socket, request):
            await socket.send_json(self._hello())
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    self._acknowledged(message.data)
        return socket

    @contextlib.contextmanager
    def _open(self, socket: web.WebSocketResponse, request: web.Request) -> Iterator[None]:
        self.connections[socket] = request
        self.connected.set()
        self.when_connected(True)
        try:
            yield
        finally:
            del self.connections[socket]
            if not self.connections:
                self.connected.clear()
                self.when_connected(False)

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self.connections),
            "connection_info": {"app_id": self.app_id},
            "debug_info": {"host": "local-workspace", "approximate_connection_time": 18060},
        }

    def _acknowledged(self, text: str) -> None:
        try:
            ack = json.loads(text)
            waiting = self._acks.get(ack["envelope_id"])
        except (ValueError, KeyError, TypeError):
            return  # Slack ignores what is not an acknowledgement
        if waiting is not None and not waiting.done() and not self.faults.lost_acks:
            waiting.set_result(dict(ack.get("payload") or {}))

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask every connection to go, and close it, as Slack does every few hours."""
        for socket in tuple(self.connections):
            await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {}})
            await socket.close()

    def drop(self) -> None:
        """Cut every connection without a word, as a broken network does."""
        for request in self.connections.values():
            if request.transport is not None:
                request.transport.abort()

    # -- envelopes --

    async def ask(self, kind: str, payload: Json) -> Json:
        """Deliver a slash command or an interaction once; return what the app acknowledged it with.

        Raises:
            NotAcknowledgedError: No acknowledgement came in time.
        """
        return await self._attempt(Delivery(str(uuid.uuid4()), kind, payload))

    def post_event(self, payload: Json) -> None:
        """Deliver an event in the background, again and again until it is acknowledged or given up."""
        for _ in range(self.faults.copies):
            self.start(self._deliver(payload))

    async def _deliver(self, payload: Json) -> None:
        for attempt, delay in enumerate((None, *self.redelivery.delays)):
            await asyncio.sleep(delay or 0)
            with contextlib.suppress(NotAcknowledgedError):
                await self._attempt(Delivery(str(uuid.uuid4()), "events_api", payload, attempt))
                return

    async def _attempt(self, delivery: Delivery) -> Json:
        ack = self._acks[delivery.envelope_id] = asyncio.get_running_loop().create_future()
        self.deliveries.append(delivery)
        try:
            async with asyncio.timeout(self.redelivery.ack_timeout):
                await self._send(delivery)
                answer: Json = await ack
        except TimeoutError:
            raise NotAcknowledgedError(f"No acknowledgement of {delivery.kind} in time.") from None
        finally:
            del self._acks[delivery.envelope_id]
        delivery.ack_s = time.monotonic() - delivery.sent_at
        return answer

    async def _send(self, delivery: Delivery) -> None:
        while not self.faults.deaf:
            await self.connected.wait()
            socket = tuple(self.connections)[next(self._turn) % len(self.connections)]
            delivery.sent_at = time.monotonic()
            try:
                return await socket.send_json(self._envelope(delivery))
            except ConnectionError:  # it went while its turn came: the next one takes it
                await asyncio.sleep(0)
        return None

    def _envelope(self, delivery: Delivery) -> Json:
        envelope: Json = {
            "envelope_id": delivery.envelope_id,
            "type": delivery.kind,
            "payload": delivery.payload,
            "accepts_response_payload": delivery.kind != "events_api",
        }
        if delivery.kind == "events_api":
            envelope["retry_attempt"] = delivery.attempt
            envelope["retry_reason"] = "timeout" if delivery.attempt else ""
        return envelope

    # -- work in the background --

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background until the workspace closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Wait until every event so far was acknowledged or given up."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Close every connection and give up every delivery."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in tuple(self.connections):
            await socket.close()
