"""The shortest value that a schema admits, for what a text does not state and null may not stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grammars.extraction.resolve import Node, root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
}


def minimal(definition: Any) -> Any:
    """Return the shortest value that the usual keywords of a whole schema admit; the caller validates it."""
    return _minimal(root(definition), _DEEPEST)


def minimal_of(node: Node) -> Any:
    """Return likewise the shortest value of a node."""
    return _minimal(node, _DEEPEST)


def _minimal(node: Node, depth: int) -> Any:
    schema = node.schema
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return min(schema["enum"], key=lambda option: len(repr(option)))
    if node.nullable or not depth:
        return None
    return _OF_KIND[_kind(schema)](node, depth)


def _kind(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, str) and kind in _OF_KIND:
        return kind
    return next((kind for word, kind in _TELLING.items() if word in schema), "null")


_TELLING = {"properties": "object", "required": "object", "items": "array", "minItems": "array"}
_TELLING |= {"pattern": "string", "minLength": "string", "minimum": "number"}


def _object(node: Node, depth: int) -> dict[str, Any]:
    members = node.schema.get("properties", {})
    other = node.schema.get("additionalProperties", True)
    return {
        name: _minimal(node.child(members.get(name, other)), depth - 1)
        for name in node.schema.get("required", ())
    }


def _array(node: Node, depth: int) -> list[Any]:
    first, rest = node.schema.get("prefixItems", []), node.schema.get("items", True)
    count = min(node.schema.get("minItems", 0), 100)
    return [_minimal(node.child(first[i] if i < len(first) else rest), depth - 1) for i in range(count)]


def _string(node: Node, _: int) -> str:
    text: str = _FORMATS.get(node.schema.get("format", ""), "")
    least: int = min(node.schema.get("minLength", 0), 10_000)
    return text + "-" * (least - len(text))


def _number(node: Node, _: int) -> int | float:
    return next(value for value in _numbers(node.schema) if _holds(value, node.schema))


def _numbers(schema: dict[str, Any]) -> Iterator[int | float]:
    """Yield short numbers near the limits, then zero, which the validation refuses where it must."""
    step = schema.get("multipleOf", 1)
    yield 0
    for word in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
        if word in schema:
            limit = schema[word]
            yield from (limit, limit + 1, limit - 1, (limit // step) * step, (limit // step + 1) * step)
            yield from (limit + 0.5, limit - 0.5) if schema.get("type") != "integer" else ()
    yield 0


def _holds(value: float, schema: dict[str, Any]) -> bool:
    whole = schema.get("type") != "integer" or value == int(value)
    return whole and (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
        and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
    )


_OF_KIND: dict[str, Callable[[Node, int], Any]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _number,
    "number": _number,
    "boolean": lambda *_: False,
    "null": lambda *_: None,
}
