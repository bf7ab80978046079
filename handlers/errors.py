"""The one error edge: what a person is told when something fails, on the surface that they used."""

from __future__ import annotations

import functools
import logging
import secrets
from typing import TYPE_CHECKING, Any

from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook.async_client import AsyncWebhookClient

from grammars.engine.errors import EngineBusy, EngineTimeout, PromptTooLong, RemoteError
from handlers.text import escape

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from slack_bolt.async_app import AsyncApp
    from slack_bolt.request.async_request import AsyncBoltRequest
    from slack_sdk.web.async_client import AsyncWebClient

SENTENCES: dict[type[BaseException], str] = {
    EngineBusy: "Sorry, I have too many questions to answer right now; please ask again in a few minutes",
    EngineTimeout: "Sorry, finding an answer took too long; please try again",
    RemoteError: "Sorry, I can't reach the model that writes my answers; please try again in a few minutes",
    PromptTooLong: "Sorry, that question is too long for me; please ask a shorter one",
}
UNKNOWN = "Sorry, something went wrong on my side; please try again"
REFERENCE = "{sentence} (reference {reference}, in case you tell an administrator)."
NOT_INVITED = "I'm not in this channel yet. Invite me with `/invite`, then try again."

# Slack will not take the message, now or later: the place or the permission is gone.
HOPELESS = frozenset({
    "account_inactive", "cannot_reply_to_message", "channel_not_found", "invalid_auth", "is_archived",
    "is_inactive", "message_not_found", "missing_scope", "no_permission", "not_in_channel",
    "restricted_action", "thread_not_found", "token_revoked", "user_not_found", "user_not_in_channel",
})  # fmt: skip
LAST_REDELIVERY = 3

log = logging.getLogger(__name__)


def code(error: SlackApiError) -> str:
    """Return Slack's word for what went wrong, such as `not_in_channel`."""
    return str(error.response.get("error", ""))


def hopeless(error: SlackApiError) -> bool:
    """Whether trying again cannot help."""
    return code(error) in HOPELESS


def report(error: BaseException, what: str) -> str:
    """Log an error under a new reference; return the sentence that a person is told, with that reference."""
    reference = secrets.token_hex(4)
    log.error("%s failed (reference %s)", what, reference, exc_info=error)
    known = next((SENTENCES[kind] for kind in type(error).__mro__ if kind in SENTENCES), UNKNOWN)
    return REFERENCE.format(sentence=known, reference=reference)


def join(app: AsyncApp) -> None:
    """Handle the errors of every listener."""

    @app.error
    async def on_error(
        error: Exception, body: dict[str, Any], client: AsyncWebClient, request: AsyncBoltRequest
    ) -> BoltResponse | None:
        if "event" in body and _attempt(request) < LAST_REDELIVERY:
            log.warning("An event was not taken and will come again.", exc_info=error)
            return None  # not acknowledged: Slack delivers it again
        await tell(error, body, client)
        return BoltResponse(status=200)


def guarded(listener: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Wrap a lazy listener, which takes `body` and `client`: Bolt itself would only log what it raises."""

    @functools.wraps(listener)
    async def run(**arguments: Any) -> None:
        try:
            await listener(**arguments)
        except Exception as error:  # noqa: BLE001 - the edge: every error is logged and told
            await tell(error, arguments["body"], arguments["client"])

    return run


async def tell(error: Exception, body: dict[str, Any], client: AsyncWebClient) -> None:
    """Log an error, and tell the person behind a request, on the surface that they used."""
    if isinstance(error, SlackApiError) and code(error) in {"not_in_channel", "channel_not_found"}:
        sentence = NOT_INVITED
    else:
        sentence = report(error, f"A request of type {body.get('type') or 'command'}")
    try:
        await whisper(body, client, sentence)
    except Exception:
        log.exception("The person could not be told.")


async def whisper(body: dict[str, Any], client: AsyncWebClient, sentence: str) -> None:
    """Say something to the person behind a request that only they see: in the thread where there is one."""
    if url := body.get("response_url"):
        await AsyncWebhookClient(url).send(text=escape(sentence), replace_original=False)
        return
    event = body.get("event") or {}
    user = event.get("user") or (body.get("user") or {}).get("id")
    channel = event.get("channel") or (body.get("channel") or {}).get("id") or user
    if user and channel:
        thread = event.get("thread_ts") or event.get("ts")
        await client.chat_postEphemeral(channel=channel, user=user, text=escape(sentence), thread_ts=thread)


def _attempt(request: AsyncBoltRequest) -> int:
    """Return how often Slack has delivered the request before."""
    return int((request.headers.get("x-slack-retry-num") or ["0"])[0] or 0)
