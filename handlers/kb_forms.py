"""Adding, editing and removing a source in a form: opened, checked field by field, carried out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from handlers.ask import acknowledge
from handlers.audience import CANNOT_ASK
from handlers.errors import guarded
from handlers.kb_modal import (
    ADD_VIEW,
    EDIT_VIEW,
    LINK,
    NAME,
    REMOVE_VIEW,
    SCHEDULE,
    URI,
    add_view,
    address,
    edit_view,
    entered,
    remove_view,
)
from handlers.kb_origin import origin_problem
from handlers.text import escape
from knowledge.sources import SourceError, check_link, refuse_credentials

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from slack_bolt.async_app import AsyncApp
    from slack_bolt.context.ack.async_ack import AsyncAck
    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.kb_request import Request
    from handlers.kb_services import KbServices
    from handlers.rich import Block

    # Keeps a call, and says whether the person behind it is an administrator.
    Granted = Callable[[dict[str, Any], str], Awaitable[bool]]
    # Has a person's sources indexed, and them told how far that is.
    Reindex = Callable[[str, Sequence[str]], Awaitable[str]]

WHICH = "Which source? `/kb {} NAME`. `/kb sources` lists them."
THERE = "There is a source of that already, called {0}: `/kb edit {0}` changes it."
NOT_GRANTED = "Only administrators can do that."
GROUP_SECONDS = 1.5  # a form must open within three
REMOVED = "{} is removed, with its documents."


class Forms:
    """The forms, and what becomes of what is entered."""

    def __init__(self, services: KbServices) -> None:
        self._services = services

    async def add(self, asked: Request) -> None:
        """Open the form for a new source."""
        await _open(asked, add_view(await _groups(asked.client)))

    async def edit(self, asked: Request) -> None:
        """Open the form that changes a source.

        Raises:
            SourceError: there is none of that name.
        """
        if not asked.words:
            await asked.say(WHICH.format("edit"))
            return
        source = await self._services.find_source(asked.words)
        await _open(asked, edit_view(source, await _groups(asked.client)))

    async def remove(self, asked: Request) -> None:
        """Ask whether a source shall be removed.

        Raises:
            SourceError: there is none of that name.
        """
        if not asked.words:
            await asked.say(WHICH.format("remove"))
            return
        await _open(asked, remove_view(await self._services.find_source(asked.words)))

    def join(self, app: AsyncApp, granted: Granted, reindex: Reindex) -> None:
        """Hear what is submitted; what was added or changed is indexed at once."""

        async def write(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any]) -> None:
            source, problems = await self._write(body, view, granted)
            if problems:
                await ack(response_action="errors", errors=problems)
                return
            await reindex(body["user"]["id"], [source])
            await ack()

        async def remove(body: dict[str, Any], client: AsyncWebClient) -> None:
            name = body["view"]["private_metadata"]
            said = NOT_GRANTED
            if await granted(body, f"/kb remove {name} (confirmed)"):
                said = REMOVED.format((await self._services.remove_source(name)).name)
            await client.chat_postMessage(channel=body["user"]["id"], text=escape(said))

        app.view(ADD_VIEW)(write)
        app.view(EDIT_VIEW)(write)
        app.view(REMOVE_VIEW)(ack=acknowledge, lazy=[guarded(remove)])

    async def _write(
        self, body: dict[str, Any], view: dict[str, Any], granted: Granted
    ) -> tuple[str, dict[str, str]]:
        """Add or change a source; return its name, and what is wrong with what was entered, by block id."""
        values, name = view["state"]["values"], view["private_metadata"]
        fields, problems = entered(values)
        source = name or address(values)
        if not name and (problem := await self._origin_problem(source)):
            problems[URI] = problem
        problems = _link_problem(fields) | problems | self._schedule_problem(fields)
        if problems:
            return source, problems
        block, verb = (NAME, "edit") if name else (URI, "add")
        if not await granted(body, f"/kb {verb} {source} {fields}"):
            return source, {block: NOT_GRANTED}
        try:
            written = await (self._services.edit_source if name else self._services.add_source)(
                source, **fields
            )
        except SourceError as error:
            return source, {block: str(error)}
        return written.name, {}

    async def _origin_problem(self, address: str) -> str | None:
        """Return why there can be no new source of that address: one that is there is edited."""
        try:
            refuse_credentials(address)  # before the call is kept, and the address with it
        except SourceError as error:
            return str(error)
        if problem := origin_problem(address, self._services.folders):
            return problem
        try:
            return THERE.format((await self._services.find_source(address)).name)
        except SourceError:
            return None

    def _schedule_problem(self, fields: dict[str, Any]) -> dict[str, str]:
        try:
            if schedule := fields.get("schedule"):
                self._services.check_schedule(schedule)
        except SourceError as error:
            return {SCHEDULE: str(error)}
        return {}


def _link_problem(fields: dict[str, Any]) -> dict[str, str]:
    try:
        check_link(fields["link_base"])
    except SourceError as error:
        return {LINK: str(error)}
    return {}


async def _open(asked: Request, view: Block) -> None:
    await asked.client.views_open(trigger_id=asked.body["trigger_id"], view=view)


async def _groups(client: AsyncWebClient) -> list[dict[str, Any]]:
    """Return the workspace's user groups; none where Slack does not tell within a moment."""
    try:
        async with asyncio.timeout(GROUP_SECONDS):
            answer = await client.usergroups_list()
    except CANNOT_ASK:
        return []
    return list(answer["usergroups"])
