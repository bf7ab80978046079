"""Who will see a reply: the person in a direct message and for `/ask`, else everyone in the channel.

Members are told apart from guests and from people of another workspace. Apps are nobody's eyes. Where Slack
cannot be asked, the narrowest audience is taken: a person by their id alone, a channel by its own.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from aiohttp import ClientError
from slack_sdk.errors import SlackApiError

from handlers.audience_directory import Directory, TooManyError
from handlers.errors import code
from knowledge.audience import Audience

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from slack_bolt.async_app import AsyncApp
    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.audience_directory import Person
    from handlers.services import Reading, Services
    from knowledge.answers import Answer
    from knowledge.conversations import Question

OUTSIDERS = (
    "Not everyone here is a member of the workspace, so I looked only at what each person here may read. "
    "In a direct message I can look at what you may read."
)
GUEST = "As a guest you may read only some of the documents; that is where I looked."
UNASKED = "I couldn't ask Slack who will see this, so I looked only at what is surely meant for this place."

PRIVATE = frozenset({"command", "direct"})
CANNOT_ASK = (SlackApiError, ClientError, TimeoutError, TooManyError)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Readers:
    """An audience, and what to tell them where it may be why nothing was found."""

    audience: Audience
    note: str | None = None

    def noted(self, answer: Answer) -> Answer:
        """Return the answer with the note, where it found none."""
        unexplained = not answer.answerable and answer.note is None and self.note
        return replace(answer, note=self.note) if unexplained else answer


class Audiences:
    """Tells who will see a reply, through a client and what is known of listed readers."""

    def __init__(
        self, client: AsyncWebClient, reading: Reading, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._reading = reading
        self.directory = Directory(client, now)

    async def versions(self, subjects: Collection[str]) -> Mapping[str, int]:
        """Return how often each of these changed."""
        return await self._reading.membership_versions(subjects)

    async def of(self, question: Question) -> Readers:
        """Return who will see the answer to a question."""
        if question.surface in PRIVATE:
            return await self.of_person(question.asker)
        return await self.in_channel(question.key.channel)

    async def of_person(self, person: str) -> Readers:
        """Return the audience that one person is."""
        return await self._readers([person], person, GUEST)

    async def in_channel(self, channel: str) -> Readers:
        """Return the audience that the members of a channel are, of whatever kind it is."""
        versions = await self.versions([channel])
        try:
            members = await self.directory.members(channel, versions)
        except CANNOT_ASK as error:
            return _narrowest(channel, error)
        return await self._readers(members, channel, OUTSIDERS)

    async def _readers(self, people: Collection[str], place: str, note: str) -> Readers:
        listed = await self._reading.listed_readers()
        versions = await self.versions([*people, *listed])
        try:
            found = await self.directory.people(people, versions)
        except CANNOT_ASK as error:
            return _narrowest(place, error)
        inside = await self._listed_places(listed - {place}, versions)
        readers = (_names(person, place, inside) for person in found if not person.is_app)
        audience = Audience.of(readers, listed)
        return Readers(audience, None if audience.of_members else note)

    async def _listed_places(
        self, listed: Iterable[str], versions: Mapping[str, int]
    ) -> dict[str, frozenset[str]]:
        """Return who is in each listed channel and group; of one that cannot be asked about, nobody."""
        inside = {}
        for name in listed:
            if name[0] in "CGS":
                ask = self.directory.group if name[0] == "S" else self.directory.members
                try:
                    inside[name] = await ask(name, versions)
                except CANNOT_ASK as error:
                    log.warning("Who is in %s cannot be asked: %s", name, _reason(error))
        return inside


def _names(person: Person, place: str, inside: Mapping[str, frozenset[str]]) -> set[str]:
    """Return the names under which a source may list somebody who reads along in a place."""
    groups = {name for name, members in inside.items() if person.id in members}
    return {person.id, place, *groups, *([person.word] if person.word else [])}


def _narrowest(place: str, error: Exception) -> Readers:
    log.warning("Who will see a reply in %s cannot be asked: %s", place, _reason(error))
    return Readers(Audience.of([{place}]), UNASKED)


def _reason(error: Exception) -> str:
    if not isinstance(error, SlackApiError):
        return type(error).__name__
    needed = error.response.get("needed")
    return f"{code(error)} ({needed})" if needed else code(error)


def join(app: AsyncApp, services: Services) -> None:
    """Note each change of who is where; every process then asks Slack anew."""

    async def moved(event: dict[str, Any]) -> None:
        await services.reading.note_membership(event["channel"])

    async def regrouped(event: dict[str, Any]) -> None:
        await services.reading.note_membership(event.get("subteam_id") or event["subteam"]["id"])

    async def changed(event: dict[str, Any]) -> None:
        await services.reading.note_membership(event["user"]["id"])

    for event in ("member_joined_channel", "member_left_channel"):
        app.event(event)(moved)
    for event in ("subteam_members_changed", "subteam_updated"):
        app.event(event)(regrouped)
    app.event("user_change")(changed)
