"""What people do with the app's buttons, views, commands and shortcuts, delivered as Slack delivers it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from bot.demo import inputs, validate
from bot.demo.errors import ApiError
from bot.demo.methods.files import new_file, public
from bot.demo.responses import Response
from bot.demo.socket_mode import NotAcknowledgedError

if TYPE_CHECKING:
    from bot.demo.slack import Slack
    from bot.demo.workspace import Channel, Json

NO_COMMAND = "`{}` is not a valid command. In Slack, only what the app's manifest lists works here."
NO_ANSWER = "{} failed because the app did not respond."
SLACKBOT = {"user": "USLACKBOT", "bot_profile": {"name": "Slackbot"}}


class Interactions:
    """Builds the payloads, delivers them, and does what the acknowledgement says."""

    def __init__(self, slack: Slack) -> None:
        self.slack = slack

    # -- buttons and other elements --

    async def click_in_message(
        self, user: str, channel: Channel, message: Json, find: Json, value: Any
    ) -> None:
        """Use an element of a message; `find` names its action_id and, where needed, its block_id."""
        ephemeral = bool(message.get("is_ephemeral"))
        place = {"message_ts": message["ts"], "channel_id": channel.id, "is_ephemeral": ephemeral}
        if "thread_ts" in message:
            place["thread_ts"] = message["thread_ts"]
        block, element = _locate(message.get("blocks", []), find)
        values = inputs.initial_values(message["blocks"])
        if element["type"] not in inputs.STATELESS:
            values.setdefault(block["block_id"], {})[element["action_id"]] = inputs.state(element, value)
        payload = self._payload("block_actions", user) | {
            "container": {"type": "message", **place},
            "channel": {"id": channel.id, "name": channel.name},
            "state": {"values": values},
            "response_url": self.slack.responses.issue(channel, user, message["ts"]),
            "actions": [inputs.action(block, element, value)],
        }
        if not ephemeral:  # Slack leaves an ephemeral message's content out
            payload["message"] = message
        await self.slack.socket.ask("interactive", payload)

    async def click_in_view(self, user: str, view: Json, find: Json, value: Any, values: Json) -> None:
        """Use an element of a modal or a home; `values` is what the inputs hold, as plain values."""
        view["state"] = {"values": self._filled(user, view, values)}
        block, element = _locate(view["blocks"], find)
        payload = self._payload("block_actions", user) | {
            "container": {"type": "view", "view_id": view["id"]},
            "view": view,
            "actions": [inputs.action(block, element, value)],
        }
        await self.slack.socket.ask("interactive", payload)

    # -- views --

    async def submit(self, user: str, view: Json, values: Json) -> dict[str, str]:
        """Submit the modal on top; return the errors by block_id, empty where it was taken."""
        view["state"] = {"values": self._filled(user, view, values)}
        found = inputs.problems(view["blocks"], view["state"]["values"])
        if found:
            return found
        payload = self._payload("view_submission", user) | {"view": view, "response_urls": []}
        answer = await self.slack.socket.ask("interactive", payload)
        return self._follow(user, view, answer)

    def _follow(self, user: str, view: Json, answer: Json) -> dict[str, str]:
        action = answer.get("response_action")
        if action == "errors":
            return dict(answer["errors"])
        if action in {"update", "push"}:
            validate.view(answer["view"])
        if action == "update":
            self.slack.views.update(user, view["id"], answer["view"])
        elif action == "push":
            self.slack.views.push(user, answer["view"])
        else:
            self.slack.views.pop(user, everything=action == "clear")
        return {}

    async def close(self, user: str, *, everything: bool = False) -> None:
        """Close the modal on top (or all of them), and tell the app where it asked for that."""
        for view in reversed(self.slack.views.pop(user, everything=everything)):
            if view.get("notify_on_close"):
                payload = self._payload("view_closed", user) | {"view": view, "is_cleared": everything}
                await self.slack.socket.ask("interactive", payload)

    # -- commands and shortcuts --

    async def command(self, user: str, channel: Channel, line: str) -> None:
        """Run a slash command that a person typed."""
        name, _, text = line.partition(" ")
        if name not in {command.name for command in self.slack.app.commands}:
            return self._explain(user, channel, NO_COMMAND.format(name))
        person, workspace = self.slack.workspace.people[user], self.slack.workspace
        payload = {
            "token": "unused",
            "command": name,
            "text": text.strip(),
            "team_id": workspace.team_id,
            "team_domain": workspace.team_name.lower(),
            "channel_id": channel.id,
            "channel_name": "directmessage" if channel.kind == "im" else channel.name,
            "user_id": user,
            "user_name": person.name,
            "api_app_id": self.slack.app.id,
            "is_enterprise_install": "false",
            "response_url": self.slack.responses.issue(channel, user),
            "trigger_id": self.slack.triggers.issue(user),
        }
        try:
            answer = await self.slack.socket.ask("slash_commands", payload)
        except NotAcknowledgedError:
            return self._explain(user, channel, NO_ANSWER.format(name))
        if answer:
            self.slack.responses.show(Response(channel, user), answer)
        return None

    async def shortcut(self, user: str, callback_id: str, where: tuple[Channel, Json] | None) -> None:
        """Run a shortcut: on a message where one is given, else a global one."""
        payload = self._payload("message_action" if where else "shortcut", user) | {
            "callback_id": callback_id
        }
        payload["action_ts"] = self.slack.workspace.timestamp()
        if where:
            channel, message = where
            payload |= {
                "channel": {"id": channel.id, "name": channel.name},
                "message": message,
                "message_ts": message["ts"],
                "response_url": self.slack.responses.issue(channel, user),
            }
        await self.slack.socket.ask("interactive", payload)

    def _filled(self, user: str, view: Json, values: Json) -> Json:
        """Return the `state.values` of a view; files of an input are uploaded first, as Slack does."""
        filled = inputs.initial_values(view["blocks"])
        for block, element in inputs.elements(view["blocks"]):
            given = values.get(block["block_id"], {})
            if element["action_id"] in given:
                value = given[element["action_id"]]
                if element["type"] == "file_input":
                    value = [self._uploaded(user, file) for file in value or ()]
                filled[block["block_id"]][element["action_id"]] = inputs.state(element, value)
        return filled

    def _uploaded(self, user: str, file: Json) -> Json:
        return public(new_file(self.slack, file["name"], user, base64.b64decode(file["content"])))

    def _explain(self, user: str, channel: Channel, text: str) -> None:
        self.slack.workspace.whisper(channel, user, SLACKBOT | {"text": text})

    def _payload(self, kind: str, user: str) -> Json:
        workspace, person = self.slack.workspace, self.slack.workspace.people[user]
        who = {"id": user, "username": person.name, "name": person.name, "team_id": workspace.team_id}
        return {
            "type": kind,
            "token": "unused",
            "user": who,
            "team": {"id": workspace.team_id, "domain": workspace.team_name.lower()},
            "api_app_id": self.slack.app.id,
            "enterprise": None,
            "is_enterprise_install": False,
            "trigger_id": self.slack.triggers.issue(user),
        }


def _locate(blocks: list[Json], find: Json) -> tuple[Json, Json]:
    for block, element in inputs.elements(blocks):
        if element["action_id"] == find["action_id"] and find.get("block_id") in {None, block["block_id"]}:
            return block, element
    raise ApiError("not_found", [f"There is no element with action_id {find['action_id']} here."])
