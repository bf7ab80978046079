"""`/kb`: what the bot knows, seen and changed from Slack by administrators, and every call kept."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from slack_sdk.webhook.async_client import AsyncWebhookClient

from handlers.ask import acknowledge
from handlers.errors import guarded, whisper
from handlers.kb_admins import administers
from handlers.kb_forms import Forms
from handlers.kb_pages import (
    ADD,
    CANCEL_RUNS,
    EDIT,
    PAGE,
    REINDEX,
    REMOVE,
    changes_page,
    failures_page,
    sources_page,
    status_page,
)
from handlers.kb_request import Request, person_of
from handlers.kb_search import read_search
from handlers.rich import bullets, rich_text, section, text
from handlers.text import escape, plain
from knowledge.administering import FOLLOW, SEARCH
from knowledge.calls import Call
from knowledge.sources import SourceError, refuse_credentials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slack_bolt.async_app import AsyncApp
    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.audience import Audiences
    from handlers.kb_services import KbServices
    from handlers.rich import Block

COMMAND = "/kb"
LEFT_OUT = "[left out]"  # instead of an address with a credential in it
REFUSED = "Only administrators can do that. Ask one of them, or ask me a question with `/ask`."
FOLLOWED = "I show you how far it is in our direct messages."
NOTHING_TO_INDEX = "There are no sources yet. Add one with `/kb add`."
SEARCHING = "Searching…"
WHAT = "What shall I search for? `/kb search QUESTION`, or `/kb search --as @someone QUESTION`."
CANCELLED = "It ends after the documents at hand. What was finished stays."
OVER = "It was over already."
HELP = (
    ("status", "how each source is doing: counts that add up, what failed and why, the next run"),
    ("failures [NAME]", "every document that cannot be read, and why"),
    ("sources", "where the documents come from, and who may read them"),
    ("add", "add a source, in a form"),
    ("edit NAME", "change its readers, schedule and files, in a form"),
    ("remove NAME", "forget it, and its documents at once"),
    ("reindex [NAME] [full]", "look for changes now, with progress; with full, read everything anew"),
    ("search [--as @PERSON or #CHANNEL] QUESTION", "what would be retrieved, and why"),
    ("diff [NAME] [24h]", "which documents changed, and when"),
)

_SINCE = re.compile(r"(?P<number>\d{1,4})(?P<unit>[mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
LAST_DAY = timedelta(days=1)


def join(app: AsyncApp, services: KbServices, audiences: Audiences) -> None:
    """Hear the command, the buttons under what it shows, and the forms that it opens."""
    kb = Kb(services, audiences)
    app.command(COMMAND)(ack=acknowledge, lazy=[guarded(kb.command)])
    app.action(re.compile(f"^{PAGE}_"))(ack=acknowledge, lazy=[guarded(kb.page)])
    app.action(CANCEL_RUNS)(ack=acknowledge, lazy=[guarded(kb.cancel)])
    for action, verb in ((REINDEX, "reindex"), (EDIT, "edit"), (REMOVE, "remove"), (ADD, "add")):
        app.action(action)(ack=acknowledge, lazy=[guarded(kb.pressed(verb))])
    kb.forms.join(app, kb.granted, kb.reindex)


class Kb:
    """The command's verbs. Each is asked for by a person, and kept as a call before it is done."""

    def __init__(self, services: KbServices, audiences: Audiences) -> None:
        self._services, self._audiences = services, audiences
        self.forms = Forms(services)
        self._verbs = {
            "status": self._status,
            "failures": self._failures,
            "sources": self._sources,
            "reindex": self._reindex,
            "search": self._search,
            "diff": self._diff,
            "add": self.forms.add,
            "edit": self.forms.edit,
            "remove": self.forms.remove,
        }

    async def granted(self, body: dict[str, Any], call: str) -> bool:
        """Keep a call; return whether the person behind it is an administrator."""
        person = person_of(body)
        team = body.get("team_id") or (body.get("team") or {}).get("id") or ""
        channel = body.get("channel_id") or (body.get("channel") or {}).get("id")
        granted = await administers(person, self._services.admins, self._audiences)
        await self._services.record_call(Call(team, channel, person, _recorded(call), granted))
        return granted

    async def command(self, body: dict[str, Any], client: AsyncWebClient) -> None:
        """Carry out what was typed."""
        await self._carry_out((body.get("text") or "").strip() or "help", body, client)

    def pressed(self, verb: str) -> Any:
        """Return what carries out a button's verb; its value is the source."""

        async def press(body: dict[str, Any], client: AsyncWebClient) -> None:
            await self._carry_out(f"{verb} {body['actions'][0]['value']}", body, client)

        return press

    async def _carry_out(self, call: str, body: dict[str, Any], client: AsyncWebClient) -> None:
        name, _, words = call.strip().partition(" ")
        asked = Request(body, client, words.strip())
        if not await self.granted(body, f"{COMMAND} {call.strip()}"):
            await asked.say(REFUSED)
            return
        try:
            await self._verbs.get(name.lower(), _help)(asked)
        except SourceError as error:
            await asked.say(str(error))

    async def page(self, body: dict[str, Any], client: AsyncWebClient) -> None:
        """Show another page in place of the one under whose button was pressed."""
        number, _, call = body["actions"][0]["value"].partition(" ")
        if not await self.granted(body, f"{COMMAND} {call}"):
            await whisper(body, client, REFUSED)
            return
        name, _, words = call.partition(" ")
        pages = {
            "status": self._status_page,
            "failures": self._failures_page,
            "sources": self._sources_page,
            "diff": self._diff_page,
        }
        await show(body, await pages[name](words, int(number)), call, replace=True)

    async def _status(self, asked: Request) -> None:
        await show(asked.body, await self._status_page(asked.words), "status")

    async def _status_page(self, _words: str, page: int = 1) -> list[Block]:
        return status_page(await self._services.status(), page)

    async def _failures(self, asked: Request) -> None:
        await show(asked.body, await self._failures_page(asked.words), "failures")

    async def _failures_page(self, words: str, page: int = 1) -> list[Block]:
        name = (await self._services.find_source(words)).name if words else None
        found = (await self._services.status()).sources
        return failures_page([source for source in found if name in {None, source.name}], words, page)

    async def _sources(self, asked: Request) -> None:
        await show(asked.body, await self._sources_page(asked.words), "sources")

    async def _sources_page(self, _words: str, page: int = 1) -> list[Block]:
        return sources_page(await self._services.sources(), page)

    async def _diff(self, asked: Request) -> None:
        await show(asked.body, await self._diff_page(asked.words), "diff")

    async def _diff_page(self, words: str, page: int = 1) -> list[Block]:
        name, span = read_diff(words)
        source = (await self._services.find_source(name)).name if name else None
        since = datetime.now(UTC) - span
        return changes_page(await self._services.changes(since, source), since, words, page)

    async def _reindex(self, asked: Request) -> None:
        name, full = read_reindex(asked.words)
        await asked.say(await self.reindex(asked.person, [name] if name else None, full=full))

    async def reindex(self, person: str, sources: Sequence[str] | None, *, full: bool = False) -> str:
        """Ask for runs, and have a person shown how far they are; return what to say."""
        numbers = await self._services.reindex(sources, full=full)
        if not numbers:
            return NOTHING_TO_INDEX
        await self._services.defer(FOLLOW, person=person, runs=numbers)
        return FOLLOWED

    async def _search(self, asked: Request) -> None:
        place, question = read_search(asked.words)
        if not question.strip():
            await asked.say(WHAT)
            return
        await asked.say(SEARCHING)
        await self._services.defer(
            SEARCH,
            question=plain(question),
            place=place or asked.person,
            person=asked.person,
            response_url=asked.body["response_url"],
        )

    async def cancel(self, body: dict[str, Any], client: AsyncWebClient) -> None:
        """End the runs that a progress message or the status names."""
        value = body["actions"][0]["value"]
        asked = Request(body, client, value)
        if not await self.granted(body, f"{COMMAND} cancel {value}"):
            await asked.say(REFUSED)
            return
        ended = [await self._services.cancel_run(int(number)) for number in value.split()]
        await asked.say(CANCELLED if any(ended) else OVER)


def read_reindex(words: str) -> tuple[str, bool]:
    """Return the source's name, empty for all, and whether everything is to be read anew."""
    *name, last = words.split() or [""]
    return (" ".join(name), True) if last == "full" else (words.strip(), False)


def read_diff(words: str) -> tuple[str, timedelta]:
    """Return the source's name, empty for all, and how far to look back."""
    *name, last = words.split() or [""]
    match = _SINCE.fullmatch(last)
    if match is None:
        return words.strip(), LAST_DAY
    return " ".join(name), timedelta(**{_UNITS[match["unit"]]: int(match["number"])})


async def _help(asked: Request) -> None:
    lines = (section(text(f"{COMMAND} {call}", code=True), text(f"  {does}")) for call, does in HELP)
    await show(asked.body, [rich_text(bullets(*lines))], COMMAND)


async def show(body: dict[str, Any], blocks: list[Block], words: str, *, replace: bool = False) -> None:
    """Show blocks to the person behind a request alone."""
    await AsyncWebhookClient(body["response_url"]).send(
        text=escape(words), blocks=blocks, response_type="ephemeral", replace_original=replace
    )


def _recorded(call: str) -> str:
    """Return a call as it is kept: an address that holds a credential is left out."""
    return " ".join(LEFT_OUT if _holds_credential(word) else word for word in call.split(" "))


def _holds_credential(word: str) -> bool:
    try:
        refuse_credentials(word.strip("<>"))
    except SourceError:
        return True
    return False
