"""A record made valid: what it lacks is filled in at its shortest, what its schema refuses is taken out."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from grammars.extraction.minimal import minimal_of
from grammars.extraction.record import ExtractionError, Record, pointer
from grammars.extraction.resolve import Node, root

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

    from grammars.extraction.validate import Validator

_ROUNDS = 40
INVALID = "No record that the schema admits could be made: {}. Loosen the schema there, or make it nullable."

Path = tuple[str | int, ...]


def complete(record: Record, definition: Any, validator: Validator) -> Record:
    """Return a record that is valid, its `missing` told.

    Raises:
        ExtractionError: a schema demands what neither the text states nor the shortest values satisfy.
    """
    node, value = root(definition), deepcopy(record.record)
    value, missing = _fill(node, value, ())
    for _ in range(_ROUNDS):
        errors = validator.errors(value)
        if not errors:
            return _kept(record, value, missing)
        value, missing = _mend(errors[-1], node, value, missing)
    raise ExtractionError(INVALID.format(validator.why(value)))


def _kept(record: Record, value: Any, missing: set[Path]) -> Record:
    """Return the record without evidence of what is no longer in it."""
    gone = {pointer(path) for path in missing}
    evidence = {at: span for at, span in record.evidence.items() if at not in gone and _has(value, at)}
    margins = {at: margin for at, margin in record.margins.items() if at in evidence}
    return replace(record, record=value, missing=tuple(sorted(gone)), evidence=evidence, margins=margins)


def _has(value: Any, at: str) -> bool:
    for part in at.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return False
    return value is not None


def _fill(node: Node, value: Any, path: Path) -> tuple[Any, set[Path]]:
    """Return a value with every required member that it lacks, and the leaves among these."""
    missing: set[Path] = set()
    if not isinstance(value, dict):
        return value, missing
    members = node.schema.get("properties", {})
    for name in node.schema.get("required", ()):
        if name not in value:
            child = node.child(members.get(name, node.schema.get("additionalProperties", True)))
            value[name] = minimal_of(child)
            if value[name] is not None:
                missing |= {(*path, name, *leaf) for leaf in _leaves(value[name])}
    for name, member in value.items():
        if name in members:
            value[name], more = _fill(node.child(members[name]), member, (*path, name))
            missing |= more
    return value, missing


def _leaves(value: Any) -> list[Path]:
    if isinstance(value, dict) and value:
        return [(name, *leaf) for name, member in value.items() for leaf in _leaves(member)]
    return [] if value in (None, [], {}) else [()]


def _mend(error: ValidationError, node: Node, value: Any, missing: set[Path]) -> tuple[Any, set[Path]]:
    """Return the value without what one error is about: left out, null, or else its shortest."""
    path: Path = tuple(error.absolute_path)
    if not path:
        raise ExtractionError(INVALID.format(error.message[:200]))
    parent = value
    for part in path[:-1]:
        parent = parent[part]
    within = node
    for part in path[:-1]:
        within = _inside(within, part)
    last, child = path[-1], _inside(within, path[-1])
    if isinstance(parent, list):
        del parent[int(last)]
    elif last not in within.schema.get("required", ()):
        del parent[last]
    else:
        shortest = minimal_of(child)
        if parent[last] == shortest:
            raise ExtractionError(INVALID.format(f"{pointer(path)}: {error.message[:200]}"))
        parent[last] = shortest
        if shortest is not None:
            missing = missing | {(*path, *leaf) for leaf in _leaves(shortest)}
    return value, missing


def _inside(node: Node, part: str | int) -> Node:
    schema = node.schema
    if isinstance(part, int):
        first = schema.get("prefixItems", [])
        return node.child(first[part] if part < len(first) else schema.get("items", True))
    return node.child(schema.get("properties", {}).get(part, schema.get("additionalProperties", True)))
