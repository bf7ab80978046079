"""The shortest value that a schema admits, for what a text does not state and null may not stand for."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from grammars.extraction.example import examples
from grammars.extraction.patterns import matches
from grammars.extraction.resolve import Node, root
from grammars.extraction.witness import witnesses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

MOST = 100  # items or members that are made up
LONGEST = 10_000  # characters of a string that is
_DEEPEST = 12
_FORMATS = {
    "date": "1970-01-01",
    "date-time": "1970-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "P0D",
    "email": "a@b.c",
    "idn-email": "a@b.c",
    "hostname": "a",
    "idn-hostname": "a",
    "ipv4": "0.0.0.0",  # noqa: S104 - a value, not an address to listen on
    "ipv6": "::",
    "uri": "a:",
    "iri": "a:",
    "uri-reference": "",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "regex": "",
    "json-pointer": "",
    "relative-json-pointer": "0",
}


def minimal(definition: Any) -> Any:
    """Return the shortest value that the usual keywords of a whole schema admit; the caller validates it."""
    return minimal_of(root(definition))


def minimal_of(node: Node) -> Any:
    """Return likewise the shortest value of a node."""
    return next(_values(node, _DEEPEST))


def another(node: Node, place: int, items: Sequence[Any]) -> Any:
    """Return the shortest item at a place of an array; one that is not there yet, where all differ."""
    return _another(node.at(place), items if node.schema.get("uniqueItems") else (), _DEEPEST)


def lacking(node: Node, held: Iterable[str]) -> list[str]:
    """Return the names of the members that an object must have besides those that it holds."""
    held = set(held)
    needed = [name for name in node.schema.get("required", ()) if name not in held]
    held.update(needed)
    more = min(node.schema.get("minProperties", 0), MOST) - len(held)
    return needed + list(islice((name for name in _names(node) if name not in held), max(more, 0)))


def _names(node: Node) -> Iterator[str]:
    """Yield names that an object's members may have, those that the schema knows first."""
    schema = node.schema
    yield from (name for name, member in schema.get("properties", {}).items() if member is not False)
    for pattern in schema.get("patternProperties", {}):
        yield from dict.fromkeys(text for text in examples(pattern) if matches(pattern, text))
    if schema.get("additionalProperties", True) is not False:
        told = schema.get("propertyNames")
        wanted = {"type": "string", "minLength": 1, **(told if isinstance(told, dict) else {})}
        yield from islice(_values(node.child(wanted), 1), 2 * MOST)


def _values(node: Node, depth: int) -> Iterator[Any]:
    """Yield at least one value, the shortest first; others follow where they are easily made."""
    schema = node.schema
    if node.nullable or not depth:
        yield None
    if "const" in schema:
        yield schema["const"]
    elif schema.get("enum"):
        yield from sorted(schema["enum"], key=lambda option: len(repr(option)))
    elif depth:
        yield from _OF_KIND[_kind(schema)](node, depth)


def _another(node: Node, taken: Iterable[Any], depth: int) -> Any:
    keys = set(map(json.dumps, taken))
    made = list(islice(_values(node, depth), len(keys) + 1))
    return next((value for value in made if json.dumps(value) not in keys), made[0])


def _kind(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, str) and kind in _OF_KIND:
        return kind
    return next((kind for word, kind in _TELLING.items() if word in schema), "null")


_TELLING = {"properties": "object", "required": "object", "items": "array", "minItems": "array"}
_TELLING |= {"pattern": "string", "minLength": "string", "minimum": "number"}


def _objects(node: Node, depth: int) -> Iterator[dict[str, Any]]:
    made = {name: next(_values(node.at(name), depth - 1)) for name in lacking(node, ())}
    yield made
    for name in made:
        yield from ({**made, name: other} for other in islice(_values(node.at(name), depth - 1), 1, MOST))


def _arrays(node: Node, depth: int) -> Iterator[list[Any]]:
    schema, items = node.schema, list[Any]()
    first = len(schema.get("prefixItems", ()))
    wanted = schema.get("minContains", 1) if "contains" in schema else 0
    for place in range(min(max(schema.get("minItems", 0), first + wanted if wanted else 0), MOST)):
        child = node.at(place)
        if first <= place < first + wanted:
            both = [schema["contains"], *([schema["items"]] if isinstance(schema.get("items"), dict) else ())]
            child = node.child({"allOf": both})
        items.append(_another(child, items if schema.get("uniqueItems") else (), depth - 1))
    yield items


def _strings(node: Node, _: int) -> Iterator[str]:
    schema = node.schema
    least, most = min(schema.get("minLength", 0), LONGEST), schema.get("maxLength", LONGEST)
    if "pattern" in schema:
        yield from _alike(schema, least, most)
        return
    text = _FORMATS.get(schema.get("format", ""), "")
    yield text + "-" * (least - len(text))
    yield from (text + "-" * more for more in range(max(least - len(text), 0) + 1, most - len(text) + 1))


def _alike(schema: dict[str, Any], least: int, most: int) -> Iterator[str]:
    """Yield strings that have a schema's pattern: made from it, else written by its grammar."""
    pattern = schema["pattern"]
    made = (text for text in examples(pattern, least, min(most, LONGEST)) if least <= len(text) <= most)
    found = (text for text in made if matches(pattern, text))
    if (first := next(found, None)) is None:
        told = {key: schema[key] for key in ("pattern", "minLength", "maxLength") if key in schema}
        yield _written(json.dumps({"type": "string", **told}))
    else:
        yield first
        yield from found


@lru_cache(maxsize=1_000)
def _written(schema: str) -> str:
    return str(next(witnesses(json.loads(schema)), ""))


def _numbers(node: Node, _: int) -> Iterator[int | float]:
    """Yield short numbers near the limits and from there on; zero where none fits, which is refused later."""
    schema = node.schema
    near = (_plain(value) for value in _near(schema) if math.isfinite(value))
    first = next((value for value in near if _holds(value, schema)), 0)
    yield first
    step = schema.get("multipleOf", 1)
    further = (_plain(first + sign * more * step) for more in count(1) for sign in (1, -1))
    yield from (value for value in islice(further, 2 * MOST) if _holds(value, schema))


def _near(schema: dict[str, Any]) -> Iterator[int | float]:
    step = schema.get("multipleOf", 1)
    yield 0
    for word in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
        if word in schema:
            limit = schema[word]
            yield from (limit, limit + 1, limit - 1)
            yield from (limit // step * step, (limit // step + 1) * step, (limit // step - 1) * step)
            yield from (limit + 0.5, limit - 0.5)


def _plain(value: float) -> int | float:
    return int(value) if value == int(value) else value


def _holds(value: float, schema: dict[str, Any]) -> bool:
    whole = schema.get("type") != "integer" or value == int(value)
    return whole and (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
        and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
        and ("multipleOf" not in schema or (value / schema["multipleOf"]).is_integer())
    )


_OF_KIND: dict[str, Callable[[Node, int], Iterator[Any]]] = {
    "object": _objects,
    "array": _arrays,
    "string": _strings,
    "integer": _numbers,
    "number": _numbers,
    "boolean": lambda *_: iter((False, True)),
    "null": lambda *_: iter((None,)),
}
