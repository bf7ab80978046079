"""Trouble on demand: rate limits, slow answers, doubled events, deaf or dropped sockets."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(slots=True)
class Faults:
    """What goes wrong, and how often.

    Attributes:
        every: Every n-th Web API call is answered 429; 0 turns it off.
        methods: Methods that are always answered 429.
        retry_after: The header's value in seconds.
        delay: Seconds by which each Web API answer is late.
        copies: How often each event is delivered; 2 redelivers each one.
        deaf: Envelopes are accepted for delivery but never sent: an open socket on which nothing comes.
        lost_acks: Acknowledgements are ignored, so that events come again.
    """

    every: int = 0
    methods: list[str] = field(default_factory=list)
    retry_after: int = 1
    delay: float = 0.0
    copies: int = 1
    deaf: bool = False
    lost_acks: bool = False
    calls: int = 0
    refused: int = 0

    def limits(self, method: str) -> bool:
        """Count a call; return whether it is to be answered 429."""
        self.calls += 1
        hit = method in self.methods or (self.every > 0 and self.calls % self.every == 0)
        self.refused += hit
        return hit

    async def lag(self) -> None:
        """Wait as long as an answer is to be late."""
        if self.delay:
            await asyncio.sleep(self.delay)

    def set(self, **changes: Any) -> None:
        """Change some of them; an unknown name raises TypeError."""
        unknown = changes.keys() - {one.name for one in fields(self)}
        if unknown:
            raise TypeError(f"There is no fault named {', '.join(sorted(unknown))}.")
        for name, value in changes.items():
            setattr(self, name, value)
