"""views.open, push, update, publish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo import validate
from bot.demo.errors import ApiError
from bot.demo.methods.method import Method

if TYPE_CHECKING:
    from bot.demo.slack import Slack
    from bot.demo.workspace import Json


def _modal(given: Json) -> Json:
    validate.view(given["view"])
    if given["view"]["type"] != "modal":
        raise ApiError("invalid_arguments", ["[ERROR] must be a modal [json-pointer:/view/type]"])
    return dict(given["view"])


def open_view(slack: Slack, given: Json) -> Json:
    view = _modal(given)
    return {"view": slack.views.open(slack.triggers.redeem(given["trigger_id"]), view)}


def push(slack: Slack, given: Json) -> Json:
    view = _modal(given)
    return {"view": slack.views.push(slack.triggers.redeem(given["trigger_id"]), view)}


def update(slack: Slack, given: Json) -> Json:
    view = _modal(given)
    user, before = slack.views.find(view_id=given.get("view_id"), external_id=given.get("external_id"))
    if given.get("hash") and given["hash"] != before["hash"]:
        raise ApiError("hash_conflict")
    return {"view": slack.views.update(user, before["id"], view)}


def publish(slack: Slack, given: Json) -> Json:
    validate.view(given["view"])
    if given["view"]["type"] != "home":
        raise ApiError("invalid_arguments", ["[ERROR] must be a home [json-pointer:/view/type]"])
    if given["user_id"] not in slack.workspace.people:
        raise ApiError("user_not_found")
    return {"view": slack.views.publish(given["user_id"], dict(given["view"]))}


METHODS = {
    "views.open": Method(open_view),
    "views.push": Method(push),
    "views.update": Method(update),
    "views.publish": Method(publish),
}
