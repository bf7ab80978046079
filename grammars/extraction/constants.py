"""The strings of a record that its schema does not name itself: they can only come from the text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from referencing.exceptions import Unresolvable

from grammars.extraction.modern import modern
from grammars.extraction.patterns import matches
from grammars.extraction.resolve import resolver_of, within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from referencing._core import Resolver

    from grammars.extraction.record import Path
    from grammars.extraction.resolve import Schema

    Part: TypeAlias = tuple[Any, Resolver[Any]]  # a subschema, and what looks up its references

_REFERENCES = ("$ref", "$dynamicRef")
_ALTERNATIVES = ("allOf", "anyOf", "oneOf")
_CONDITIONAL = ("then", "else")
_OTHER_MEMBERS = ("additionalProperties", "unevaluatedProperties")
_OTHER_ITEMS = ("items", "contains", "unevaluatedItems")


def free_strings(definition: Any, value: Any) -> Iterator[tuple[Path, str]]:
    """Yield the strings of a value that are no options of its schema, nor parts of one, with their paths."""
    definition = modern(definition)
    return _free([(definition, resolver_of(definition))], value, ())


def _free(parts: Iterable[Part], value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    meant = _meant(parts)
    if any(value == schema.get("const", ()) or value in schema.get("enum", ()) for schema, _ in meant):
        return
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, member in value.items():
            below = [(part, resolver) for schema, resolver in meant for part in _member(schema, name)]
            yield from _free(below, member, (*path, name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            below = [(part, resolver) for schema, resolver in meant for part in _item(schema, place)]
            yield from _free(below, item, (*path, place))


def _meant(parts: Iterable[Part]) -> list[tuple[Schema, Resolver[Any]]]:
    """Return subschemas and all that they refer to, combine and choose from."""
    todo, found = list(parts), dict[int, tuple["Schema", "Resolver[Any]"]]()
    while todo:
        schema, resolver = todo.pop()
        if not isinstance(schema, dict) or id(schema) in found:
            continue
        resolver = within(schema, resolver)
        found[id(schema)] = schema, resolver
        for word in _REFERENCES:
            if word in schema:
                try:
                    target = resolver.lookup(schema[word])
                except Unresolvable:
                    continue
                todo.append((target.contents, target.resolver))
        others = [part for key in _ALTERNATIVES for part in schema.get(key, ())]
        others += [schema[key] for key in _CONDITIONAL if key in schema]
        others += schema.get("dependentSchemas", {}).values()
        todo += [(part, resolver) for part in others]
    return list(found.values())


def _member(schema: Schema, name: str) -> list[Any]:
    alike = [part for pattern, part in schema.get("patternProperties", {}).items() if matches(pattern, name)]
    others = [schema[key] for key in _OTHER_MEMBERS if key in schema]
    return [*alike, *others, *([schema["properties"][name]] if name in schema.get("properties", {}) else ())]


def _item(schema: Schema, place: int) -> list[Any]:
    first = schema.get("prefixItems", ())
    return [*first[place : place + 1], *(schema[key] for key in _OTHER_ITEMS if key in schema)]
