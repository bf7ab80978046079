"""A record made valid: what it lacks is filled in at its shortest, what its schema refuses is taken out."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from grammars.extraction.draft import Draft, within
from grammars.extraction.minimal import MOST, another, lacking, minimal_of
from grammars.extraction.modern import modern
from grammars.extraction.record import ExtractionError, Path, pointer
from grammars.extraction.witness import witnesses

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jsonschema.exceptions import ValidationError

    from grammars.extraction.record import Record
    from grammars.extraction.resolve import Node
    from grammars.extraction.validate import Validator

    Judge: TypeAlias = Callable[[Any], Sequence[ValidationError]]

SECONDS = 4.0  # of all the validation that it takes
_ROUNDS = 40
INVALID = "No record that the schema admits could be made: {}. Loosen the schema there, or make it nullable."


def complete(record: Record, definition: Any, validator: Validator, invented: Sequence[Path] = ()) -> Record:
    """Return a record that is valid, its `missing` told.

    Args:
        record: what was read or written.
        definition: the JSON Schema, checked.
        validator: of the same.
        invented: where the record says what the text does not; this is taken out first.

    Raises:
        ExtractionError: a schema demands what neither the text states nor the shortest values satisfy, or
            validating it takes too long.
    """
    judge: Judge = partial(validator.errors, until=time.monotonic() + SECONDS)
    draft = Draft.of(record, definition)
    for path in sorted(invented, key=_order, reverse=True):
        draft.leave_out(path)
    for _ in range(_ROUNDS):
        if not (errors := judge(draft.value)):
            return draft.kept(record)
        _mend_all(draft, errors, definition, judge)
    raise ExtractionError(INVALID.format(validator.why(draft.value)))


def _order(path: Path) -> list[tuple[str, int]]:
    """Return what sorts paths as they stand in a record: the tenth item behind the second."""
    return [("", part) if isinstance(part, int) else (part, 0) for part in path]


def _mend_all(draft: Draft, errors: Sequence[ValidationError], definition: Any, judge: Judge) -> None:
    """Do something about each error, from the last to the first; once where one lies within another."""
    done: list[Path] = []
    for error in sorted(errors, key=lambda one: _order(tuple(one.absolute_path)), reverse=True):
        path = tuple(error.absolute_path)
        if not any(path[: len(one)] == one or one[: len(path)] == path for one in done):
            done.append(path)
            _mend(draft, path, error, definition, judge)


def _mend(draft: Draft, path: Path, error: ValidationError, definition: Any, judge: Judge) -> None:
    """Fill in what a value lacks; else leave it out, or take what the schema's grammar writes there."""
    value, node = draft.at(path)
    dispensable = draft.dispensable(path)
    if (value or not dispensable) and _fill(draft, node, value, path, _wanted(error)):
        return
    if not path:
        _overlay(draft, error, definition, judge)
    elif not dispensable and value == minimal_of(node):
        draft.put(path, _witness(path, value, error, definition))
    else:
        draft.leave_out(path)


def _fill(draft: Draft, node: Node, value: Any, path: Path, wanted: dict[str, Any] | None = None) -> bool:
    """Put in what a value and the parts of it lack, at its shortest; return whether that was anything.

    `wanted` are members that it lacks besides, each with its schema; None: as the node says.
    """
    filled = False
    if isinstance(value, dict):
        lacked = {name: node.at(name) for name in lacking(node, value)}
        for name, schema in (wanted or {}).items():
            lacked.setdefault(name, node.at(name) if schema is None else node.child(schema))
        for name, child in lacked.items():
            draft.put((*path, name), minimal_of(child))
        filled = bool(lacked)
    elif isinstance(value, list):
        for place in range(len(value), min(node.schema.get("minItems", 0), MOST)):
            draft.put((*path, place), another(node, place, value))
            filled = True
    for part, inner in _inside(value):
        filled |= _fill(draft, node.at(part), inner, (*path, part))
    return filled


def _inside(value: Any) -> list[tuple[Any, Any]]:
    """Return the parts of a value that have parts themselves."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(part, inner) for part, inner in pairs if isinstance(inner, dict | list)]


def _wanted(error: ValidationError) -> dict[str, Any]:
    """Return the members that an error says are lacking, with what the failing subschema says of them."""
    if not isinstance(held := error.instance, dict) or not isinstance(error.schema, dict):
        return {}
    names: list[str] = []
    demanded: Any = error.validator_value
    if error.validator == "required":
        names = demanded
    elif error.validator == "dependentRequired":
        names = [name for key, needed in demanded.items() if key in held for name in needed]
    told = error.schema.get("properties", {})
    return {name: told.get(name) for name in names if name not in held}


def _witness(path: Path, value: Any, error: ValidationError, definition: Any) -> Any:
    """Return what the schema's grammar writes at a place whose shortest value is not admitted.

    Raises:
        ExtractionError: it writes nothing else.
    """
    for one in witnesses(modern(definition)):
        found = one
        try:
            for part in path:
                found = found[part]
        except (LookupError, TypeError):
            continue
        if found != value:
            return found
    raise ExtractionError(INVALID.format(f"{pointer(path)}: {error.message[:200]}"))


def _overlay(draft: Draft, error: ValidationError, definition: Any, judge: Judge) -> None:
    """Lay what the text states over a record that the schema's grammar writes.

    Raises:
        ExtractionError: none of these is valid.
    """
    held = draft.value if isinstance(draft.value, dict) else {}
    made_up = {name for name in held if any(within(at, pointer((name,))) for at in draft.missing)}
    stated = {name: member for name, member in held.items() if name not in made_up}
    for one in witnesses(modern(definition)):
        if isinstance(one, dict) and not judge({**one, **stated}):
            draft.value = stated
            for name in one.keys() - stated.keys():
                draft.put((name,), one[name])
            return
    raise ExtractionError(INVALID.format(error.message[:200]))
