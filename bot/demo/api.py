"""The Web API: finds the method, checks token, scope and rate, and answers in Slack's words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from bot.demo.errors import ApiError
from bot.demo.methods import METHODS
from bot.demo.methods.method import allow
from bot.demo.workspace import Json

if TYPE_CHECKING:
    from bot.demo.slack import Slack


class Arguments(Json):
    """A call's arguments; a missing one is refused in Slack's words."""

    def __missing__(self, name: str) -> Any:
        raise ApiError("invalid_arguments", [f"[ERROR] missing required field: {name}"])


async def arguments(request: web.Request) -> Json:
    """Return a call's arguments from its query, form or JSON body; structured form fields are parsed."""
    given: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        try:
            given |= await request.json()
        except (ValueError, TypeError):
            raise ApiError("invalid_json") from None
    else:
        given |= dict(await request.post())
    return Arguments({name: _parsed(name, value) for name, value in given.items()})


STRUCTURED = {"blocks", "metadata", "view", "files", "chunks", "prompts", "attachments", "loading_messages"}


def _parsed(name: str, value: Any) -> Any:
    if name not in STRUCTURED or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        code = "invalid_blocks_format" if name == "blocks" else "invalid_arguments"
        raise ApiError(code, [f"[ERROR] must be valid json [json-pointer:/{name}]"]) from None


class WebApi:
    """Serves `/api/METHOD`."""

    def __init__(self, slack: Slack) -> None:
        self.slack = slack

    async def serve(self, request: web.Request) -> web.Response:
        """Answer one call; a refusal is HTTP 200 with `ok: false`, save 429."""
        name = request.match_info["method"]
        await self.slack.faults.lag()
        if self.slack.faults.limits(name):
            after = {"Retry-After": str(self.slack.faults.retry_after)}
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=after)
        try:
            answer = {"ok": True, **await self._call(name, request)}
        except ApiError as error:
            answer = refusal(error)
        scopes = ",".join(sorted(self.slack.app.scopes or ()))
        return web.json_response(answer, headers={"x-oauth-scopes": scopes})

    async def _call(self, name: str, request: web.Request) -> Json:
        given = await arguments(request)
        if name == "api.test":
            return {"args": given}
        if name not in METHODS:
            raise ApiError("unknown_method", req_method=name)
        method = METHODS[name]
        self._authorize(request, given.pop("token", None), app_level=method.app_level)
        allow(self.slack, method.scope)
        return method.run(self.slack, given)

    def _authorize(self, request: web.Request, token: str | None, *, app_level: bool) -> None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ") or token
        if not token:
            raise ApiError("not_authed")
        if token not in {self.slack.app.bot_token, self.slack.app.app_token}:
            raise ApiError("invalid_auth")
        if app_level != (token == self.slack.app.app_token):
            raise ApiError("not_allowed_token_type")


def refusal(error: ApiError) -> Json:
    """Return the body of a refused call."""
    answer: Json = {"ok": False, "error": error.code, **error.fields}
    if error.details:
        answer["response_metadata"] = {"messages": list(error.details)}
    return answer
