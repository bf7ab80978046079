"""The worker's side of a batch: message by message, with its progress shown, and its result as files."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from slack_sdk.errors import SlackApiError

from grammars.engine.errors import BudgetTooSmall, EngineBusy, EngineClosed, PromptTooLong, RemoteError
from grammars.extraction.record import ExtractionError
from handlers.errors import NOT_INVITED, code, hopeless, report
from handlers.events import by_person
from handlers.extract_batch_files import as_csv, as_json_lines, as_table, link_of
from handlers.extract_worker import day_of_ts
from handlers.reply import APOLOGISE_AT
from handlers.text import escape, plain
from handlers.thread_reader import PAGE, read_thread
from knowledge.batches import Row
from knowledge.jobs import LAST_ATTEMPT
from knowledge.schemas import SchemaUnknown

if TYPE_CHECKING:
    from collections.abc import Awaitable
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
BROKEN = "{name}: this could not be finished. {error}"
ENDED = "The messages in <#{channel}> that you asked to have read by `{name}`: {error}"
RESULT = "The records, as a table and as files."
EVERY = 3.0  # seconds between two updates of the progress; Slack takes about one a second in a channel
GIVE_UP_AT = 8  # the attempt (from 0), after two minutes, at which what nobody expected ends a batch

UNREADABLE = (ExtractionError, BudgetTooSmall, PromptTooLong)  # of one message, now and later
MODEL_OUT = (EngineBusy, EngineClosed, RemoteError)  # no message's fault: the model is waited for
REFUSED = frozenset({400, 413, 422})  # a model server's answers to the one message that it does not take

log = logging.getLogger(__name__)


class BatchRun:
    """Runs batches, through a client whose bot user is `bot_user`."""

    def __init__(self, client: AsyncWebClient, services: ExtractServices, bot_user: str) -> None:
        self.client = client
        self.services = services
        self.bot_user = bot_user

    async def carry(self, batch_id: UUID, *, attempt: int) -> None:
        """Go on with a batch; what an earlier attempt has done is not done again.

        A batch that cannot go on ends, and whoever asked for it is told why.

        Raises:
            Exception: another attempt may succeed: the model is out, or Slack refused for now.
        """
        batch = await self.services.batches.find(batch_id)
        if batch is None or batch.finished_at is not None:
            return
        try:
            schema = await self.services.find_schema(batch.schema_name, batch.schema_version)
            await self._run(batch, schema, attempt)
        except Exception as error:
            if attempt < _last_attempt(error):
                raise
            await self._end(batch, _sentence(error, batch), last=attempt >= LAST_ATTEMPT)

    async def _end(self, batch: Batch, sentence: str, *, last: bool) -> None:
        """Tell the person that it ended, and forget the messages; one who cannot be told now is told later.

        Where this is the last attempt, the messages are forgotten all the same.
        """
        name, error = escape(batch.schema_name), escape(sentence)
        try:
            found = await self.services.batches.find(batch.id)
            if found is not None and found.progress_ts:
                await self._try(self._update(batch, found.progress_ts, BROKEN.format(name=name, error=error)))
            told = ENDED.format(channel=batch.channel, name=name, error=error)
            await self._try(self.client.chat_postMessage(channel=batch.asker, text=told))
        except Exception:
            if not last:
                raise
            log.exception("Nobody could be told how batch %s ended.", batch.id)
        await self.services.batches.finish(batch.id, sentence)

    async def _try(self, telling: Awaitable[Any]) -> None:
        """Say something where Slack takes it."""
        try:
            await telling
        except SlackApiError as error:
            if not hopeless(error):
                raise
            log.info("Slack does not take it: %s", code(error))

    async def _run(self, batch: Batch, schema: Schema, attempt: int) -> None:
        progress_ts = batch.progress_ts or await self._announce(batch, schema)
        if not batch.listed:
            rows = await self._fetch(batch, progress_ts)
            await self.services.batches.list_rows(batch.id, rows)
        await self._read_all(batch, schema, progress_ts, attempt)
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

    async def _read_all(self, batch: Batch, schema: Schema, progress_ts: str, attempt: int) -> None:
        rows = await self.services.batches.rows(batch.id)
        shown_at = time.monotonic()
        for row in rows:
            if row.result is not None:
                continue
            result = await self._read(batch, schema, row, attempt)
            await self.services.batches.keep(batch.id, row.number, result)
            if time.monotonic() - shown_at >= EVERY:
                shown_at = time.monotonic()
                words = PROGRESS.format(title=escape(schema.title), done=row.number, all=len(rows))
                await self._update(batch, progress_ts, words)

    async def _read(self, batch: Batch, schema: Schema, row: Row, attempt: int) -> dict[str, Any]:
        """Return the extraction, or why there is none: one message that fails does not end the batch."""
        try:
            made = await self.services.extract(schema, row.text, reference=day_of_ts(row.ts))
        except UNREADABLE as error:
            return {"error": str(error)}
        except Exception as error:
            if _is_out(error) or attempt < APOLOGISE_AT:
                raise
            return {"error": report(error, f"Message {row.ts} of batch {batch.id}")}
        return made.as_json()

    async def _publish(self, batch: Batch, schema: Schema, rows: list[Row], progress_ts: str) -> None:
        """Post the table and the files under the progress; parts that stand there are not posted again."""
        thread = batch.thread_ts or progress_ts
        title = f"{schema.name}-{str(batch.id)[:8]}"
        answer = await self.client.chat_getPermalink(channel=batch.channel, message_ts=progress_ts)
        links = [link_of(row, str(answer["permalink"]), batch.thread_ts) for row in rows]
        parts = (
            partial(self._table, batch, schema, rows, thread),
            partial(self._file, batch, f"{title}.csv", as_csv(schema.definition, rows, links), thread),
            partial(self._file, batch, f"{title}.jsonl", as_json_lines(rows, links), thread),
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


def _is_out(error: Exception) -> bool:
    """Whether the model is out for every message, and does not just refuse one."""
    return isinstance(error, MODEL_OUT) and getattr(error.__cause__, "status_code", None) not in REFUSED


def _last_attempt(error: Exception) -> int:
    """Return the attempt (from 0) at which an error ends a batch."""
    if isinstance(error, SchemaUnknown) or (isinstance(error, SlackApiError) and hopeless(error)):
        return 0
    return LAST_ATTEMPT if _is_out(error) else GIVE_UP_AT


def _sentence(error: Exception, batch: Batch) -> str:
    if isinstance(error, SchemaUnknown):
        return str(error)
    if isinstance(error, SlackApiError) and code(error) in {"not_in_channel", "channel_not_found"}:
        return NOT_INVITED
    return report(error, f"Batch {batch.id}")


def summary(schema: Schema, rows: list[Row]) -> str:
    """Return how a batch ended, escaped."""
    title = escape(schema.title)
    if not rows:
        return NOTHING.format(title=title)
    failed = sum("error" in (row.result or {}) for row in rows)
    told = FAILED.format(failed) if failed else ""
    return DONE.format(title=title, all=len(rows), made=len(rows) - failed, failed=told) + "."
