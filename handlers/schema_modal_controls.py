"""Which control a value is edited with, what the control shows, and what a person's entry means. Pure."""

from __future__ import annotations

import json
import math
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Literal

from handlers.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from grammars.extraction.fields import Field

Control = Literal["select", "choices", "checkbox", "radio", "date", "number", "text", "lines", "json", "kept"]

LONGEST_INPUT = 3_000  # characters of one input
LONGEST_NUMBER = 40
LONGEST_LINE = 80  # a longer text gets an input of several lines
MOST_OPTIONS = 99  # a select takes 100, and one may stand for nothing
NOT_A_NUMBER = "This is no number."
NOT_WHOLE = "This is no whole number."
NOT_JSON = "This is no JSON: {}."


class Absent:
    """What a record does not hold."""

    def __repr__(self) -> str:
        return "ABSENT"

    def __deepcopy__(self, _: dict[int, Any]) -> Absent:
        return self


ABSENT: Any = Absent()


class EntryError(ValueError):
    """What a person entered cannot be read; the message says what is expected."""


def control_of(field: Field, value: Any, *, as_json: bool = False) -> Control:
    """Return what a value is edited with: JSON where it is not of the kind that its field says."""
    kind = "json" if as_json else _CHOOSE.get(field.kind, _json)(field, value)
    if kind in {"json", "lines", "text"} and len(shown(kind, value)) > LONGEST_INPUT:
        return "kept"
    return kind


def _is_given(value: Any) -> bool:
    return value is not None and value is not ABSENT


def _json(_: Field, __: Any) -> Control:
    return "json"


def _choice(field: Field, value: Any) -> Control:
    if len(field.options) == 1 and value == field.options[0]:
        return "kept"
    if _is_given(value) and not any(same(value, option) for option in field.options):
        return "json"
    if 0 < len(field.options) <= MOST_OPTIONS:
        return "select"
    strings = all(isinstance(option, str) for option in field.options)
    return "text" if strings else "json"


def _boolean(field: Field, value: Any) -> Control:
    if isinstance(value, bool):
        return "checkbox" if field.required and not field.nullable else "radio"
    return "json" if _is_given(value) else "radio"


def _number(_: Field, value: Any) -> Control:
    if not _is_given(value):
        return "number"
    fine = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return "number" if fine and len(written(value)) <= LONGEST_NUMBER else "json"


def _string(field: Field, value: Any) -> Control:
    if _is_given(value) and not isinstance(value, str):
        return "json"
    dated = field.schema.get("format") == "date" and (not value or value is ABSENT or _is_date(value))
    return "date" if dated else "text"


def _array(field: Field, value: Any) -> Control:
    items, held = field.items, value if _is_given(value) else []
    if items is None or not isinstance(held, list):
        return "json"
    if items.kind == "choice" and _chosen_once(items.options, held):
        return "choices"
    if items.kind not in {"string", "integer", "number", "choice"} or items.nullable:
        return "json"
    return "lines" if all(_is_line(items, item) for item in held) else "json"


def _chosen_once(options: tuple[Any, ...], held: list[Any]) -> bool:
    fine = all(any(same(item, option) for option in options) for item in held)
    once = len({repr(item) for item in held}) == len(held)
    return fine and once and 0 < len(options) <= MOST_OPTIONS


def _is_line(items: Field, item: Any) -> bool:
    if items.kind in {"integer", "number"}:
        return _number(items, item) == "number"
    plain = isinstance(item, str) and item == item.strip() == clean(item)
    return plain and bool(item) and len(item.splitlines()) == 1


_CHOOSE: dict[str, Callable[[Field, Any], Control]] = {
    "choice": _choice,
    "boolean": _boolean,
    "integer": _number,
    "number": _number,
    "string": _string,
    "array": _array,
}


def same(value: Any, other: Any) -> bool:
    """Whether two JSON values are the same; True is not 1."""
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def written(number: float) -> str:
    """Return a number without an exponent, exactly."""
    return str(number) if isinstance(number, int) else format(Decimal(repr(number)), "f")


def shown(control: str, value: Any) -> str:
    """Return the text that an input shows for a value."""
    if value is ABSENT or (value is None and control != "json"):
        return ""
    if control == "json":
        return clean(json.dumps(value, ensure_ascii=False, indent=2))
    if control == "lines":
        return "\n".join(str(item) if isinstance(item, str) else written(item) for item in value)
    return written(value) if control == "number" else clean(str(value))


def read_entry(control: str, field: Field, before: Any, text: str | None) -> Any:
    """Return what a text input now says, `before` being the value that it was shown with.

    Raises:
        EntryError: it cannot be read as what the field asks for.
    """
    if (text or "").strip() == shown(control, before).strip():
        return before  # untouched, which includes a value that shows nothing
    if text is None or not text.strip():
        return nothing(field, before)
    if control == "number":
        return _read_number(field, text)
    if control == "lines":
        assert field.items is not None
        return [_read_line(field.items, line.strip()) for line in text.splitlines() if line.strip()]
    return read_json(text) if control == "json" else text


def read_json(text: str) -> Any:
    """Return the JSON value that a text is.

    Raises:
        EntryError: it is none.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise EntryError(NOT_JSON.format(f"{error.msg}, line {error.lineno}")) from None
    except (ValueError, RecursionError) as error:
        raise EntryError(NOT_JSON.format(error)) from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not part of it")


def nothing(field: Field, before: Any) -> Any:
    """Return what an emptied field stands for: what it was where that was nothing, else null, or absent."""
    if before is ABSENT or before is None or before in ("", []):
        return before
    if field.nullable:
        return None
    if field.required and field.kind in {"string", "array"} and isinstance(before, str | list):
        return "" if isinstance(before, str) else []
    return ABSENT


def _read_line(items: Field, line: str) -> Any:
    return _read_number(items, line) if items.kind in {"integer", "number"} else line


def _read_number(field: Field, text: str) -> Any:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        raise EntryError(NOT_A_NUMBER) from None
    if not number.is_finite() or len(text) > LONGEST_NUMBER or abs(number.adjusted()) > LONGEST_NUMBER:
        raise EntryError(NOT_A_NUMBER)
    whole = number == number.to_integral_value()
    if field.kind == "integer" and not whole:
        raise EntryError(NOT_WHOLE)
    return int(number) if whole else float(number)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
