"""What the handlers of records may do: a frozen set of callables, filled in where the parts are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import date

    from knowledge.batches import Batches
    from knowledge.channels import Channels
    from knowledge.drafts import Drafts
    from knowledge.schemas import Schema


class Made(Protocol):
    """What was extracted; `as_json` is a `knowledge.extraction.Extraction`'s."""

    def as_json(self) -> dict[str, Any]: ...


class ExtractText(Protocol):
    """Extracts a record from a text; `reference` is the day that `yesterday` is counted from."""

    async def __call__(self, schema: Schema, text: str, *, reference: date) -> Made: ...


class FindSchema(Protocol):
    """Returns a schema by name, and by version where one is asked for."""

    async def __call__(self, name: str, version: int | None = None) -> Schema: ...


@dataclass(frozen=True, slots=True)
class ExtractServices:
    """Everything that the handlers of records may ask for.

    Attributes:
        schemas: lists the newest version of each.
        find_schema: raises SchemaUnknown.
        add_schema: checks and keeps one by its name; raises SchemaRefused.
        extract: reads a text; only where the model is.
        parse: returns the text of a file's content, by its name; raises ParseError.
        drafts: records in the making.
        batches: many messages read at once.
        channels: what administrators set for channels.
        deliver: sends a confirmed record out, by its delivery's id; None where no webhook is set.
        learn: whether people's corrections are kept as training examples.
        admins: who may set up channels: ids of people and user groups, and `workspace-admins`.
    """

    schemas: Callable[[], Awaitable[Sequence[Schema]]]
    find_schema: FindSchema
    add_schema: Callable[[str, Any], Awaitable[Schema]]
    extract: ExtractText
    parse: Callable[[bytes, str], Awaitable[str]]
    drafts: Drafts
    batches: Batches
    channels: Channels
    deliver: Callable[[str, Any], Awaitable[None]] | None = None
    learn: bool = False
    admins: frozenset[str] = frozenset()
