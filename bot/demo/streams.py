"""Messages that are being streamed: open for a few minutes, then only chat.update reaches them."""

from __future__ import annotations

import time

from bot.demo.errors import ApiError

LIFETIME_S = 300.0


class Streams:
    """The open streams, by channel and ts."""

    def __init__(self, lifetime: float = LIFETIME_S) -> None:
        self.lifetime = lifetime
        self._open: dict[tuple[str, str], tuple[str, float]] = {}

    def start(self, channel: str, ts: str) -> None:
        """Open a stream."""
        self._open[channel, ts] = "", time.monotonic()

    def append(self, channel: str, ts: str, text: str) -> str:
        """Return the whole text so far.

        Raises:
            ApiError: `message_not_in_streaming_state`: it was stopped, never started, or is too old.
        """
        so_far, born = self._open.get((channel, ts), ("", float("-inf")))
        if time.monotonic() - born > self.lifetime:
            self._open.pop((channel, ts), None)
            raise ApiError("message_not_in_streaming_state")
        self._open[channel, ts] = so_far + text, born
        return so_far + text

    def stop(self, channel: str, ts: str) -> None:
        """Close a stream."""
        self._open.pop((channel, ts), None)
