"""Schemas of older drafts (4 to 2019-09) in the words of draft 2020-12; what never holds is `false`."""

from __future__ import annotations

import re
from typing import Any

from grammars.extraction.grammar import BY_NAME, DIRECT, IN_LISTS

_OLD = ("exclusiveMinimum", "exclusiveMaximum")
_COUNTS = tuple(
    f"{end}{what}" for end in ("min", "max") for what in ("Items", "Length", "Properties", "Contains")
)
_ANCHOR = re.compile(r"#([A-Za-z_][-A-Za-z0-9._]*)")
_RECURSIVE = "recursive"  # the name that the one recursive anchor of a 2019-09 schema gets


def modern(schema: Any) -> Any:
    """Return a schema as draft 2020-12 says it; what is of that draft already stays as it is.

    `items` as a list are `prefixItems`, limits that were flags numbers, `dependencies` are apart, an `$id`
    that was a fragment is an anchor, what refers to itself recursively does so dynamically, and `2.0` items
    are two. Of alternatives those stay that can hold; where none can, the schema is `false`.
    """
    if not isinstance(schema, dict):
        return schema
    said = {key: _whole(key, value) for key, value in schema.items() if key != "$schema"}
    said = _named(_limits(_dependencies(_items(said))))
    return _possible({key: _inside(key, value) for key, value in said.items()})


def _whole(key: str, value: Any) -> Any:
    return int(value) if key in _COUNTS and isinstance(value, float) and value.is_integer() else value


def _possible(schema: dict[str, Any]) -> dict[str, Any] | bool:
    if isinstance(schema.get("allOf"), list) and False in schema["allOf"]:
        return False
    for key in ("anyOf", "oneOf"):
        if isinstance(branches := schema.get(key), list) and False in branches:
            schema = {**schema, key: [branch for branch in branches if branch is not False]}
            if not schema[key]:
                return False
    return schema


def _named(schema: dict[str, Any]) -> dict[str, Any]:
    said = dict(schema)
    if isinstance(name := said.get("$id"), str) and name.startswith("#"):
        del said["$id"]  # where it is a pointer, it says no more than where it stands
        if anchor := _ANCHOR.fullmatch(name):
            said["$anchor"] = anchor[1]
    if isinstance(recursive := said.get("$recursiveAnchor"), bool):
        del said["$recursiveAnchor"]
        said |= {"$dynamicAnchor": _RECURSIVE} if recursive else {}
    if said.get("$recursiveRef") == "#":
        del said["$recursiveRef"]
        said["$dynamicRef"] = f"#{_RECURSIVE}"
    return said


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
