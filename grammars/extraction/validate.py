"""Validation as JSON Schema means it, formats included, in bounded time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import regex
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.validators import extend
from referencing.exceptions import Unresolvable

from grammars.extraction.record import pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

PATTERN_SECONDS = 0.5  # one pattern on one string; a catastrophic one counts as not matched
TOO_DEEP = "it is nested too deeply"


class Validator:
    """A schema ready to judge values.

    Args:
        definition: a JSON Schema that was checked.
    """

    def __init__(self, definition: Any) -> None:
        self._validator = _Bounded(definition, format_checker=Draft202012Validator.FORMAT_CHECKER)

    def errors(self, value: Any) -> list[ValidationError]:
        """Return what is wrong with a value, the nearest to the root first; a circle is an error too."""
        try:
            found = list(self._validator.iter_errors(value))
        except RecursionError:
            return [ValidationError(TOO_DEEP)]
        except Unresolvable as error:
            return [ValidationError(f"a reference leads nowhere: {error}")]
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
        Draft202012Validator.check_schema(definition)
    except SchemaError as error:
        return f"{pointer(error.absolute_path) or 'the root'}: {error.message[:200]}"
    return None


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text; not, where that takes too long or it is no pattern."""
    try:
        return regex.search(pattern, text, regex.V0, timeout=PATTERN_SECONDS) is not None
    except (TimeoutError, regex.error):
        return False


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not matches(pattern, instance):
        yield ValidationError(f"{instance[:80]!r} does not match {pattern[:80]!r}")


def _pattern_properties(
    validator: Any, patterns: dict[str, Any], instance: Any, _: Any
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, schema in patterns.items():
        for name, value in instance.items():
            if matches(pattern, name):
                yield from validator.descend(value, schema, path=name, schema_path=pattern)


_Bounded = extend(  # type: ignore[no-untyped-call]  # its stub lacks types
    Draft202012Validator, {"pattern": _pattern, "patternProperties": _pattern_properties}
)
