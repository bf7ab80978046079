"""The one place where the parts are made: each is open inside its `async with`, and closed behind it."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from bot.config import CREDENTIALS, SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from procrastinate import App
    from pydantic import SecretStr
    from slack_bolt.async_app import AsyncApp
    from slack_sdk.web.async_client import AsyncWebClient
    from starlette.routing import Route

    from bot.config import Settings
    from grammars.embedded.readings import Readings
    from grammars.engine.protocol import Engine
    from handlers.audience import Readers
    from handlers.services import AnswerQuestion, Known, Reading, Services
    from knowledge.answers import Answer
    from knowledge.audience import Audience
    from knowledge.database import Pool
    from knowledge.embed import Embedder
    from knowledge.extraction import ExtractRecord
    from knowledge.serving import Serving
    from knowledge.sources.origin import Reach

POOL_SIZE = 8
NO_BOT_TOKEN = "SLACK_BOT_TOKEN is not set: docs/slack-setup.md shows where it comes from."  # noqa: S105 - a sentence

log = logging.getLogger(__name__)


class NotHereError(Exception):
    """This process holds no model: the worker answers. Start one with `almanac worker`."""


@asynccontextmanager
async def connection_string(settings: Settings) -> AsyncIterator[str]:
    """Yield `DATABASE_URL`, or start or join the embedded server and bring its schema up to date."""
    from knowledge.database import migrate
    from knowledge.server import embedded_server

    if settings.database_url:
        yield settings.database_url.get_secret_value()
        return
    async with embedded_server(settings.almanac_home) as conninfo:
        await migrate(conninfo)
        yield conninfo


@asynccontextmanager
async def database(
    settings: Settings, *, size: int = POOL_SIZE, patience: float = 0.0
) -> AsyncIterator[Pool]:
    """Open a pool on a database with this version's schema; `patience` is how long a migration is waited for.

    Raises:
        SchemaError: `almanac migrate` was not run, or a newer version of Almanac was at it.
    """
    from knowledge.database import open_pool
    from knowledge.schema import check_schema

    async with connection_string(settings) as conninfo:
        await check_schema(conninfo, patience=patience)
        async with open_pool(conninfo, size=size) as pool:
            yield pool


@asynccontextmanager
async def embedder(settings: Settings, readings: Readings | None = None) -> AsyncIterator[Embedder]:
    """Open what turns text into vectors; `readings` are those that it shares with the engine."""
    from knowledge.embed import open_embedder

    key, reranker = plain(settings.almanac_embedder_key), settings.almanac_reranker
    async with open_embedder(
        settings.almanac_embedder, api_key=key, reranker=reranker, readings=readings
    ) as opened:
        yield opened


@asynccontextmanager
async def serving(settings: Settings, pool: Pool, readings: Readings | None = None) -> AsyncIterator[Serving]:
    """Open the embedder that is set, beside what answers from an index that was built with another."""
    from knowledge.embed import open_embedder
    from knowledge.serving import Serving

    def reopen(name: str) -> AbstractAsyncContextManager[Embedder]:
        same_server = name.partition("#")[0] == settings.almanac_embedder.partition("#")[0]
        key = plain(settings.almanac_embedder_key) if same_server else None
        return open_embedder(name, api_key=key, reranker=settings.almanac_reranker, readings=readings)

    async with embedder(settings, readings) as opened, Serving.opened(pool, opened, reopen) as serving:
        yield serving


@asynccontextmanager
async def engine(settings: Settings, readings: Readings | None = None) -> AsyncIterator[Engine]:
    """Open the model that answers; `readings` are those that it shares with the embedder."""
    from grammars.engine import open_engine

    key = plain(settings.almanac_model_key)
    adapter, dtype = settings.almanac_adapter, settings.almanac_model_dtype
    async with open_engine(
        settings.almanac_model, adapter=adapter, api_key=key, dtype=dtype, readings=readings
    ) as opened:
        yield opened


def reach(settings: Settings) -> Reach:
    """Return what sources may use."""
    from knowledge.sources.origin import Reach

    secrets = {name: value.get_secret_value() for name, value in settings.almanac_source_secrets.items()}
    return Reach(
        settings.almanac_home / "sources",
        secrets,
        private_addresses=settings.almanac_private_sources,
        slack_exports=settings.almanac_slack_exports,
    )


@asynccontextmanager
async def answering(settings: Settings, pool: Pool, **limits: Any) -> AsyncIterator[AnswerQuestion]:
    """Open embedder and engine, and yield what answers a question with them."""
    from grammars.embedded.readings import Readings

    read = Readings()
    async with serving(settings, pool, read) as opened_serving, engine(settings, read) as opened_engine:
        yield answerer(settings, pool, opened_serving, opened_engine, **limits)


def answerer(
    settings: Settings, pool: Pool, serving: Serving, engine: Engine, **limits: Any
) -> AnswerQuestion:
    """Return what answers a question, with the adapter and the index that there are by then.

    `limits` are those of `knowledge.answer.answer`.
    """
    from knowledge.adapters import Following
    from knowledge.answer import answer

    follow = Following(pool, engine, settings.almanac_home / "adapters")

    async def answer_as_chosen(question: str, **asked: Any) -> Answer:
        await follow()

        async def answer_with(embedder: Embedder) -> Answer:
            return await answer(pool, embedder, engine, question, **limits, **asked)

        return await serving.use(answer_with)

    return answer_as_chosen


@asynccontextmanager
async def extracting(settings: Settings, pool: Pool) -> AsyncIterator[ExtractRecord]:
    """Open embedder and engine, and yield what extracts a record with them."""
    async with embedder(settings) as opened_embedder, engine(settings) as opened_engine:
        yield extractor(pool, opened_embedder, opened_engine)


def extractor(pool: Pool, embedder: Embedder, engine: Engine) -> ExtractRecord:
    """Return what extracts a record: `knowledge.extraction.extract_record` over these parts."""
    from knowledge.extraction import extract_record

    return partial(extract_record, pool, embedder, engine)


async def not_answering(question: str, **_: Any) -> Answer:
    """Stand in where questions are only recorded."""
    raise NotHereError(str(NotHereError.__doc__))


def services(pool: Pool, jobs: App, answer: AnswerQuestion) -> Services:
    """Return what handlers may do."""
    from handlers.services import over
    from knowledge.conversations import Conversations
    from knowledge.jobs import Deferrer, Marker

    return over(Conversations(pool, Deferrer(jobs), Marker(jobs)), answer, reading(pool))


async def readers(settings: Settings, pool: Pool, place: str) -> Readers:
    """Return who will see a reply to a person or in a channel, by the id in Slack.

    Raises:
        SettingsError: there is no bot token to ask Slack with.
    """
    from handlers.audience import Audiences

    audiences = Audiences(slack_client(settings), reading(pool))
    return await (audiences.of_person if place[0] in "UW" else audiences.in_channel)(place)


def reading(pool: Pool) -> Reading:
    """Return what tells who may read what."""
    from handlers.services import Reading
    from knowledge import audience

    return Reading(
        listed_readers=partial(audience.listed_readers, pool),
        membership_versions=partial(audience.membership_versions, pool),
        note_membership=partial(audience.note_membership, pool),
        readable_documents=partial(audience.readable_documents, pool),
        known=partial(known, pool),
    )


async def known(pool: Pool, audience: Audience | None) -> list[Known]:
    """List the sources that an audience may read, for the bot's App Home."""
    from handlers.services import Known
    from knowledge.audience import readable_sources
    from knowledge.status import status

    readable = await readable_sources(pool, audience)
    found = [source for source in (await status(pool)).sources if source.name in readable]
    return [Known(source.name, source.documents, _epoch(source.updated_at)) for source in found]


def _epoch(moment: datetime | None) -> int | None:
    return int(moment.timestamp()) if moment else None


def slack_client(settings: Settings) -> AsyncWebClient:
    """Return a client that speaks as the bot.

    Raises:
        SettingsError: there is no bot token.
    """
    from handlers.client import build_client

    if not settings.slack_bot_token:
        raise SettingsError(NO_BOT_TOKEN)
    return build_client(settings.slack_bot_token.get_secret_value(), settings.slack_api_url)


@asynccontextmanager
async def slack_app(settings: Settings, pool: Pool) -> AsyncIterator[AsyncApp]:
    """Yield the app whose listeners record what there is to do."""
    from bot.administration import kb_services
    from bot.records import record_services
    from handlers.app import build_app
    from knowledge.jobs import open_jobs
    from knowledge.schemas import load_schemas

    async with open_jobs(pool) as jobs:
        secret = plain(settings.slack_signing_secret)
        listening = services(pool, jobs, not_answering)
        for name, reason in (await load_schemas(pool, settings.almanac_schemas)).items():
            log.warning("The schema %s is left out. %s", name, reason)
        records = record_services(settings, pool, jobs)
        administration = kb_services(settings, pool, jobs)
        yield build_app(
            listening,
            slack_client(settings),
            records=records,
            administration=administration,
            signing_secret=secret,
        )


@asynccontextmanager
async def hooks(settings: Settings, pool: Pool) -> AsyncIterator[list[Route]]:
    """Yield the webhooks; there are none without a secret to sign them."""
    from bot.hooks import reindex_hook
    from knowledge.jobs import open_jobs
    from knowledge.reindexing import request_reindex

    secret = plain(settings.almanac_webhook_secret)
    if secret is None:
        yield []
        return
    async with open_jobs(pool) as jobs:

        async def request(name: str) -> int:
            (number,) = await request_reindex(
                pool, jobs, [name], cause="webhook", changed_at=datetime.now(UTC)
            )
            return number

        yield [reindex_hook(secret, request)]


def shown_name(model: str) -> str:
    """Return a model's setting without the credentials that its address may hold."""
    return CREDENTIALS.sub("", model)


def plain(secret: SecretStr | None) -> str | None:
    """Return the secret's value, to be handed to whoever needs it."""
    return secret.get_secret_value() if secret else None
