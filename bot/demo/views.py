"""Modals and the App Home: which views are open in front of whom."""

from __future__ import annotations

import secrets

from bot.demo import validate
from bot.demo.errors import ApiError
from bot.demo.workspace import Change, Json, Workspace, new_id

MAX_STACK = 3  # "an app can have up to three views in a modal's stack"


class Views:
    """Each person's stack of modal views, the top one last, and each person's home."""

    def __init__(self, workspace: Workspace, app_id: str, bot_id: str) -> None:
        self.workspace = workspace
        self.app_id = app_id
        self.bot_id = bot_id
        self.stacks: dict[str, list[Json]] = {}

    def open(self, user: str, view: Json) -> Json:
        """Show a new modal, in place of whatever stood there."""
        self.stacks[user] = []
        return self.push(user, view)

    def push(self, user: str, view: Json) -> Json:
        """Show a view on top of the others."""
        stack = self.stacks.setdefault(user, [])
        if len(stack) >= MAX_STACK:
            raise ApiError("push_limit_reached")
        full = self._complete(view)
        full["root_view_id"] = stack[0]["id"] if stack else full["id"]
        full["previous_view_id"] = stack[-1]["id"] if stack else None
        stack.append(full)
        self._show(user)
        return full

    def update(self, user: str, view_id: str, view: Json) -> Json:
        """Replace a view that is open."""
        stack = self.stacks[user]
        place = next(index for index, one in enumerate(stack) if one["id"] == view_id)
        kept = {key: stack[place][key] for key in ("id", "root_view_id", "previous_view_id", "state")}
        stack[place] = self._complete(view) | kept
        self._show(user)
        return stack[place]

    def pop(self, user: str, *, everything: bool = False) -> list[Json]:
        """Close the top view, or all of them; return the closed ones."""
        stack = self.stacks.get(user, [])
        closed = stack[:] if everything else stack[-1:]
        del stack[len(stack) - len(closed) :]
        self._show(user)
        return closed

    def publish(self, user: str, view: Json) -> Json:
        """Set a person's home."""
        before = self.workspace.homes.get(user, {})
        full = self._complete(view) | ({"id": before["id"]} if before else {})
        self.workspace.homes[user] = full
        self.workspace.tell(Change("home", {"view": full}, user=user))
        return full

    def find(self, *, view_id: str | None = None, external_id: str | None = None) -> tuple[str, Json]:
        """Return an open view (or a home) and whose it is.

        Raises:
            ApiError: `not_found`.
        """
        everything = [(user, view) for user, stack in self.stacks.items() for view in stack]
        for user, view in (*everything, *self.workspace.homes.items()):
            if (view_id and view["id"] == view_id) or (
                external_id and view.get("external_id") == external_id
            ):
                return user, view
        raise ApiError("not_found")

    def _complete(self, view: Json) -> Json:
        given = {"private_metadata": "", "callback_id": "", "external_id": "", "submit": None, "close": None}
        return (
            given
            | view
            | {
                "id": new_id("V"),
                "blocks": validate.with_ids(view["blocks"]),
                "team_id": self.workspace.team_id,
                "app_id": self.app_id,
                "bot_id": self.bot_id,
                "app_installed_team_id": self.workspace.team_id,
                "state": {"values": {}},
                "hash": f"{self.workspace.timestamp()}.{secrets.token_urlsafe(4)}",
                "root_view_id": None,
                "previous_view_id": None,
            }
        )

    def _show(self, user: str) -> None:
        self.workspace.tell(Change("views", {"views": self.stacks[user]}, user=user))
