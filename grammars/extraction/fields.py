"""The fields of a schema: a tree that ends in what can be asked of a text."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from grammars.extraction.resolve import Node, Schema, root

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEPEST = 6  # objects and arrays within one another; what lies deeper is left at its shortest value
MOST = 200  # leaves of one schema that are asked of a text, and members of one object
MOST_NODES = 2_000  # of one schema: where it has more, as by its circles, it is read less deep


@dataclass(frozen=True, slots=True)
class Field:
    """One node of a schema as a person thinks of it.

    Attributes:
        path: the names from the root, without indices.
        kind: object, array, choice, boolean, integer, number, string, or other (anything else).
        schema: of the node, after its references.
        nullable: whether null is admitted.
        required: whether its object must hold it.
        options: of a choice.
        members: of an object, in their order.
        items: of an array.
    """

    path: tuple[str, ...]
    kind: str
    schema: Schema
    nullable: bool
    required: bool = True
    options: tuple[Any, ...] = ()
    members: dict[str, Field] = field(default_factory=dict)
    items: Field | None = None

    @property
    def description(self) -> str:
        """What the schema says of it; else its title, where that says more than its name."""
        told = self.schema.get("description") or self.schema.get("title")
        return told if isinstance(told, str) and self.path else ""

    @property
    def name(self) -> str:
        """Its name, or an empty string for the root."""
        return self.path[-1] if self.path else ""

    def leaves(self) -> Iterator[Field]:
        """Yield the leaves below it outside arrays, and the arrays."""
        if self.kind != "object":
            yield self
        for member in self.members.values():
            yield from member.leaves()


def read_fields(definition: Any) -> Field:
    """Return the root field of a JSON Schema that was checked, as deep as the limits allow."""
    node = root(definition)
    for depth in range(DEEPEST, 1, -1):
        try:
            return _field(node, (), depth, count(1))
        except _TooMany:
            continue
    return _field(node, (), 1, count(1))


class _TooMany(Exception):  # noqa: N818 - it reads as what happened
    """The schema has more nodes than are read."""


def _field(
    node: Node, path: tuple[str, ...], depth: int, nodes: count[int], *, required: bool = True
) -> Field:
    if next(nodes) > MOST_NODES:
        raise _TooMany
    kind = _kind(node.schema)
    if not depth and kind in ("object", "array"):
        kind = "other"
    members, items = {}, None
    if kind == "object":
        needed = node.schema.get("required", ())
        for name, schema in list(node.schema.get("properties", {}).items())[:MOST]:
            child = node.child(schema)
            members[name] = _field(child, (*path, name), depth - 1, nodes, required=name in needed)
    elif kind == "array":
        items = _field(node.child(node.schema.get("items", True)), path, depth - 1, nodes)
    options = _options(node.schema)
    return Field(path, kind, node.schema, node.nullable, required, options, members, items)


def _options(schema: Schema) -> tuple[Any, ...]:
    return (schema["const"],) if "const" in schema else tuple(schema.get("enum", ()))


def _kind(schema: Schema) -> str:
    if "const" in schema or "enum" in schema:
        return "choice"
    kind = schema.get("type")
    if kind is None and "properties" in schema:
        return "object"
    if kind is None and "items" in schema:
        return "array"
    known = ("object", "array", "boolean", "integer", "number", "string")
    return kind if kind in known else "other"
