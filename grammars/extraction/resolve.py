"""A schema's node as it stands after its references: `$ref`, `allOf`, and alternatives to null."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]  # it has no types
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from grammars.extraction.modern import modern
from grammars.extraction.patterns import matches

if TYPE_CHECKING:
    from referencing import Registry
    from referencing._core import Resolver

Schema: TypeAlias = dict[str, Any]

_MOST_HOPS = 16  # references from one node; a longer chain is a circle
_ANNOTATIONS = ("title", "description", "examples", "default")


@dataclass(frozen=True, slots=True)
class Node:
    """A schema that stands for itself, and what its own references are looked up with."""

    schema: Schema
    resolver: Resolver[Any]
    nullable: bool = False

    def child(self, schema: Any) -> Node:
        """Return the node of a subschema."""
        return _flat(schema, self.resolver, _MOST_HOPS)

    def at(self, part: str | int) -> Node:
        """Return the node of a member or an item."""
        return self.child(self._below(part))

    def _below(self, part: str | int) -> Any:
        if isinstance(part, int):
            first = self.schema.get("prefixItems", [])
            return first[part] if part < len(first) else self.schema.get("items", True)
        members = self.schema.get("properties", {})
        if part in members:
            return members[part]
        patterns = self.schema.get("patternProperties", {})
        alike = (schema for pattern, schema in patterns.items() if matches(pattern, part))
        return next(alike, self.schema.get("additionalProperties", True))


def root(definition: Any) -> Node:
    """Return the root of a whole JSON Schema, of whatever draft."""
    definition = modern(definition)
    return _flat(definition, resolver_of(definition), _MOST_HOPS)


def resolver_of(definition: Any) -> Resolver[Any]:
    """Return what looks up the references of a whole schema: in it and the specifications, nowhere else."""
    specifications: Registry[Any] = REGISTRY
    return specifications.resolver_with_root(DRAFT202012.create_resource(definition))


def within(schema: Schema, resolver: Resolver[Any]) -> Resolver[Any]:
    """Return what looks up the references of a subschema, which may have a name of its own."""
    return resolver.in_subresource(DRAFT202012.create_resource(schema)) if "$id" in schema else resolver


def _flat(schema: Any, resolver: Resolver[Any], hops: int) -> Node:
    """Follow what the node refers to, merge what it is made of, and set null apart."""
    if not isinstance(schema, dict):
        return Node({} if schema is True else {"not": {}}, resolver, nullable=schema is True)
    resolver = within(schema, resolver)
    merged = Node({key: value for key, value in schema.items() if key not in _COMPOSED}, resolver)
    if isinstance(ref := schema.get("$ref"), str) and hops:
        merged = _merge(merged, _lookup(ref, resolver, hops))
    for part in schema.get("allOf", ()) if hops else ():
        merged = _merge(merged, _flat(part, resolver, hops - 1))
    branches = [branch for key in ("anyOf", "oneOf") for branch in schema.get(key, ())]
    if branches and hops:
        merged = _alternatives(merged, [_flat(branch, resolver, hops - 1) for branch in branches])
    return _without_null(merged)


_COMPOSED = ("$ref", "allOf", "anyOf", "oneOf")


def _lookup(ref: str, resolver: Resolver[Any], hops: int) -> Node:
    try:
        found = resolver.lookup(ref)
    except Unresolvable:
        return Node({}, resolver)
    return _flat(found.contents, found.resolver, hops - 1)


def _merge(node: Node, other: Node) -> Node:
    """Return both at once; properties are joined, and else the first one's keywords win."""
    schema = {**other.schema, **node.schema}
    for key in ("properties", "$defs"):
        if key in node.schema and key in other.schema:
            schema[key] = {**other.schema[key], **node.schema[key]}
    if "required" in node.schema and "required" in other.schema:
        schema["required"] = list(dict.fromkeys([*node.schema["required"], *other.schema["required"]]))
    return Node(schema, other.resolver if "properties" in other.schema else node.resolver, other.nullable)


def _alternatives(node: Node, branches: list[Node]) -> Node:
    """Return the node with the first branch that is more than null; constants of several are one choice."""
    real = [branch for branch in branches if not _only_null(branch.schema)]
    nullable = len(real) < len(branches) or any(branch.nullable for branch in real)
    if not real:
        return Node({**node.schema, "type": "null"}, node.resolver, nullable=True)
    constants = [branch.schema["const"] for branch in real if "const" in branch.schema]
    if len(constants) == len(real):
        return Node({**node.schema, "enum": constants}, node.resolver, nullable)
    merged = _merge(node, real[0])
    return Node(merged.schema, merged.resolver, nullable)


def _only_null(schema: Schema) -> bool:
    told = {key: value for key, value in schema.items() if key not in _ANNOTATIONS}
    return told in ({"type": "null"}, {"const": None}, {"enum": [None]})


def _without_null(node: Node) -> Node:
    """Return the node with null as a flag in place of a type or an option."""
    schema, nullable = dict(node.schema), node.nullable
    if isinstance(types := schema.get("type"), list):
        real = [kind for kind in types if kind != "null"]
        nullable |= len(real) < len(types) and None in schema.get("enum", [None])
        schema["type"] = real[0] if real else "null"
    if None in (options := schema.get("enum", [])):
        nullable |= "null" in node.schema.get("type", ["null"])
        schema["enum"] = [option for option in options if option is not None]
    return Node(schema, node.resolver, nullable)
