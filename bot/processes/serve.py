"""`almanac serve`: hears Slack, records what there is to do, and says how it is doing over HTTP."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_sdk.errors import SlackApiError

from bot import wiring
from bot.config import SettingsError
from bot.listener import build_listener, listening
from handlers.client import SlackUnavailableError, who_am_i

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from slack_bolt.async_app import AsyncApp
    from slack_bolt.authorization import AuthorizeResult
    from slack_sdk.web.async_client import AsyncWebClient

    from bot.config import Settings

MIGRATION_SECONDS = 60.0  # how long a release that is under way is waited for
PING_SECONDS = 5.0  # a connection that leaves a ping unanswered is replaced
LONGEST_WAIT = 30.0  # seconds between two attempts to reach Slack
NO_WAY_IN = (
    "Slack cannot reach the bot: set SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP). "
    "docs/slack-setup.md shows where they come from."
)

log = logging.getLogger(__name__)


async def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until the task is cancelled.

    Raises:
        SettingsError: Slack has no way to reach the bot, or the bot no token.
        SlackUnavailableError: Slack refuses the token.
    """
    if not (settings.slack_app_token or settings.slack_signing_secret):
        raise SettingsError(NO_WAY_IN)
    identity = await introduced(wiring.slack_client(settings))
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(wiring.database(settings, patience=MIGRATION_SECONDS))
        app = await stack.enter_async_context(wiring.slack_app(settings, pool))
        over_http = app if settings.slack_signing_secret else None
        hooks = await stack.enter_async_context(wiring.hooks(settings, pool))
        url = await stack.enter_async_context(listening(build_listener(pool, over_http, *hooks), host, port))
        if settings.slack_app_token:
            await stack.enter_async_context(connected(app, settings.slack_app_token.get_secret_value()))
        log.info("Hearing Slack as %s (%s); health at %s/healthz", identity.user, identity.team, url)
        await asyncio.Event().wait()


@asynccontextmanager
async def connected(app: AsyncApp, app_token: str) -> AsyncIterator[None]:
    """Hear Slack over Socket Mode; a connection that broke, or went deaf, is replaced by slack_sdk."""
    handler = AsyncSocketModeHandler(app, app_token, ping_interval=PING_SECONDS)
    try:
        await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt has no types here
        yield
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]  # nor here


async def introduced(client: AsyncWebClient) -> AuthorizeResult:
    """Ask Slack who the bot is, waiting while Slack cannot be reached.

    Raises:
        SlackUnavailableError: Slack answers, and refuses the token.
    """
    wait = 1.0
    while True:
        try:
            return await who_am_i(client)
        except SlackUnavailableError as error:
            if isinstance(error.__cause__, SlackApiError):
                raise
            log.warning("Slack cannot be reached at %s; trying again in %.0f s.", client.base_url, wait)
        await asyncio.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)
