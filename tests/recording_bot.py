"""The record features of the bot over a real socket; only the reading is a small function."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from running_bot import Answering, _stop, until
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

from bot import wiring
from bot.records import text_of
from grammars.extraction.record import ExtractionError
from handlers.app import build_app
from handlers.client import build_client
from handlers.extract_services import ExtractServices
from knowledge.batches import Batches
from knowledge.channels import Channels
from knowledge.database import open_pool
from knowledge.drafting import CARRY_DRAFT, DELIVER_RECORD, RUN_BATCH, Deferrer, work_on_records
from knowledge.drafts import Drafts
from knowledge.jobs import open_jobs
from knowledge.schemas import add_schema, find_schema, list_schemas
from knowledge.webhook import DeliveryError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import date

    from bot.demo import LocalWorkspace
    from knowledge.database import Pool
    from knowledge.schemas import Schema

INCIDENT: dict[str, Any] = {
    "title": "Incident report",
    "description": "What broke, and since when.",
    "type": "object",
    "properties": {
        "service": {"type": "string", "minLength": 3, "description": "The service"},
        "severity": {"enum": ["sev1", "sev2", "sev3"]},
        "started": {"type": ["string", "null"], "format": "date"},
        "users": {"type": ["integer", "null"], "minimum": 0},
        "resolved": {"type": "boolean"},
        "owner": {"type": "string"},
        "actions": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"what": {"type": "string"}, "who": {"type": ["string", "null"]}},
                "required": ["what", "who"],
            },
        },
    },
    "required": ["service", "severity", "started", "users", "resolved", "owner", "actions"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Made:
    row: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return self.row


@dataclass(slots=True)
class Reading:
    """Reads by plain patterns; `hold` stops it, so that a test can look at what is shown meanwhile."""

    texts: list[str] = field(default_factory=list)
    references: list[date] = field(default_factory=list)
    hold: asyncio.Event | None = None

    async def __call__(self, schema: Schema, text: str, *, reference: date) -> Made:
        self.texts.append(text)
        self.references.append(reference)
        if self.hold is not None:
            await self.hold.wait()
        if not text.strip() or "unreadable" in text:
            raise ExtractionError("There is no text to extract from <!channel>.")
        record, evidence, missing = read_by_pattern(schema, text)
        row = {"schema": schema.name, "version": schema.version, "record": record, "evidence": evidence}
        return Made(
            row | {"missing": missing, "truncated": False, "model": "patterns", "trace_id": str(os.getpid())}
        )


def read_by_pattern(schema: Schema, text: str) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Return what the patterns find; other schemas than the incident's get their strings' first words."""
    if schema.name != "incident":
        return {name: text.split(maxsplit=1)[0] for name in schema.definition["properties"]}, {}, []
    record: dict[str, Any] = {"service": "---", "severity": "sev1", "started": None, "users": None}
    record |= {"resolved": False, "owner": "", "actions": []}
    evidence: dict[str, Any] = {}
    patterns = {"service": r"\w+-api", "severity": r"sev\d", "users": r"\d+(?= users)", "owner": r"Ana|Jonas"}
    for name, pattern in patterns.items():
        if found := re.search(pattern, text):
            record[name] = int(found[0]) if name == "users" else found[0]
            evidence[f"/{name}"] = {"quote": found[0], "start": found.start(), "end": found.end()}
    for number, found in enumerate(re.finditer(r"TODO: (\w[^\n]*)", text)):
        record["actions"].append({"what": found[1], "who": None})
        evidence[f"/actions/{number}/what"] = {
            "quote": found[1],
            "start": found.start(1),
            "end": found.end(1),
        }
    missing = [f"/{name}" for name in ("service", "severity", "owner") if f"/{name}" not in evidence]
    return record, evidence, missing


@dataclass(slots=True)
class Delivered:
    """What the webhook got; `fails` counts down errors to raise first."""

    payloads: list[tuple[str, Any]] = field(default_factory=list)
    fails: int = 0

    async def __call__(self, delivery_id: str, payload: Any) -> None:
        if self.fails:
            self.fails -= 1
            raise DeliveryError("The webhook answered 503.")
        self.payloads.append((delivery_id, payload))


@dataclass(slots=True)
class RecordingBot:
    """The running bot, and the workspace that it is in."""

    workspace: LocalWorkspace
    reading: Reading
    delivered: Delivered
    services: ExtractServices
    pool: Pool

    def modal(self, user: str) -> dict[str, Any]:
        """Return the modal in front of a person."""
        view = self.workspace.modal(user)
        assert view is not None
        return view

    async def form(self, user: str) -> dict[str, Any]:
        """Wait until a record's form is in front of a person."""
        return await self.workspace.wait_for(
            lambda workspace: (view := workspace.modal(user)) and view["submit"] and view, 15
        )

    def ours(self, channel: str, thread_ts: str | None = None) -> list[dict[str, Any]]:
        """Return what the bot said in a channel or thread."""
        me = self.workspace.slack.app.user_id
        return [one for one in self.workspace.messages(channel, thread_ts) if one["user"] == me]

    async def said(self, channel: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until the bot said `count` things in a channel and is done."""
        await self.workspace.wait_for(lambda _: len(self.ours(channel)) >= count, 15)
        await self.idle()
        return self.ours(channel)

    async def whispers(self, channel: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until `count` messages that one person sees stand in a channel."""
        place = self.workspace.channel(channel)
        return await self.workspace.wait_for(
            lambda _: len(place.ephemeral) >= count and list(place.ephemeral.values()), 15
        )

    async def idle(self) -> None:
        """Wait until there is nothing left to do."""

        async def idle() -> bool:
            waiting = bool(self.workspace.slack.socket._tasks)
            async with self.pool.connection() as connection:
                cursor = await connection.execute(
                    "select count(*) from procrastinate_jobs where status in ('todo', 'doing')"
                )
                row = await cursor.fetchone()
            return not waiting and row == (0,)

        await until(idle)

    async def rows(self, query: str) -> list[Any]:
        """Return the rows of a query."""
        async with self.pool.connection() as connection:
            return await (await connection.execute(query)).fetchall()


@contextlib.asynccontextmanager
async def recording_bot(
    workspace: LocalWorkspace, conninfo: str, *, work: bool = True, **changes: Any
) -> AsyncIterator[RecordingBot]:
    """Connect the bot to a workspace, with a worker beside it; `changes` are fields of its services."""
    from handlers.extract_batch_run import BatchRun
    from handlers.extract_worker import Extracting

    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(conninfo, size=10))
        jobs = await stack.enter_async_context(open_jobs(pool))
        await add_schema_unchecked(pool, "incident", INCIDENT)
        reading, delivered = Reading(), Delivered()
        fields = {
            "schemas": lambda: list_schemas(pool),
            "find_schema": lambda name, version=None: find_schema(pool, name, version),
            "add_schema": lambda name, definition: add_schema(pool, name, definition),
            "extract": reading,
            "parse": text_of,
            "drafts": Drafts(pool, Deferrer(jobs, CARRY_DRAFT), Deferrer(jobs, DELIVER_RECORD)),
            "batches": Batches(pool, Deferrer(jobs, RUN_BATCH)),
            "channels": Channels(pool),
            "deliver": delivered,
        }
        services = ExtractServices(**(fields | changes))
        client = build_client(workspace.bot_token, workspace.api_url)
        me = workspace.slack.app.user_id
        app = build_app(wiring.services(pool, jobs, Answering()), client, records=services)
        handler = AsyncSocketModeHandler(app, workspace.app_token, ping_interval=0.5)
        await handler.connect_async()
        stack.push_async_callback(handler.close_async)
        extracting, batches = Extracting(client, services, me), BatchRun(client, services, me)
        duties = {CARRY_DRAFT: extracting.carry, DELIVER_RECORD: extracting.deliver, RUN_BATCH: batches.carry}
        if work:
            worker = asyncio.create_task(work_on_records(jobs, pool, duties, concurrency=3))
            stack.push_async_callback(_stop, worker)
        await asyncio.wait_for(workspace.slack.socket.connected.wait(), 5)
        yield RecordingBot(workspace, reading, delivered, services, pool)


async def add_schema_unchecked(pool: Pool, name: str, definition: Any) -> None:
    """Keep a schema without compiling its grammar, which the reading function needs none of."""
    from grammars.extraction.check import Report
    from knowledge.schemas import _keep

    await _keep(pool, name, definition, Report(enforced=True))


TODAY = datetime.now(UTC).date()
