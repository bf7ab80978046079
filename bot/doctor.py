"""The examination behind `almanac doctor`: each finding says what is, and how to mend what is broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
import yaml
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import wiring
from bot.config import SettingsError, read_settings
from bot.documentation import MANIFEST
from grammars.engine.errors import EngineError
from knowledge.database import PGVECTOR
from knowledge.embed import EmbeddingError
from knowledge.health import health
from knowledge.schema import describe, newest_revision

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.config import Settings

SETUP = "docs/slack-setup.md shows where it comes from."


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `ok` is None where it is not set and need not be."""

    what: str
    ok: bool | None
    detail: str
    remedy: str = ""


async def examine() -> AsyncIterator[Finding]:
    """Look at everything, from the ground up; what rests on something broken is left out."""
    try:
        settings = read_settings()
    except SettingsError as error:
        yield Finding("Settings", False, str(error), "Correct them in the environment or in .env.")
        return
    yield Finding("Settings", True, f"state lives under {settings.almanac_home}")
    async for finding in _database(settings):
        yield finding
    yield await _embedder(settings)
    yield await _model(settings)
    yield await _bot_token(settings)
    yield await _app_token(settings)
    yield _signing_secret(settings)


async def _database(settings: Settings) -> AsyncIterator[Finding]:
    where = "DATABASE_URL" if settings.database_url else "embedded"
    try:
        async with wiring.connection_string(settings) as conninfo:
            server = await describe(conninfo)
            yield Finding("Database", True, f"{where}, PostgreSQL {server.postgres}")
            yield _pgvector(server.pgvector)
            yield _schema(server.revision)
            if server.revision == newest_revision():
                yield await _index(settings)
    except (psycopg.Error, OSError, RuntimeError) as error:
        remedy = "Check that the server runs and what DATABASE_URL says; unset it for the embedded one."
        yield Finding("Database", False, f"{where}: {error}", remedy)


def _pgvector(version: str | None) -> Finding:
    if version is None:
        remedy = "Install pgvector on the database server: https://github.com/pgvector/pgvector"
        return Finding("pgvector", False, "not installed", remedy)
    if tuple(map(int, version.split(".")[:2])) < PGVECTOR:
        return Finding("pgvector", False, f"{version} is too old", "Update it to 0.8 or newer.")
    return Finding("pgvector", True, version)


def _schema(revision: str | None) -> Finding:
    if revision == newest_revision():
        return Finding("Schema", True, f"revision {revision}, the newest")
    detail = f"revision {revision or 'none'}, where {newest_revision()} is needed"
    newer = revision is not None and revision > newest_revision()
    return Finding("Schema", False, detail, "Update Almanac." if newer else "Run `almanac migrate`.")


async def _index(settings: Settings) -> Finding:
    async with wiring.database(settings) as pool:
        found = await health(pool)
    detail = f"{found.passages} passages of {found.documents} documents, {found.failed_documents} failed"
    if not found.passages:
        return Finding("Index", None, "empty", "Run `almanac sources add PATH`, then `almanac reindex`.")
    return Finding("Index", True, detail, "`almanac status` names them." if found.failed_documents else "")


async def _embedder(settings: Settings) -> Finding:
    name = wiring.shown_name(settings.almanac_embedder)
    try:
        async with wiring.embedder(settings) as embedder:
            vectors = await embedder.embed(["Does it work?"])
    except (EmbeddingError, OSError) as error:
        return Finding("Embedder", False, f"{name}: {error}", "Check ALMANAC_EMBEDDER.")
    return Finding("Embedder", True, f"{name}, {vectors.shape[1]} dimensions")


async def _model(settings: Settings) -> Finding:
    name = wiring.shown_name(settings.almanac_model)
    try:
        async with wiring.engine(settings) as engine:
            kind = "quotes, extractive" if engine.extractive else "writes and quotes"
    except (EngineError, OSError) as error:
        return Finding("Model", False, f"{name}: {error}", "Check ALMANAC_MODEL and ALMANAC_ADAPTER.")
    return Finding("Model", True, f"{name} ({kind})")


async def _bot_token(settings: Settings) -> Finding:
    if not settings.slack_bot_token:
        return Finding("Slack bot token", None, "SLACK_BOT_TOKEN is not set", SETUP)
    try:
        answer = await wiring.slack_client(settings).auth_test()
    except (SlackApiError, OSError, TimeoutError) as error:
        return Finding("Slack bot token", False, _reason(error), f"Check SLACK_BOT_TOKEN; {SETUP}")
    granted = {scope.strip() for scope in answer.headers.get("x-oauth-scopes", "").split(",")}
    if missing := sorted(needed_scopes() - granted):
        remedy = "Add them under OAuth & Permissions on the app's page, and reinstall the app."
        return Finding("Slack bot token", False, f"scopes are missing: {', '.join(missing)}", remedy)
    return Finding("Slack bot token", True, f"{answer['user']} in {answer['team']}, every scope granted")


async def _app_token(settings: Settings) -> Finding:
    if not settings.slack_app_token:
        return Finding("Slack app token", None, "SLACK_APP_TOKEN is not set: no Socket Mode", SETUP)
    token = settings.slack_app_token.get_secret_value()
    try:
        await AsyncWebClient(base_url=settings.slack_api_url).apps_connections_open(app_token=token)
    except (SlackApiError, OSError, TimeoutError) as error:
        remedy = f"Check SLACK_APP_TOKEN, which needs connections:write; {SETUP}"
        return Finding("Slack app token", False, _reason(error), remedy)
    return Finding("Slack app token", True, "Socket Mode can connect")


def _signing_secret(settings: Settings) -> Finding:
    if settings.slack_signing_secret:
        return Finding("Slack signing secret", True, "events over HTTP are served at /slack/events")
    return Finding("Slack signing secret", None, "SLACK_SIGNING_SECRET is not set: no events over HTTP")


def needed_scopes() -> set[str]:
    """Return the scopes that the app's manifest asks for."""
    manifest = yaml.safe_load(MANIFEST.read_text("utf-8"))
    return set(manifest["oauth_config"]["scopes"]["bot"])


def _reason(error: Exception) -> str:
    """Return Slack's word for it, or what kept us from asking; never the request, which holds the token."""
    if isinstance(error, SlackApiError):
        return f"Slack says {error.response['error']}"
    return f"Slack cannot be reached: {type(error).__name__}"
