"""How the Web API says no."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class ApiError(Exception):
    """A call that Slack would refuse; `code` is Slack's own word for it.

    `details` are sentences for `response_metadata.messages`, such as which field of which block is too long.
    """

    def __init__(self, code: str, details: Sequence[str] = (), **fields: object) -> None:
        super().__init__(code)
        self.code = code
        self.details = tuple(details)
        self.fields = fields
