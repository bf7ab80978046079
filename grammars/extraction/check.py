"""A schema checked on arrival: what of it is enforced, what is validated afterwards, or why it is refused."""

from __future__ import annotations

import asyncio
import json
import math
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from grammars.extraction.record import ExtractionError

if TYPE_CHECKING:
    from asyncio.subprocess import Process

SECONDS = 15  # by the clock; the child has fewer of its processor's
LONGEST = 256 * 1024  # characters of JSON
DEEPEST = 48  # objects and lists within one another
MOST_VALUES = 40_000  # values in all of the schema, names of members included
MOST_OPTIONS = 2_000  # of one enum

_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_TOO_SLOW = "compiling it takes too long or too much memory. Simplify its patterns, limits and references."


class SchemaRefused(ExtractionError):  # noqa: N818 - it reads as what happened
    """The schema cannot be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the check of a schema found.

    Attributes:
        enforced: whether the grammar enforces the whole schema.
        validated: JSON pointers of keywords that are validated after generation instead.
    """

    enforced: bool
    validated: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it for `json.dumps`."""
        return asdict(self)


async def check(definition: Any, *, seconds: float = SECONDS) -> Report:
    """Check a JSON Schema (draft 2020-12), in bounded time and memory.

    What compiles it is a process of its own, which hostile patterns, references and sizes end, and not us.

    Raises:
        SchemaRefused: it is none, or cannot be used; the message says where and why.
    """
    if problem := _problem(definition):
        raise SchemaRefused(f"The schema is refused: {problem}")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "grammars.extraction.check_child", stdin=PIPE, stdout=PIPE, stderr=DEVNULL
    )
    try:
        async with asyncio.timeout(seconds):
            written, _ = await process.communicate(json.dumps(definition).encode())
    except TimeoutError:
        raise SchemaRefused(f"The schema is refused: {_TOO_SLOW}") from None
    finally:
        await _end(process)
    return _report(written)


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


def _report(written: bytes) -> Report:
    try:
        found = json.loads(written)
    except ValueError:  # it died of what it was given
        raise SchemaRefused(f"The schema is refused: {_TOO_SLOW}") from None
    if "refused" in found:
        raise SchemaRefused(f"The schema is refused: {found['refused']}")
    return Report(found["enforced"], tuple(found["validated"]))


def parse_schema(text: str) -> Any:
    """Return the JSON Schema that a text holds.

    Raises:
        SchemaRefused: it is too long, or no JSON object.
    """
    if len(text) > LONGEST:
        raise SchemaRefused(f"The schema has {len(text):,} characters; the limit is {LONGEST:,}.")
    try:
        definition = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SchemaRefused(f"The schema is not JSON: {str(error)[:200]}") from None
    if not isinstance(definition, dict):
        raise SchemaRefused("A schema is a JSON object with a title, a type and properties.")
    return definition


def _problem(definition: Any) -> str | None:
    """Return what is too much of it, found without recursion; None where nothing is."""
    if not isinstance(definition, dict):
        return "a schema is a JSON object."
    level, depth, count = [definition], 0, 0
    while level:
        depth, count = depth + 1, count + len(level)
        if depth > DEEPEST:
            return f"it is nested more than {DEEPEST} levels deep."
        if count > MOST_VALUES:
            return f"it holds more than {MOST_VALUES:,} values."
        if wrong := next(filter(None, map(_wrong, level)), None):
            return wrong
        level = [part for value in level for part in _parts(value)]
    size = len(json.dumps(definition))
    return f"it has {size:,} characters; the limit is {LONGEST:,}." if size > LONGEST else None


def _parts(value: Any) -> list[Any]:
    """Return what a value holds, the names of its members included."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def _wrong(value: Any) -> str | None:
    if (
        isinstance(value, dict)
        and isinstance(options := value.get("enum"), list)
        and len(options) > MOST_OPTIONS
    ):
        return f"an enum has more than {MOST_OPTIONS:,} options."
    if isinstance(value, str) and _NO_TEXT.search(value):
        return "it holds a null character, or half of a surrogate pair."
    if isinstance(value, float) and not math.isfinite(value):
        return "it holds a number beyond all bounds."
    return None
