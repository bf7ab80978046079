"""What an administrator asked for, by a command or a button."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handlers.errors import whisper
from handlers.text import escape

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient


@dataclass(frozen=True, slots=True)
class Request:
    """A verb's request; `words` are what stands after the verb."""

    body: dict[str, Any]
    client: AsyncWebClient
    words: str

    @property
    def person(self) -> str:
        """The id of whoever asks."""
        return person_of(self.body)

    async def say(self, sentence: str) -> None:
        """Say something to them alone; what is asked for in the App Home is answered in direct messages."""
        if self.body.get("response_url"):
            await whisper(self.body, self.client, sentence)
        else:
            await self.client.chat_postMessage(channel=self.person, text=escape(sentence))


def person_of(body: dict[str, Any]) -> str:
    """Return who is behind a command, a button or a form."""
    return str(body.get("user_id") or body["user"]["id"])
