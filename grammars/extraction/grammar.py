"""A JSON Schema as llguidance takes it, and what of it llguidance cannot enforce."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from llguidance import LLMatcher, LLTokenizer

from grammars.extraction.record import pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grammars.extraction.resolve import Schema

OPTIONS = {"whitespace_flexible": False, "coerce_one_of": True}
BY_NAME = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
IN_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
DIRECT: tuple[str, ...] = (
    "items",
    "additionalProperties",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
)
DIRECT += ("unevaluatedProperties", "unevaluatedItems", "contentSchema")
# Keywords that llguidance does not know; `lenient`, it passes over them.
_UNKNOWN = frozenset(
    {"not", "if", "then", "else", "contains", "minContains", "maxContains", "uniqueItems", "propertyNames"}
    | {"dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties", "unevaluatedItems"}
    | {"$dynamicRef", "$recursiveRef", "minProperties", "maxProperties"}
)


@dataclass(frozen=True, slots=True)
class Unenforced:
    """A keyword that the grammar leaves to validation."""

    pointer: str
    keyword: str


def compiles(schema: Any, *, lenient: bool = False) -> str | None:
    """Return why llguidance refuses a schema; None where it takes it."""
    guided = {**schema, "x-guidance": OPTIONS | {"lenient": lenient}} if isinstance(schema, dict) else schema
    grammar = LLMatcher.grammar_from_json_schema(json.dumps(guided))
    refused, told = LLMatcher.validate_grammar_with_warnings(grammar, byte_tokenizer())
    return "; ".join(told) if refused else None


def compiles_lark(lark: str) -> bool:
    """Whether llguidance takes a grammar."""
    return not LLMatcher.validate_grammar(LLMatcher.grammar_from_lark(lark), byte_tokenizer())


@cache
def byte_tokenizer() -> LLTokenizer:
    """Return a tokenizer of bytes: whether a grammar compiles does not depend on the model."""
    return LLTokenizer("byte")


def subschemas(
    schema: Any, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Schema]]:
    """Yield each subschema that is an object, with its path, the root first."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for step, part in parts(schema):
        yield from subschemas(part, (*path, *step))


def parts(schema: Schema) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield the subschemas right below one, with the steps that lead there."""
    for key in BY_NAME:
        if isinstance(members := schema.get(key), dict):
            yield from (((key, name), member) for name, member in members.items())
    for key in IN_LISTS:
        if isinstance(listed := schema.get(key), list):
            yield from (((key, place), part) for place, part in enumerate(listed))
    yield from (((key,), schema[key]) for key in DIRECT if key in schema)


def enforceable(schema: Any) -> tuple[Any, list[Unenforced]]:
    """Return the schema without what llguidance cannot enforce, and what that is."""
    left: list[Unenforced] = []
    return _enforceable(schema, (), left), left


def _enforceable(schema: Any, path: tuple[str | int, ...], left: list[Unenforced]) -> Any:
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _UNKNOWN or not _compilable(key, value):
            left.append(Unenforced(pointer((*path, key)), key))
        elif key in BY_NAME and isinstance(value, dict):
            kept[key] = {name: _enforceable(part, (*path, key, name), left) for name, part in value.items()}
        elif key in IN_LISTS and isinstance(value, list):
            kept[key] = [_enforceable(part, (*path, key, place), left) for place, part in enumerate(value)]
        else:
            kept[key] = _enforceable(value, (*path, key), left) if key in DIRECT else value
    return kept


def _compilable(key: str, value: Any) -> bool:
    """Whether llguidance takes the keyword's patterns and format."""
    if key in ("format", "pattern"):
        return _known(key, value)
    return key != "patternProperties" or all(_known("pattern", name) for name in value)


def _known(keyword: str, value: Any) -> bool:
    return compiles({"type": "string", keyword: value}) is None
