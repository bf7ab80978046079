"""Schemas of older drafts (4 to 2019-09) in the words of draft 2020-12."""

from __future__ import annotations

from typing import Any

from grammars.extraction.grammar import BY_NAME, DIRECT, IN_LISTS

_OLD = ("exclusiveMinimum", "exclusiveMaximum")


def modern(schema: Any) -> Any:
    """Return a schema as draft 2020-12 says it; what is of that draft already stays as it is.

    `items` as a list are `prefixItems`, limits that were flags are numbers, and `dependencies` are apart.
    """
    if not isinstance(schema, dict):
        return schema
    said = {key: value for key, value in schema.items() if key != "$schema" or "2020-12" in str(value)}
    said = _limits(_dependencies(_items(said)))
    return {key: _inside(key, value) for key, value in said.items()}


def _inside(key: str, value: Any) -> Any:
    if key in BY_NAME and isinstance(value, dict):
        return {name: modern(part) for name, part in value.items()}
    if key in IN_LISTS and isinstance(value, list):
        return [modern(part) for part in value]
    return modern(value) if key in DIRECT else value


def _items(schema: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(schema.get("items"), list):
        return schema
    rest = {key: value for key, value in schema.items() if key not in ("items", "additionalItems")}
    others = {"items": schema["additionalItems"]} if "additionalItems" in schema else {}
    return {**rest, "prefixItems": schema["items"], **others}


def _limits(schema: dict[str, Any]) -> dict[str, Any]:
    said = dict(schema)
    for key in _OLD:
        if isinstance(schema.get(key), bool):
            limit = key.removeprefix("exclusive").lower()
            del said[key]
            if schema[key] and limit in said:
                said[key] = said.pop(limit)
    return said


def _dependencies(schema: dict[str, Any]) -> dict[str, Any]:
    given = schema.get("dependencies")
    if not isinstance(given, dict):
        return schema
    said = {key: value for key, value in schema.items() if key != "dependencies"}
    needed = {name: value for name, value in given.items() if isinstance(value, list)}
    schemas = {name: value for name, value in given.items() if not isinstance(value, list)}
    return said | {
        key: value for key, value in (("dependentRequired", needed), ("dependentSchemas", schemas)) if value
    }
