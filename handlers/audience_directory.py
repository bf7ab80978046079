"""Who is in a channel or user group, and who is member, guest or stranger: as Slack says, remembered."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slack_sdk.errors import SlackApiError

from handlers.audience_cache import Cache
from handlers.errors import code
from knowledge.audience import EVERYONE, GUESTS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from slack_sdk.web.async_client import AsyncWebClient

SECONDS = 300.0  # that an answer of Slack's holds, where no event says that it changed
MOST_PLACES = 2_000  # channels and user groups that are remembered
MOST_PEOPLE = 50_000
PAGE = 1_000  # what Slack takes at most
MOST_PAGES = 50
MOST_ASKED = 50  # people asked about one by one; of more, the whole directory is read
UNKNOWN = frozenset({"user_not_found", "user_not_visible", "users_not_found"})


class TooManyError(Exception):
    """There are more members than are read; who they all are is not known."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account; `word` is `everyone` for members, `guests` for guests, None for strangers."""

    id: str
    word: str | None = None
    is_app: bool = False
    is_admin: bool = False


class Directory:
    """The workspace of one client. `versions` say how often a subject changed, so far as is known.

    Its methods raise what the client raises where Slack cannot be asked.
    """

    def __init__(self, client: AsyncWebClient, now: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._places: Cache[frozenset[str]] = Cache(MOST_PLACES, SECONDS, now)
        self._people: Cache[Person] = Cache(MOST_PEOPLE, SECONDS, now)
        self._home: Cache[str] = Cache(1, SECONDS, now)
        self._asking = asyncio.Lock()

    async def members(self, channel: str, versions: Mapping[str, int]) -> frozenset[str]:
        """Return the ids of everyone in a channel, apps included.

        Raises:
            TooManyError: there are too many to read.
        """
        return await self._places.fetch(channel, versions.get(channel, 0), self._members)

    async def group(self, group: str, versions: Mapping[str, int]) -> frozenset[str]:
        """Return the ids of everyone in a user group."""
        return await self._places.fetch(group, versions.get(group, 0), self._group)

    async def people(self, ids: Collection[str], versions: Mapping[str, int]) -> list[Person]:
        """Return who these are; of whom Slack tells nothing, a stranger."""
        async with self._asking:
            known = {one: self._people.get(one, versions.get(one, 0)) for one in ids}
            missing = [one for one, person in known.items() if person is None]
            if missing:
                home = await self._home.fetch("team", 0, self._team)
                found = await self._ask_all(missing, home)
                for person in found:
                    self._people.put(person.id, person, versions.get(person.id, 0))
                known |= {person.id: person for person in found if person.id in known}
            return [person or Person(one) for one, person in known.items()]

    async def _ask_all(self, ids: list[str], home: str) -> list[Person]:
        if len(ids) > MOST_ASKED:
            return [_person(row, home) for row in await self._list_users()]
        return list(await asyncio.gather(*(self._ask(one, home) for one in ids)))

    async def _ask(self, person: str, home: str) -> Person:
        try:
            answer = await self._client.users_info(user=person)
        except SlackApiError as error:
            if code(error) not in UNKNOWN:
                raise
            return Person(person)
        return _person(answer["user"], home)

    async def _list_users(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        cursor = ""
        for _ in range(MOST_PAGES):
            answer = await self._client.users_list(limit=PAGE, cursor=cursor)
            rows += answer["members"]
            if not (cursor := _following(answer)):
                break
        return rows

    async def _members(self, channel: str) -> frozenset[str]:
        members: set[str] = set()
        cursor = ""
        for _ in range(MOST_PAGES):
            answer = await self._client.conversations_members(channel=channel, limit=PAGE, cursor=cursor)
            members.update(answer["members"])
            if not (cursor := _following(answer)):
                return frozenset(members)
        raise TooManyError

    async def _group(self, group: str) -> frozenset[str]:
        answer = await self._client.usergroups_users_list(usergroup=group)
        return frozenset(answer["users"])

    async def _team(self, _name: str) -> str:
        answer = await self._client.auth_test()
        return str(answer["team_id"])


def _following(answer: Any) -> str:
    return (answer.get("response_metadata") or {}).get("next_cursor") or ""


def _person(user: dict[str, Any], home: str) -> Person:
    """Read a user object; on an Enterprise Grid, a person may belong to several workspaces."""
    teams = {user.get("team_id"), *(user.get("enterprise_user") or {}).get("teams", [])}
    if user.get("is_stranger") or user.get("deleted") or home not in teams:
        return Person(user["id"], is_app=bool(user.get("is_bot")))
    guest = user.get("is_restricted") or user.get("is_ultra_restricted")
    is_admin = bool(user.get("is_admin") or user.get("is_owner") or user.get("is_primary_owner"))
    return Person(user["id"], GUESTS if guest else EVERYONE, bool(user.get("is_bot")), is_admin)
