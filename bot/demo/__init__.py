"""A Slack workspace on this machine: what a bot needs of Slack, a page for people, a handle for tests."""

from bot.demo.app import App, Command, Shortcut
from bot.demo.errors import ApiError
from bot.demo.faults import Faults
from bot.demo.server import local_workspace
from bot.demo.socket_mode import NotAcknowledgedError, Redelivery
from bot.demo.verbs import LocalWorkspace

__all__ = [
    "ApiError",
    "App",
    "Command",
    "Faults",
    "LocalWorkspace",
    "NotAcknowledgedError",
    "Redelivery",
    "Shortcut",
    "local_workspace",
]
