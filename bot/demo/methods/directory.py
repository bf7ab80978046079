"""auth, apps, team, users, usergroups, bots: who is who."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.errors import ApiError
from bot.demo.methods.method import Method, page

if TYPE_CHECKING:
    from bot.demo.slack import Slack
    from bot.demo.workspace import Json


def auth_test(slack: Slack, _given: Json) -> Json:
    workspace, app = slack.workspace, slack.app
    return {
        "url": f"{slack.url}/",
        "team": workspace.team_name,
        "team_id": workspace.team_id,
        "user": app.user_name,
        "user_id": app.user_id,
        "bot_id": app.bot_id,
        "is_enterprise_install": False,
    }


def open_connection(slack: Slack, _given: Json) -> Json:
    address = slack.url.replace("http", "ws", 1)
    return {"url": f"{address}/link/?ticket={slack.socket.ticket()}&app_id={slack.app.id}"}


def team_info(slack: Slack, _given: Json) -> Json:
    workspace = slack.workspace
    domain = workspace.team_name.lower()
    return {
        "team": {"id": workspace.team_id, "name": workspace.team_name, "domain": domain, "url": slack.url}
    }


def users_info(slack: Slack, given: Json) -> Json:
    person = slack.workspace.people.get(given["user"])
    if person is None:
        raise ApiError("user_not_found")
    return {"user": person.as_user()}


def users_list(slack: Slack, given: Json) -> Json:
    people = [person.as_user() for person in slack.workspace.people.values()]
    rows, following = page(people, given)
    return {"members": rows, **following}


def bots_info(slack: Slack, given: Json) -> Json:
    app = slack.app
    if given.get("bot", app.bot_id) != app.bot_id:
        raise ApiError("bot_not_found")
    return {
        "bot": {
            "id": app.bot_id,
            "app_id": app.id,
            "user_id": app.user_id,
            "name": app.name,
            "deleted": False,
        }
    }


def usergroups_list(slack: Slack, given: Json) -> Json:
    groups = [
        dict(group, team_id=slack.workspace.team_id, is_usergroup=True) for group in slack.workspace.groups
    ]
    for group in groups:
        group["user_count"] = len(group["users"])
        if not given.get("include_users"):
            del group["users"]
    return {"usergroups": groups}


def usergroups_users_list(slack: Slack, given: Json) -> Json:
    for group in slack.workspace.groups:
        if group["id"] == given["usergroup"]:
            return {"users": list(group["users"])}
    raise ApiError("no_such_subteam")


METHODS = {
    "auth.test": Method(auth_test),
    "apps.connections.open": Method(open_connection, app_level=True),
    "team.info": Method(team_info, "team:read"),
    "users.info": Method(users_info, "users:read"),
    "users.list": Method(users_list, "users:read"),
    "bots.info": Method(bots_info, "users:read"),
    "usergroups.list": Method(usergroups_list, "usergroups:read"),
    "usergroups.users.list": Method(usergroups_users_list, "usergroups:read"),
}
