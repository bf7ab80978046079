"""The parts of `/extract`, put together: what its listeners may do, and what the worker does for them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from procrastinate import App
    from slack_sdk.web.async_client import AsyncWebClient

    from bot.config import Settings
    from handlers.extract_services import ExtractServices, ExtractText, Made
    from knowledge.database import Pool
    from knowledge.drafting import Carry
    from knowledge.schemas import Schema
    from knowledge.webhook import Webhook

CONCURRENCY = 2  # records in the making; the engine decodes them together with the answers
CONNECTIONS = 2 * CONCURRENCY + 2  # that the queue of records may need


class NotHereError(Exception):
    """This process holds no model: the worker reads. Start one with `almanac worker`."""


async def not_extracting(schema: Schema, text: str, *, reference: date) -> Made:
    """Stand in where what is to be read is only recorded."""
    raise NotHereError(str(NotHereError.__doc__))


def record_services(
    settings: Settings, pool: Pool, jobs: App, extract: ExtractText = not_extracting
) -> ExtractServices:
    """Return what the handlers of records may do."""
    from handlers.extract_services import ExtractServices
    from knowledge import schemas
    from knowledge.batches import Batches
    from knowledge.channels import Channels
    from knowledge.drafting import CARRY_DRAFT, DELIVER_RECORD, RUN_BATCH, Deferrer
    from knowledge.drafts import Drafts

    hook = webhook(settings)
    deliver = Deferrer(jobs, DELIVER_RECORD) if hook else None
    return ExtractServices(
        schemas=partial(schemas.list_schemas, pool),
        find_schema=partial(schemas.find_schema, pool),
        add_schema=partial(schemas.add_schema, pool),
        extract=extract,
        parse=text_of,
        drafts=Drafts(pool, Deferrer(jobs, CARRY_DRAFT), deliver),
        batches=Batches(pool, Deferrer(jobs, RUN_BATCH)),
        channels=Channels(pool),
        deliver=hook.send if hook else None,
        learn=settings.almanac_extract_learn,
        admins=frozenset(settings.almanac_admins),
    )


async def text_of(data: bytes, name: str) -> str:
    """Return the text of a file's content, read in a process of its own.

    Raises:
        ParseError: it is broken, protected, or of no kind that can be read.
    """
    from knowledge.convert import Converter
    from knowledge.parse import parse

    async with Converter.opened() as converter:
        return (await parse(data, name, converter)).text


def webhook(settings: Settings) -> Webhook | None:
    """Return where confirmed records are sent, where that is set.

    Raises:
        SettingsError: there is no secret to sign them with.
    """
    from bot.config import SettingsError
    from knowledge.webhook import Webhook

    url, secret = settings.almanac_extract_webhook, settings.almanac_extract_webhook_secret
    if url is None:
        return None
    if secret is None:
        raise SettingsError("ALMANAC_EXTRACT_WEBHOOK needs ALMANAC_EXTRACT_WEBHOOK_SECRET beside it.")
    private = settings.almanac_extract_webhook_private
    return Webhook(url.get_secret_value(), secret.get_secret_value(), private=private)


def record_duties(client: AsyncWebClient, services: ExtractServices, bot_user: str) -> dict[str, Carry]:
    """Return what carries out each job of the queue of records, by the task's name."""
    from handlers.extract_batch_run import BatchRun
    from handlers.extract_worker import Extracting
    from knowledge.drafting import CARRY_DRAFT, DELIVER_RECORD, RUN_BATCH

    extracting = Extracting(client, services, bot_user)
    batches = BatchRun(client, services, bot_user)
    return {CARRY_DRAFT: extracting.carry, DELIVER_RECORD: extracting.deliver, RUN_BATCH: batches.carry}


async def work_on_records(
    pool: Pool, jobs: App, client: AsyncWebClient, bot_user: str, services: ExtractServices
) -> None:
    """Read, post and deliver records until cancelled; it returns only where the queue was lost."""
    from knowledge import drafting

    duties = record_duties(client, services, bot_user)
    await drafting.work_on_records(jobs, pool, duties, concurrency=CONCURRENCY)
