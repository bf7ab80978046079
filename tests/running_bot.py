"""The bot over a real socket: the local workspace, a real Bolt app, a real worker, a real Postgres.

Only the answering is a small function, so that a scenario knows what the answer will be.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from hashing import HashingEmbedder
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

from bot.administration import kb_services, worker_duties
from bot.wiring import reading
from handlers.app import build_app
from handlers.client import build_client
from handlers.reply import Delivery
from handlers.services import Services, over
from handlers.stale import Marking
from knowledge.administering import work_on_administration
from knowledge.answers import Answer, Citation, Retrieved
from knowledge.conversations import Conversations
from knowledge.database import open_pool
from knowledge.jobs import Deferrer, Marker, open_jobs, work
from knowledge.reindexing import work_on_sources
from knowledge.serving import Serving
from knowledge.sources.origin import Reach
from knowledge.stale import stale_quotes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from procrastinate import App

    from bot.config import Settings
    from bot.demo import LocalWorkspace
    from grammars.engine.protocol import Turn
    from knowledge.audience import Audience
    from knowledge.database import Pool

QUOTE = "Logs are kept for 30 days & then <removed>."


def an_answer(question: str, text: str | None = None) -> Answer:
    link = "https://docs.example/logs.md"
    passage = Retrieved(
        1,
        "docs",
        "file:///docs/logs.md",
        "Logs",
        "Logs \u203a Retention",
        QUOTE,
        0,
        43,
        {"dense": 0.71},
        link,
    )
    quoted = Citation(1, QUOTE, "docs", passage.uri, "Logs", "Logs \u203a Retention", 0, 43, link)
    if "unknown" in question:
        return Answer(question, False, "", (), (passage,), "embedded", None, "t1")
    said = text or f"30 days, as you asked: {question} [1]"
    return Answer(question, True, said, (quoted,), (passage,), "embedded", None, "t1", 0.9)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition holds of which nobody sends word, such as a row in Postgres."""
    async with asyncio.timeout(15):
        while not await condition():  # noqa: ASYNC110 - a row in Postgres sets no asyncio.Event
            await asyncio.sleep(0.02)


@dataclass(slots=True)
class Answering:
    """Answers every question, and remembers what it was asked; `fails` counts down errors to raise first."""

    asked: list[tuple[str, tuple[Turn, ...]]] = field(default_factory=list)
    fails: int = 0
    error: Exception = field(default_factory=lambda: RuntimeError("the model tripped"))
    hold: asyncio.Event | None = None
    drafts: list[Answer] = field(default_factory=list)
    audiences: list[Audience | None] = field(default_factory=list)

    async def __call__(
        self,
        question: str,
        *,
        history: Sequence[Turn],
        audience: Audience | None,
        on_progress: Callable[[Answer], None] | None = None,
    ) -> Answer:
        self.asked.append((question, tuple(history)))
        self.audiences.append(audience)
        if on_progress and self.drafts:
            on_progress(self.drafts.pop(0))
        if self.hold is not None:
            await self.hold.wait()
        if self.fails:
            self.fails -= 1
            raise self.error
        return an_answer(question)


@dataclass(slots=True)
class Bot:
    """The running bot, and the workspace that it is in."""

    workspace: LocalWorkspace
    answering: Answering
    services: Services
    delivery: Delivery
    jobs: App
    pool: Pool

    def replies(self, channel: str, ts: str) -> list[dict[str, Any]]:
        """Return what the bot said in a thread."""
        me = self.workspace.slack.app.user_id
        thread = self.workspace.messages(channel, ts)
        return [message for message in thread if message["user"] == me]

    async def answered(self, channel: str, ts: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until the bot said `count` things in a thread and is done; return them."""
        await self.workspace.wait_for(lambda _: len(self.replies(channel, ts)) >= count, 15)
        await self.idle()
        return self.replies(channel, ts)

    async def idle(self) -> None:
        """Wait until there is nothing left to do, redelivered events included."""

        async def idle() -> bool:
            return not await self.busy()

        await until(idle)

    async def busy(self) -> bool:
        """Whether an envelope or a job is under way."""
        waiting = bool(self.workspace.slack.socket._tasks)
        async with self.pool.connection() as connection:
            row = await (
                await connection.execute(
                    "select count(*) from procrastinate_jobs where status in ('todo', 'doing')"
                )
            ).fetchone()
        return waiting or bool(row and row[0])

    async def questions(self) -> list[tuple[str, int]]:
        """Return the text and revision of every question that is remembered."""
        async with self.pool.connection() as connection:
            cursor = await connection.execute("select text, revision from questions order by id")
            return [(text, revision) for text, revision in await cursor.fetchall()]

    async def being_answered(self, revision: int) -> None:
        """Wait until a question is being answered and known in this revision."""

        async def known() -> bool:
            rows = await self.questions()
            return bool(self.answering.asked) and any(number == revision for _, number in rows)

        await until(known)


@contextlib.asynccontextmanager
async def running_bot(
    workspace: LocalWorkspace, conninfo: str, settings: Settings | None = None
) -> AsyncIterator[Bot]:
    """Connect the bot to a workspace, with a worker beside it; with settings, it can be administered."""
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(conninfo, size=24 if settings else 10))
        jobs = await stack.enter_async_context(open_jobs(pool))
        answering = Answering()
        await _remember(pool)
        services = over(Conversations(pool, Deferrer(jobs), Marker(jobs)), answering, reading(pool))
        client = build_client(workspace.bot_token, workspace.api_url)
        delivery = Delivery(client, services, workspace.slack.app.user_id)
        kb = kb_services(settings, pool, jobs) if settings else None
        app = build_app(services, client, administration=kb)
        handler = AsyncSocketModeHandler(app, workspace.app_token, ping_interval=0.5)
        await handler.connect_async()
        stack.push_async_callback(handler.close_async)
        marking = Marking(client, services, partial(stale_quotes, pool))
        worker = asyncio.create_task(_work(jobs, delivery, marking))
        stack.push_async_callback(_stop, worker)
        if kb:
            duties = worker_duties(client, services, kb, pool, Serving(pool, HashingEmbedder()))
            indexing = work_on_sources(jobs, pool, Serving(pool, HashingEmbedder()), Reach())
            for duty in (work_on_administration(jobs, duties), indexing):
                stack.push_async_callback(_stop, asyncio.create_task(duty))
        await asyncio.wait_for(workspace.slack.socket.connected.wait(), 5)
        yield Bot(workspace, answering, services, delivery, jobs, pool)


async def _remember(pool: Pool) -> None:
    """Store the document that answers quote, in a source for everyone."""
    async with pool.connection() as connection:
        await connection.execute(
            "insert into sources (name, uri) values ('docs', 'file:///docs') on conflict do nothing"
        )
        await connection.execute(
            "insert into documents (source_id, uri, path, title, content, size, mtime_ns)"
            " select id, %s, 'logs.md', 'Logs', %s, 0, 0 from sources on conflict do nothing",
            ["file:///docs/logs.md", QUOTE],
        )


async def _work(jobs: App, delivery: Delivery, marking: Marking) -> None:
    async def settle(question_id: int, *, attempt: int) -> None:
        await delivery.settle(question_id, attempt=attempt)  # looked up late, so that a test may replace it

    await work(jobs, settle, concurrency=3, mark=marking.mark)


async def _stop(worker: asyncio.Task[None]) -> None:
    worker.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await worker
