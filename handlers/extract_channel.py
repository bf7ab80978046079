"""`/extract channel`: what an administrator sets for a channel. Everything is off until then."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from handlers.errors import whisper
from handlers.kb_admins import administers

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.audience import Audiences
    from handlers.extract_services import ExtractServices
    from knowledge.channels import Mode

ADMINS_ONLY = "Only an administrator may set up a channel. Ask one of them."
USAGE = (
    "Type `/extract channel automatic on` (complete records are posted without asking) or `off`;"
    " `/extract channel triage SCHEMA` (every message gets an emoji for its class),"
    " `/extract channel triage SCHEMA reply` (or a reply with its record), or `/extract channel triage off`."
)
STATE = "In this channel, complete records are posted {automatic}. {triage}"
BY_ITSELF, ON_CONFIRMATION = "by themselves", "once a person confirmed them"
NO_TRIAGE = "Messages are left alone."
TRIAGE = "Every message is read by the schema {}, and gets {}."
WORDS = {"emoji": "an emoji for its class", "reply": "a reply with its record"}


async def run(
    body: dict[str, Any],
    client: AsyncWebClient,
    services: ExtractServices,
    words: str,
    *,
    audiences: Audiences,
) -> None:
    """Show or set how records come about in a channel; `audiences` knows who administers.

    Raises:
        SchemaUnknown: messages cannot be read by a schema that is not there.
    """
    team, channel = body["team_id"], body["channel_id"]
    mode = await services.channels.mode(team, channel)
    if words:
        if not await administers(body["user_id"], services.admins, audiences):
            await whisper(body, client, ADMINS_ONLY)
            return
        changed = await _changed(mode, words.split(), services)
        if changed is None:
            await whisper(body, client, USAGE)
            return
        await services.channels.set_mode(team, channel, changed, body["user_id"])
        mode = changed
    await whisper(body, client, described(mode))


async def _changed(mode: Mode, words: list[str], services: ExtractServices) -> Mode | None:
    """Return the mode that the words ask for; None where they make no sense."""
    match words:
        case ["automatic", "on" | "off" as switch]:
            return replace(mode, automatic=switch == "on")
        case ["triage", "off"]:
            return replace(mode, triage_schema=None)
        case ["triage", name]:
            return replace(mode, triage_schema=(await services.find_schema(name)).name, triage_by="emoji")
        case ["triage", name, "emoji" | "reply" as by]:
            found = await services.find_schema(name)
            return replace(mode, triage_schema=found.name, triage_by="reply" if by == "reply" else "emoji")
    return None


def described(mode: Mode) -> str:
    """Return a channel's mode in words."""
    triage = TRIAGE.format(mode.triage_schema, WORDS[mode.triage_by]) if mode.triage_schema else NO_TRIAGE
    automatic = BY_ITSELF if mode.automatic else ON_CONFIRMATION
    return STATE.format(automatic=automatic, triage=triage)
