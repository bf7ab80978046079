"""The worker's side of a batch: message by message, with its progress shown, and its result as files."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from slack_sdk.errors import SlackApiError

from grammars.engine.errors import EngineError
from grammars.extraction.record import ExtractionError
from handlers.errors import hopeless, report
from handlers.events import by_person
from handlers.extract_batch_files import as_csv, as_json_lines, as_table
from handlers.extract_worker import day_of_ts
from handlers.text import escape, plain
from handlers.thread_reader import PAGE, read_thread
from knowledge.batches import Row

if TYPE_CHECKING:
    from uuid import UUID

    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.extract_services import ExtractServices
    from handlers.thread_reader import Said
    from knowledge.batches import Batch
    from knowledge.schemas import Schema

PROGRESS = ":hourglass_flowing_sand: {title}: {done} of {all} messages read"
DONE = "{title}: {all} messages read, {made} records{failed}"
FAILED = ", {} could not be read"
NOTHING = "{title}: there were no messages to read."
BROKEN = "{title}: {error}"
RESULT = "The records, as a table and as files."
EVERY = 3.0  # seconds between two updates of the progress; Slack takes about one a second in a channel


class BatchRun:
    """Runs batches, through a client whose bot user is `bot_user`."""

    def __init__(self, client: AsyncWebClient, services: ExtractServices, bot_user: str) -> None:
        self.client = client
        self.services = services
        self.bot_user = bot_user

    async def carry(self, batch_id: UUID, *, attempt: int) -> None:  # noqa: ARG002 - every duty is told
        """Go on with a batch; what an earlier attempt has done is not done again.

        Raises:
            SlackApiError: Slack refused; another attempt may succeed.
        """
        batch = await self.services.batches.find(batch_id)
        if batch is None or batch.finished_at is not None:
            return
        schema = await self.services.find_schema(batch.schema_name, batch.schema_version)
        try:
            await self._run(batch, schema)
        except SlackApiError as error:
            if not hopeless(error):
                raise
            await self.services.batches.finish(batch.id, report(error, f"Batch {batch.id}"))

    async def _run(self, batch: Batch, schema: Schema) -> None:
        progress_ts = batch.progress_ts or await self._announce(batch, schema)
        if not batch.listed:
            rows = await self._fetch(batch, progress_ts)
            await self.services.batches.list_rows(batch.id, rows)
        await self._read_all(batch, schema, progress_ts)
        rows = await self.services.batches.rows(batch.id)
        await self._update(batch, progress_ts, summary(schema, rows))
        if rows:
            await self._publish(batch, schema, rows, progress_ts)
        await self.services.batches.finish(batch.id)

    async def _announce(self, batch: Batch, schema: Schema) -> str:
        words = PROGRESS.format(title=escape(schema.title), done=0, all=f"up to {batch.wanted}")
        answer = await self.client.chat_postMessage(
            channel=batch.channel, thread_ts=batch.thread_ts, text=words
        )
        await self.services.batches.shown(batch.id, str(answer["ts"]))
        return str(answer["ts"])

    async def _fetch(self, batch: Batch, before: str) -> list[Row]:
        """Return the messages that people wrote before the batch was announced, oldest first."""
        if batch.thread_ts:
            found = await read_thread(self.client, batch.channel, batch.thread_ts)
        else:
            found = await self._history(batch, before)
        spoken = [one for one in found if by_person(one) and plain(one.get("text") or "")]
        newest = sorted(spoken, key=lambda one: float(one["ts"]))[-batch.wanted :]
        return [
            Row(number, one["ts"], plain(one["text"]), one.get("user"))
            for number, one in enumerate(newest, 1)
        ]

    async def _history(self, batch: Batch, before: str) -> list[Said]:
        found: list[Said] = []
        pages = await self.client.conversations_history(channel=batch.channel, latest=before, limit=PAGE)
        async for page in pages:
            found.extend(page["messages"])
            if sum(map(by_person, found)) >= batch.wanted:
                break
        return found

    async def _read_all(self, batch: Batch, schema: Schema, progress_ts: str) -> None:
        rows = await self.services.batches.rows(batch.id)
        shown_at = time.monotonic()
        for row in rows:
            if row.result is not None:
                continue
            await self.services.batches.keep(batch.id, row.number, await self._read(schema, row))
            if time.monotonic() - shown_at >= EVERY:
                shown_at = time.monotonic()
                words = PROGRESS.format(title=escape(schema.title), done=row.number, all=len(rows))
                await self._update(batch, progress_ts, words)

    async def _read(self, schema: Schema, row: Row) -> dict[str, Any]:
        """Return the extraction, or why there is none: one message that fails does not end the batch."""
        try:
            made = await self.services.extract(schema, row.text, reference=day_of_ts(row.ts))
        except (ExtractionError, EngineError) as error:
            return {"error": str(error)}
        return made.as_json()

    async def _publish(self, batch: Batch, schema: Schema, rows: list[Row], progress_ts: str) -> None:
        """Post the table and the files under the progress; parts that stand there are not posted again."""
        thread = batch.thread_ts or progress_ts
        title = f"{schema.name}-{str(batch.id)[:8]}"
        parts = (
            partial(self._table, batch, schema, rows, thread),
            partial(self._file, batch, f"{title}.csv", as_csv(schema.definition, rows), thread),
            partial(self._file, batch, f"{title}.jsonl", as_json_lines(rows), thread),
        )
        for number, post in enumerate(parts, 1):
            if number > batch.parts:
                await post()
                await self.services.batches.posted(batch.id, number)

    async def _table(self, batch: Batch, schema: Schema, rows: list[Row], thread: str) -> None:
        blocks = as_table(schema.definition, rows)
        await self.client.chat_postMessage(
            channel=batch.channel, thread_ts=thread, text=RESULT, blocks=blocks, unfurl_links=False
        )

    async def _file(self, batch: Batch, name: str, content: str, thread: str) -> None:
        await self.client.files_upload_v2(
            channel=batch.channel, thread_ts=thread, filename=name, title=name, content=content
        )

    async def _update(self, batch: Batch, ts: str, words: str) -> None:
        await self.client.chat_update(channel=batch.channel, ts=ts, text=words)


def summary(schema: Schema, rows: list[Row]) -> str:
    """Return how a batch ended, escaped."""
    title = escape(schema.title)
    if not rows:
        return NOTHING.format(title=title)
    failed = sum("error" in (row.result or {}) for row in rows)
    told = FAILED.format(failed) if failed else ""
    return DONE.format(title=title, all=len(rows), made=len(rows) - failed, failed=told) + "."
