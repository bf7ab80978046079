"""The Web API client, with the retries that are safe, and who the bot is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import ClientError
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

RATE_LIMIT_RETRIES = 5
TIMEOUT = 30  # seconds


class SlackUnavailableError(Exception):
    """Slack did not say who the bot is; check SLACK_BOT_TOKEN and the connection (`almanac doctor`)."""

    def __init__(self, reason: object) -> None:
        super().__init__(f"Slack did not say who the bot is: {reason}. Run `almanac doctor`.")


def build_client(token: str, base_url: str) -> AsyncWebClient:
    """Return a client that waits out rate limits.

    Broken connections are not retried here: a message may have been posted before the connection broke, and
    only the thread itself can tell.
    """
    waiting = AsyncRateLimitErrorRetryHandler(max_retry_count=RATE_LIMIT_RETRIES)
    return AsyncWebClient(token=token, base_url=base_url, timeout=TIMEOUT, retry_handlers=[waiting])


def authorizing(client: AsyncWebClient) -> Callable[[], Awaitable[AuthorizeResult]]:
    """Return the app's `authorize`: Slack is asked once who the bot is, not at each event.

    A failure leaves the event unacknowledged, so that Slack delivers it again; Bolt's own way would lose it.
    """
    lock = asyncio.Lock()
    identity: list[AuthorizeResult] = []

    async def authorize() -> AuthorizeResult:
        async with lock:
            if not identity:
                identity.append(await who_am_i(client))
        return identity[0]

    return authorize


async def who_am_i(client: AsyncWebClient) -> AuthorizeResult:
    """Return the bot's user, id and workspace.

    Raises:
        SlackUnavailableError: the token is wrong, or Slack cannot be reached.
    """
    try:
        answer = await client.auth_test()
    except SlackApiError as error:
        raise SlackUnavailableError(error.response.get("error")) from error
    except (ClientError, TimeoutError) as error:
        raise SlackUnavailableError(type(error).__name__) from error
    return AuthorizeResult.from_auth_test_response(bot_token=client.token, auth_test_response=answer)
