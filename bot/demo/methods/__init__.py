"""The methods of the Web API, each a function of the local Slack and the call's arguments."""

from __future__ import annotations

from bot.demo.methods import assistant, chat, conversations, directory, files, reactions, streaming, views
from bot.demo.methods.method import Method

__all__ = ["METHODS", "Method"]

METHODS: dict[str, Method] = {
    **directory.METHODS,
    **chat.METHODS,
    **streaming.METHODS,
    **reactions.METHODS,
    **conversations.METHODS,
    **views.METHODS,
    **files.METHODS,
    **assistant.METHODS,
}
