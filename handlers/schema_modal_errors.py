"""What a schema objects to in an edited record, said at the input that it is about. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonschema.exceptions import best_match

from handlers.schema_modal import block_id, shown_entries
from handlers.text import clean, clip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jsonschema.exceptions import ValidationError

    from handlers.schema_modal import Form
    from handlers.schema_modal_form import Entry, Path

NEEDED = "This is needed, and the text does not say."
SENTENCES = {
    "enum": "This is none of the values that the schema admits.",
    "const": "This is not the value that the schema admits.",
    "type": "This has to be of the type {}.",
    "format": "This is no {}.",
    "pattern": "This does not have the form that the schema asks for: {}",
    "minimum": "This has to be at least {}.",
    "maximum": "This has to be at most {}.",
    "exclusiveMinimum": "This has to be more than {}.",
    "exclusiveMaximum": "This has to be less than {}.",
    "multipleOf": "This has to be a multiple of {}.",
    "minLength": "This has to have at least {} characters.",
    "maxLength": "This may have at most {} characters.",
    "minItems": "There have to be at least {}.",
    "maxItems": "There may be at most {}.",
    "uniqueItems": "The same is here twice.",
}
LONGEST = 200


def errors_at(form: Form, found: Iterable[ValidationError]) -> tuple[dict[str, str], list[str]]:
    """Return a sentence by the id of the input that it is about, and those that are about none."""
    lines = shown_entries(form)
    inputs = [(n, entry) for n, entry in enumerate(lines) if entry.control not in {"group", "add", "kept"}]
    said: dict[str, str] = {}
    elsewhere: list[str] = []
    for error in found:
        for path, sentence in _sentences(error):
            place = _nearest(inputs, path)
            if place is None:
                elsewhere.append(f"{'/'.join(map(str, path)) or 'The record'}: {sentence}")
            else:
                said.setdefault(block_id(form, place), sentence)
    return said, elsewhere


def _sentences(error: ValidationError) -> Iterator[tuple[Path, str]]:
    telling = best_match([error]) if error.context else error
    error = telling or error
    path, told = tuple(error.absolute_path), error.validator_value
    if error.validator == "required" and isinstance(error.instance, dict) and isinstance(told, list):
        for name in told:
            if name not in error.instance:
                yield (*path, name), NEEDED
        return
    template = SENTENCES.get(str(error.validator))
    yield path, clip(clean(template.format(_value(told)) if template else error.message), LONGEST)


def _value(value: Any) -> str:
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)


def _nearest(inputs: Sequence[tuple[int, Entry]], path: Path) -> int | None:
    """Return the number of the input that holds a path, else of the first one inside it, else of any."""
    around = [n for n, entry in inputs if entry.control == "part" or path[: len(entry.at)] == entry.at]
    within = [n for n, entry in inputs if entry.at[: len(path)] == path]
    return next(iter([*around, *within]), None)
