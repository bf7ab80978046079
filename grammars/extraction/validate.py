"""Validation as JSON Schema means it, formats included, in bounded time; it fetches nothing."""

from __future__ import annotations

import math
import re
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from grammars.extraction import patterns
from grammars.extraction.modern import modern
from grammars.extraction.record import pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 2.0  # one validation
TOO_DEEP = "it is nested too deeply"
TOO_LONG = "validating it takes too long; simplify the schema's patterns and references"
UNBOUNDED = "it holds a number beyond all bounds"

_end: ContextVar[float] = ContextVar("_end", default=math.inf)  # of the validation, on the monotonic clock


class _TooLong(Exception):  # noqa: N818 - it reads as what happened
    """The validation has had its time."""


class Validator:
    """A schema ready to judge values.

    Args:
        definition: a JSON Schema, of whatever draft, that was checked.
    """

    def __init__(self, definition: Any) -> None:
        self._validator = _Bounded(modern(definition), registry=Registry(), format_checker=_FORMATS)

    def errors(self, value: Any, *, until: float | None = None) -> list[ValidationError]:
        """Return what is wrong with a value, the nearest to the root first.

        A circle is an error too, and so is a number that no float holds, or what takes too long: by default
        `SECONDS`, else `until` a moment of the monotonic clock.
        """
        if unbounded := list(_unbounded(value, ())):
            return [ValidationError(UNBOUNDED, path=path) for path in unbounded]
        token = _end.set(time.monotonic() + SECONDS if until is None else until)
        try:
            found = list(self._validator.iter_errors(value))
        except _TooLong:
            return [ValidationError(TOO_LONG)]
        except RecursionError:
            return [ValidationError(TOO_DEEP)]
        except Unresolvable as error:
            return [ValidationError(f"a reference leads nowhere: {error}")]
        except re.error as error:  # `unevaluatedProperties` reads patterns as Python does
            return [ValidationError(f"a pattern cannot be used: {error}")]
        finally:
            _end.reset(token)
        return sorted(found, key=lambda error: len(error.absolute_path))

    def admits(self, value: Any) -> bool:
        """Whether the schema admits a value."""
        return not self.errors(value)

    def why(self, value: Any) -> str | None:
        """Return a sentence on the most telling error; None where there is none."""
        errors = self.errors(value)
        if not errors:
            return None
        error = best_match(errors) or errors[0]
        return f"{pointer(error.absolute_path) or 'the record'}: {error.message[:200]}"


def check_meta(definition: Any) -> str | None:
    """Return why a value is no JSON Schema (2020-12); None where it is one."""
    try:
        Draft202012Validator.check_schema(definition, format_checker=_FORMATS)
    except SchemaError as error:
        return f"{pointer(error.absolute_path) or 'the root'}: {error.message[:200]}"
    return None


def _unbounded(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Yield where a value holds what JSON has no number for, or no float."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _unbounded(member, (*path, name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _unbounded(item, (*path, place))
    elif isinstance(value, int | float) and not _finite(value):
        yield path


def _finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _matches(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text; not, where that takes too long."""
    left = _end.get() - time.monotonic()
    if left <= 0:
        raise _TooLong
    return patterns.matches(pattern, text, min(left, patterns.SECONDS))


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError(f"{instance[:80]!r} does not match {pattern[:80]!r}")


def _pattern_properties(
    validator: Any, members: dict[str, Any], instance: Any, _: Any
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, schema in members.items():
        for name, value in instance.items():
            if _matches(pattern, name):
                yield from validator.descend(value, schema, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, other: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    named, alike = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, value in instance.items():
        if name in named or any(_matches(pattern, name) for pattern in alike):
            continue
        if other is False:
            yield ValidationError(f"{name[:80]!r} is no member that the schema knows", path=(name,))
        else:
            yield from validator.descend(value, other, path=name)


def _timed(keyword: str) -> Callable[..., Iterator[ValidationError]]:
    """Return what follows a reference: what refers to itself twice may take for ever."""
    follow = Draft202012Validator.VALIDATORS[keyword]

    def timed(validator: Any, ref: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if time.monotonic() > _end.get():
            raise _TooLong
        yield from follow(validator, ref, instance, schema) or ()

    return timed


_FORMATS = FormatChecker()
_FORMATS.checkers = Draft202012Validator.FORMAT_CHECKER.checkers | {
    "regex": (lambda value: not isinstance(value, str) or patterns.is_pattern(value), ())
}
_Bounded = extend(  # type: ignore[no-untyped-call]  # its stub lacks types
    Draft202012Validator,
    {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "$ref": _timed("$ref"),
        "$dynamicRef": _timed("$dynamicRef"),
    },
)
