"""The worker's side of records: reads what a draft names, shows it, and posts what a person confirmed."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from slack_sdk.errors import SlackApiError

from grammars.extraction.record import ExtractionError
from handlers.errors import NOT_INVITED, code, hopeless, report
from handlers.extract_files import attached_texts, with_files
from handlers.extract_post import evidence_of, post_record, standing_parts
from handlers.extract_source import composed, spoken
from handlers.extract_views import POSTED, external_id, last_view, record_view, sorry_view
from handlers.reply import APOLOGISE_AT
from handlers.schema_modal_form import without
from handlers.text import escape
from handlers.thread_reader import read_thread
from handlers.triage import sort_message
from knowledge.convert import ParseError
from knowledge.drafts import Piece
from knowledge.schemas import SchemaUnknown
from knowledge.webhook import DeliveryRefusedError

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.extract_services import ExtractServices
    from handlers.rich import Block
    from knowledge.drafts import Draft
    from knowledge.schemas import Schema

NOT_POSTED = "Your record is kept, but I could not post it: {}"

log = logging.getLogger(__name__)


class Extracting:
    """Carries drafts on, through a client whose bot user is `bot_user`."""

    def __init__(self, client: AsyncWebClient, services: ExtractServices, bot_user: str) -> None:
        self.client = client
        self.services = services
        self.bot_user = bot_user

    async def carry(self, draft_id: UUID, *, attempt: int) -> None:
        """Do what the draft calls for; `attempt` counts from 0.

        Raises:
            SlackApiError: Slack refused; another attempt may succeed.
            EngineError: the model could not answer; likewise.
        """
        draft = await self.services.drafts.find(draft_id)
        if draft is None or draft.schema_name is None:
            return
        if draft.state == "reading":
            await self._read(draft, attempt)
        elif draft.state == "ready" and draft.triage:
            mode = await self.services.channels.mode(draft.team, draft.channel)
            await sort_message(self.client, self.services, draft, await self._schema(draft), mode)
        elif draft.state == "ready":
            await self._show(draft, await self._schema(draft))
        elif draft.state == "confirmed":
            await self._post(draft, attempt)

    async def deliver(self, draft_id: UUID, *, attempt: int) -> None:  # noqa: ARG002 - every duty is told
        """Send a confirmed record out.

        Raises:
            DeliveryError: it was not taken, and may be at another attempt.
        """
        draft = await self.services.drafts.find(draft_id)
        if draft is None or draft.delivered_at is not None or self.services.deliver is None:
            return
        try:
            await self.services.deliver(str(draft.id), payload_of(draft))
        except DeliveryRefusedError as error:
            report(error, f"Delivering record {draft.id}")
            return
        await self.services.drafts.delivered(draft.id)

    async def _read(self, draft: Draft, attempt: int) -> None:
        try:
            schema, draft = await self._schema(draft), await self._gather(draft)
            made = await self.services.extract(schema, draft.text, reference=day_of(draft))
        except (ExtractionError, ParseError, SchemaUnknown) as error:
            await self._apologise(draft, str(error))
            return
        except SlackApiError as error:
            if not hopeless(error):
                raise
            invite = code(error) in {"not_in_channel", "channel_not_found"}
            await self._apologise(
                draft, NOT_INVITED if invite else report(error, f"Reading draft {draft.id}")
            )
            return
        except Exception as error:
            if attempt < APOLOGISE_AT:
                raise
            await self._apologise(draft, report(error, f"Reading draft {draft.id}"))
            return
        await self._present(draft, schema, made.as_json())

    async def _present(self, draft: Draft, schema: Schema, extraction: dict[str, Any]) -> None:
        """Show the record; where the channel is set to, post it without asking, if nothing is missing."""
        missing = extraction.get("missing", [])
        record = without(extraction["record"], missing)
        ready = await self.services.drafts.extracted(draft, extraction, record)
        if ready is None:
            return  # dropped, or another schema chosen meanwhile
        mode = await self.services.channels.mode(draft.team, draft.channel)
        if draft.triage:
            await sort_message(self.client, self.services, ready, schema, mode)
        elif mode.automatic and not missing:
            await self.services.drafts.confirm(ready, record, None)
            await self._update(ready, last_view(ready, POSTED))
        else:
            await self._show(ready, schema)

    async def _gather(self, draft: Draft) -> Draft:
        if draft.files:
            text = await with_files(self.client, draft, self.services.parse)
            pieces = [Piece(draft.messages[0].ts, 0, len(text))]
        elif draft.whole_thread and not draft.text:
            thread = await read_thread(self.client, draft.channel, draft.messages[0].ts)
            said = spoken(thread, self.bot_user)
            text, pieces = composed(said, await attached_texts(self.client, said, self.services.parse))
        else:
            return draft
        await self.services.drafts.gather(draft, text, pieces)
        found = await self.services.drafts.find(draft.id)
        assert found is not None
        return found

    async def _show(self, draft: Draft, schema: Schema) -> None:
        await self._update(draft, record_view(draft, schema, await self.services.schemas()))

    async def _apologise(self, draft: Draft, sentence: str) -> None:
        failed = await self.services.drafts.fail(draft, sentence)
        if failed is not None and not failed.triage:
            await self._update(failed, sorry_view(failed, await self.services.schemas(), sentence))

    async def _update(self, draft: Draft, view: Block) -> None:
        """Show a view in the draft's modal, where that is still on the screen."""
        try:
            await self.client.views_update(external_id=external_id(draft), view=view)
        except SlackApiError as error:
            if code(error) not in {"not_found", "view_not_found"}:
                raise
            log.info("The modal of draft %s is closed.", draft.id)

    async def _post(self, draft: Draft, attempt: int) -> None:
        try:
            standing = await standing_parts(self.client, draft, self.bot_user) if attempt else {}
            ts = await post_record(self.client, draft, await self._schema(draft), standing)
        except SlackApiError as error:
            if not hopeless(error):
                raise
            invite = code(error) in {"not_in_channel", "channel_not_found"}
            why = NOT_INVITED if invite else report(error, f"Posting record {draft.id}")
            if not draft.triage:
                await self.client.chat_postMessage(channel=draft.asker, text=escape(NOT_POSTED.format(why)))
            ts = None
        await self.services.drafts.posted(draft, ts)

    async def _schema(self, draft: Draft) -> Schema:
        assert draft.schema_name is not None
        return await self.services.find_schema(draft.schema_name, draft.schema_version)


def day_of(draft: Draft) -> date:
    """Return the day of the first message, or today where a text was pasted."""
    return day_of_ts(draft.messages[0].ts) if draft.messages else datetime.now(UTC).date()


def day_of_ts(ts: str) -> date:
    """Return the day on which a message was written, in UTC."""
    return datetime.fromtimestamp(float(ts), UTC).date()


def payload_of(draft: Draft) -> dict[str, Any]:
    """Return what the webhook gets."""
    extraction = draft.extraction or {}
    told: dict[str, Any] = {key: extraction.get(key) for key in ("model", "trace_id")}
    where = {
        "team": draft.team,
        "channel": draft.channel,
        "thread_ts": draft.thread_ts,
        "card_ts": draft.card_ts,
    }
    return {
        "id": str(draft.id),
        "schema": draft.schema_name,
        "version": draft.schema_version,
        "record": draft.record,
        "evidence": evidence_of(draft),
        **told,
        "slack": where | {"messages": [piece.ts for piece in draft.messages]},
        "confirmed_by": draft.confirmed_by,
        "confirmed_at": draft.confirmed_at.isoformat() if draft.confirmed_at else None,
    }
