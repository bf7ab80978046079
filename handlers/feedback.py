"""👍 and 👎 under an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handlers.ask import acknowledge
from handlers.blocks import FEEDBACK, HELPFUL
from handlers.errors import guarded, whisper

if TYPE_CHECKING:
    from slack_bolt.async_app import AsyncApp
    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.services import Services

THANKS = {
    True: "Thanks, good to know that this helped.",
    False: "Thanks for telling me. The people who look after me can see that this answer missed.",
}


def join(app: AsyncApp, services: Services) -> None:
    """Keep each person's verdict; the last one counts."""

    async def judge(body: dict[str, Any], client: AsyncWebClient) -> None:
        verdict, _, question_id = body["actions"][0]["value"].partition(":")
        helpful = verdict == HELPFUL
        if await services.give_feedback(int(question_id), body["user"]["id"], helpful=helpful):
            await whisper(body, client, THANKS[helpful])

    app.action(FEEDBACK)(ack=acknowledge, lazy=[guarded(judge)])
