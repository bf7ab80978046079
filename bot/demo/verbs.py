"""What people can do in the workspace: the page and the tests use the same verbs."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any, TypeVar

from bot.demo.errors import ApiError
from bot.demo.interactions import Interactions
from bot.demo.methods.files import new_file, public
from bot.demo.typed import marked, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.demo.slack import Slack
    from bot.demo.workspace import Change, Channel, Json, Workspace

T = TypeVar("T")


class LocalWorkspace:
    """A running workspace.

    People and channels are named by id or by name (`maya`, `#general`; a user name as channel is that
    person's direct conversation with the bot). A verb raises ApiError where Slack itself would not allow
    it, NotAcknowledgedError where the app did not acknowledge an interaction in time.
    """

    def __init__(self, slack: Slack) -> None:
        self.slack = slack
        self.interactions = Interactions(slack)

    @property
    def url(self) -> str:
        """The page's address."""
        return self.slack.url

    @property
    def api_url(self) -> str:
        """The Web API's base address, for `AsyncWebClient(base_url=…)`."""
        return f"{self.slack.url}/api/"

    @property
    def bot_token(self) -> str:
        """The bot token (xoxb-…)."""
        return self.slack.app.bot_token

    @property
    def app_token(self) -> str:
        """The app-level token (xapp-…), for Socket Mode."""
        return self.slack.app.app_token

    @property
    def signing_secret(self) -> str:
        """The secret that signs HTTP requests to the app."""
        return self.slack.app.signing_secret

    @property
    def state(self) -> Workspace:
        """The workspace's people, channels and messages."""
        return self.slack.workspace

    def channel(self, name: str) -> Channel:
        """Return a conversation by id, name, or user name."""
        person = self.state.find_person(name)
        found = self.state.find_channel(person.id if person else name)
        if found is None:
            raise ApiError("channel_not_found")
        return found

    def messages(self, channel: str, thread_ts: str | None = None) -> list[Json]:
        """Return a channel's messages, or those of a thread (its parent first)."""
        place = self.channel(channel)
        return place.thread(thread_ts) if thread_ts else list(place.messages.values())

    def modal(self, user: str) -> Json | None:
        """Return the view on top in front of a person."""
        stack = self.slack.views.stacks.get(self._user(user))
        return stack[-1] if stack else None

    async def wait_for(self, condition: Callable[[LocalWorkspace], T], timeout: float = 10.0) -> T:  # noqa: ASYNC109  a test names its own patience
        """Return what `condition` returns as soon as it is true; it is asked again at each change.

        Raises:
            TimeoutError: It did not become true in `timeout` seconds.
        """
        changed = asyncio.Event()

        def wake(_change: Change) -> None:
            changed.set()

        self.state.watchers.append(wake)
        try:
            async with asyncio.timeout(timeout):
                while not (found := condition(self)):
                    await changed.wait()
                    changed.clear()
            return found
        finally:
            self.state.watchers.remove(wake)

    # -- messages --

    async def say(
        self, user: str, channel: str, text: str, thread_ts: str | None = None, files: Sequence[Json] = ()
    ) -> str:
        """Post what a person typed (`@almanac` is a mention); return its ts.

        Args:
            user: Who types.
            channel: Where.
            text: As typed.
            thread_ts: The thread's parent, for a reply.
            files: Attachments: `{"name": …, "content": base64}`.
        """
        person, place = self._user(user), self._inside(user, channel)
        message: Json = {"user": person, "text": stored(self.state, text)}
        if thread_ts:
            self._message(place, thread_ts)
            message["thread_ts"] = thread_ts
        if files:
            message |= {"subtype": "file_share", "files": [self._file(person, file) for file in files]}
        return str(self.state.post(place, message)["ts"])

    async def edit(self, user: str, channel: str, ts: str, text: str) -> None:
        """Change a message of one's own; a mention in it fires `app_mention` again."""
        place, person = self._own(user, channel, ts)
        edited = {"user": person, "ts": self.state.timestamp()}
        self.state.change(place, ts, text=stored(self.state, text), edited=edited)

    async def delete(self, user: str, channel: str, ts: str) -> None:
        """Delete a message of one's own; an administrator may delete any."""
        place, _person = self._own(user, channel, ts)
        self.state.delete(place, ts)

    async def react(self, user: str, channel: str, ts: str, name: str) -> None:
        """Add a reaction, or take one's own back."""
        place, person = self._inside(user, channel), self._user(user)
        message = self._message(place, ts)
        there = any(row["name"] == name and person in row["users"] for row in message.get("reactions", []))
        self.state.react(place, ts, person, name, add=not there)

    async def move(self, user: str, channel: str, *, join: bool = True) -> None:
        """Make somebody (or the bot) join or leave a channel."""
        self.state.move(self.channel(channel), self._user(user), join=join)

    async def create_channel(
        self, user: str, name: str, *, private: bool = False, members: Sequence[str] = ()
    ) -> str:
        """Return the id of a new channel, in which are its creator, the bot and `members`."""
        inside = [self._user(user), self.state.bot.id, *map(self._user, members)]
        return self.state.create_channel(name, list(dict.fromkeys(inside)), private=private).id

    # -- what the app put on the screen --

    async def click(
        self,
        user: str,
        channel: str,
        ts: str,
        action_id: str,
        *,
        value: Any = None,
        block_id: str | None = None,
    ) -> None:
        """Use an element of a message (`value`: what was chosen; see `inputs.state`)."""
        place, person = self._inside(user, channel), self._user(user)
        message = self._message(place, ts, person)
        find = {"action_id": action_id, "block_id": block_id}
        await self.interactions.click_in_message(person, place, message, find, value)

    async def click_view(
        self,
        user: str,
        view_id: str,
        action_id: str,
        *,
        value: Any = None,
        block_id: str | None = None,
        values: Json | None = None,
    ) -> None:
        """Use an element of a modal or a home."""
        _owner, view = self.slack.views.find(view_id=view_id)
        find = {"action_id": action_id, "block_id": block_id}
        await self.interactions.click_in_view(self._user(user), view, find, value, values or {})

    async def submit(self, user: str, values: Json | None = None) -> dict[str, str]:
        """Submit the modal on top with `{block_id: {action_id: value}}`; return its errors by block_id."""
        view = self.modal(user)
        if view is None:
            raise ApiError("not_found", ["No modal is open."])
        return await self.interactions.submit(self._user(user), view, values or {})

    async def close(self, user: str, *, everything: bool = False) -> None:
        """Close the modal on top, or all of them."""
        await self.interactions.close(self._user(user), everything=everything)

    async def command(self, user: str, channel: str, text: str) -> None:
        """Run a slash command: `/ask How …?`."""
        name = text.partition(" ")[0]
        escapes = any(command.escape for command in self.slack.app.commands if command.name == name)
        line = marked(self.state, text) if escapes else text
        await self.interactions.command(self._user(user), self._inside(user, channel), line)

    async def shortcut(
        self, user: str, callback_id: str, channel: str | None = None, ts: str | None = None
    ) -> None:
        """Run a shortcut, on a message where `channel` and `ts` name one."""
        where = None
        if channel and ts:
            place = self._inside(user, channel)
            where = place, self._message(place, ts)
        await self.interactions.shortcut(self._user(user), callback_id, where)

    async def open_home(self, user: str, tab: str = "home") -> None:
        """Open the app's Home (or its messages tab)."""
        person = self._user(user)
        event = {
            "type": "app_home_opened",
            "user": person,
            "channel": self.state.direct(person).id,
            "tab": tab,
        }
        home = self.state.homes.get(person)
        self.slack.events.deliver("app_home_opened", event | ({"view": home} if home else {}))

    # -- look-ups --

    def _user(self, name: str) -> str:
        person = self.state.find_person(name)
        if person is None:
            raise ApiError("user_not_found")
        return person.id

    def _inside(self, user: str, channel: str) -> Channel:
        place = self.channel(channel)
        if self._user(user) not in place.members:
            raise ApiError("not_in_channel")
        return place

    def _message(self, place: Channel, ts: str, reader: str | None = None) -> Json:
        whispered = place.ephemeral.get(ts)
        if whispered is not None and whispered["to"] == reader:
            return whispered
        if ts not in place.messages:
            raise ApiError("message_not_found")
        return place.messages[ts]

    def _own(self, user: str, channel: str, ts: str) -> tuple[Channel, str]:
        place, person = self._inside(user, channel), self._user(user)
        admin = self.state.people[person].kind == "admin"
        if self._message(place, ts).get("user") != person and not admin:
            raise ApiError("cant_update_message")
        return place, person

    def _file(self, owner: str, file: Json) -> Json:
        return public(new_file(self.slack, file["name"], owner, base64.b64decode(file["content"])))
