"""A schema and a record as a form: what can be edited, each with its place in the record. Pure.

What a text does not state and the schema demands is absent from the record that a form is made of: its field
is then required, and the record is not valid before it is filled in.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from grammars.extraction.fields import read_fields
from grammars.extraction.record import pointer
from handlers.schema_modal_controls import ABSENT, Control, control_of
from handlers.text import split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from grammars.extraction.fields import Field

Path: TypeAlias = tuple[str | int, ...]
Fold = Literal["nothing", "groups", "everything"]
FOLDS: tuple[Fold, ...] = ("nothing", "groups", "everything")

PART = 2_900  # characters of JSON in one input, which takes 3,000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a form.

    Attributes:
        at: the path in the record; of a `part`, its number.
        control: how it is edited; `group` is a heading, `add` a button, `part` a piece of the whole JSON.
        field: what the schema says of it.
        value: what the record holds there, or `ABSENT`.
        removable: of a group, whether it may be taken out.
    """

    at: Path
    control: Control | Literal["group", "add", "part"]
    field: Field
    value: Any = ABSENT
    removable: bool = False

    @property
    def demanded(self) -> bool:
        """Whether it has to be filled in before the record can be valid."""
        return self.field.required and not self.field.nullable


def entries(definition: Any, record: Any, fold: Fold = "nothing") -> list[Entry]:
    """Return the lines of a form.

    Args:
        definition: a JSON Schema that was checked.
        record: what was extracted, without what is missing.
        fold: what is edited as JSON instead, where there would be too many lines.
    """
    root = read_fields(definition)
    if fold == "everything":
        written = json.dumps(record, ensure_ascii=False, indent=2)
        return [Entry((number,), "part", root, part) for number, part in enumerate(split(written, PART))]
    return list(_entries(root, (), record, fold))


def without(record: Any, missing: Iterable[str]) -> Any:
    """Return the record without the leaves that its text does not state."""
    kept = deepcopy(record)
    ordered = sorted(map(steps, missing), key=lambda path: [(len(step), step) for step in path])
    for path in reversed(ordered):  # so that an item's number still holds when it goes
        holder = find(kept, path[:-1])
        if path and isinstance(holder, dict | list):
            place(kept, path, ABSENT)
    return kept


def steps(at: str) -> list[str]:
    """Return the parts of a JSON pointer."""
    return [part.replace("~1", "/").replace("~0", "~") for part in at.split("/")[1:]]


def find(record: Any, path: Iterable[str | int]) -> Any:
    """Return what a record holds at a path, or `ABSENT`."""
    for step in path:
        try:
            record = record[int(step) if isinstance(record, list) else step]
        except (KeyError, IndexError, TypeError, ValueError):
            return ABSENT
    return record


def place(record: Any, path: list[str] | Path, value: Any) -> Any:
    """Set, or take out with `ABSENT`, what stands at a path; return the record."""
    if not path:
        return value
    holder, last = find(record, path[:-1]), path[-1]
    if isinstance(holder, list):
        if value is not ABSENT:
            holder[int(last)] = value
        elif int(last) < len(holder):
            del holder[int(last)]
    elif isinstance(holder, dict) and value is ABSENT:
        holder.pop(last, None)
    elif isinstance(holder, dict):
        holder[last] = value
    return record


def added(definition: Any, record: Any, at: str) -> Any:
    """Return the record with an empty group more at a pointer: of an object, or at the end of an array."""
    path, changed = steps(at), deepcopy(record)
    field = _at(read_fields(definition), path)
    held = find(changed, path)
    if field is None:
        return changed
    if field.kind == "array" and field.items is not None:
        items = [*held, blank(field.items)] if isinstance(held, list) else [blank(field.items)]
        return place(changed, path, items)
    return place(changed, path, blank(field))


def removed(definition: Any, record: Any, at: str) -> Any:
    """Return the record without the group at a pointer."""
    path, changed = steps(at), deepcopy(record)
    field = _at(read_fields(definition), path)
    listed = isinstance(find(changed, path[:-1]), list)
    empty = None if field is not None and field.nullable and not listed else ABSENT
    return place(changed, path, empty)


def blank(field: Field) -> Any:
    """Return an object with nothing filled in."""
    if field.kind != "object":
        return None
    needed = {name: member for name, member in field.members.items() if member.required}
    empty = {"object": dict, "array": list}
    return {
        name: None if member.nullable else blank(member) if member.kind == "object" else []
        for name, member in needed.items()
        if member.nullable or member.kind in empty
    }


def _at(field: Field | None, path: list[str]) -> Field | None:
    for step in path:
        if field is None:
            return None
        field = field.items if field.kind == "array" else field.members.get(step)
    return field


def _entries(field: Field, at: Path, value: Any, fold: Fold) -> Iterator[Entry]:
    if at and fold == "groups" and _is_group(field):
        yield Entry(at, control_of(field, value, as_json=True), field, value)
    elif field.kind == "object" and field.members:
        yield from _object(field, at, value, fold)
    elif _is_group(field):
        yield from _array(field, at, value, fold)
    else:
        yield Entry(at, control_of(field, value), field, value)


def _is_group(field: Field) -> bool:
    items = field.items
    nested = field.kind == "array" and items is not None and items.kind == "object" and bool(items.members)
    return nested or (field.kind == "object" and bool(field.members))


def _object(field: Field, at: Path, value: Any, fold: Fold) -> Iterator[Entry]:
    if value is None or value is ABSENT:
        yield Entry(at, "add", field, value)
        return
    if not isinstance(value, dict):
        yield Entry(at, control_of(field, value, as_json=True), field, value)
        return
    if at:
        removable = isinstance(at[-1], int) or field.nullable or not field.required
        yield Entry(at, "group", field, value, removable=removable)
    for name, member in field.members.items():
        yield from _entries(member, (*at, name), value.get(name, ABSENT), fold)


def _array(field: Field, at: Path, value: Any, fold: Fold) -> Iterator[Entry]:
    held = [] if value is None or value is ABSENT else value
    assert field.items is not None
    if not isinstance(held, list) or not all(isinstance(item, dict) for item in held):
        yield Entry(at, control_of(field, value, as_json=True), field, value)
        return
    for number, item in enumerate(held):
        yield from _object(field.items, (*at, number), item, fold)
    yield Entry(at, "add", field, value)


def pointer_of(entry: Entry) -> str:
    """Return the JSON pointer of an entry."""
    return pointer(entry.at)
