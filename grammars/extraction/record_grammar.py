"""The grammar of a record: what a model may write of a text under a schema, each free string a span of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from grammars.answer.grammar import json_escape
from grammars.extraction.fields import Field, read_fields
from grammars.extraction.grammar import OPTIONS, compiles_lark, enforceable, subschemas
from grammars.extraction.modern import modern

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from grammars.extraction.resolve import Schema

BIGGEST = 10**15
MOST_RULES = 1_000
MOST_ITEMS = 50  # of an array without a limit of its own
_CHUNK = re.compile(r"\w+|\W")
_SHAPING = frozenset({"pattern", "minLength", "format", "maxLength"})


def record_grammar(definition: Any, text: str) -> str:
    """Return the llguidance Lark grammar of a compact record.

    Members come in the schema's order; one that is not required may be left out. A string without pattern,
    format or limits of length is a span of the text's own words; every other leaf is as the schema says. A
    schema with alternatives, open objects or circles is left to llguidance as a whole: its strings are
    compared with the text afterwards.
    """
    loose, _ = enforceable(modern(definition))
    grammar = _Grammar(loose if isinstance(loose, dict) else {})
    if all(_plain(schema) for _, schema in subschemas(loose)):
        grammar.rule("start", grammar.value(read_fields(loose)))
    chunks = [json_escape(chunk) for chunk in _CHUNK.findall(text)]
    span = json.dumps({"substring_chunks": chunks or [""]})
    lark = "\n".join([*grammar.rules, f"SPAN: %regex {span}"]) + "\n"
    usable = 0 < len(grammar.rules) <= MOST_RULES and compiles_lark(lark)
    return lark if usable else f"start: {_inline(loose)}\n"


@dataclass
class _Grammar:
    definition: Mapping[str, Any]
    rules: list[str] = field(default_factory=list)

    def rule(self, name: str, body: str) -> str:
        self.rules.append(f"{name}: {body}")
        return name

    def value(self, part: Field) -> str:
        """Return the expression of a field's value."""
        if part.kind == "object" and part.members and not _open(part):
            body = self._object(part)
        elif part.kind == "array" and part.items is not None and not _special(part):
            body = self._array(part)
        elif part.kind == "string" and not _SHAPING & part.schema.keys():
            body = r'"\"" SPAN "\""'
        else:
            return self._json(part)
        return f'("null" | {body})' if part.nullable else f"({body})"

    def _object(self, part: Field) -> str:
        """Members in order: each has two rules, for whether one stands before it."""
        name, members = f"o{len(self.rules)}", list(part.members.items())
        self.rule(f"{name}_{len(members)}_0", '"}"')
        self.rule(f"{name}_{len(members)}_1", '"}"')
        for place, (key, member) in enumerate(members):
            expression, label = self.value(member), json.dumps(key, ensure_ascii=False)
            for before in (0, 1):
                opening = json.dumps(("," if before else "") + label + ":", ensure_ascii=False)
                following = f"{opening} {expression} {name}_{place + 1}_1"
                left_out = "" if member.required else f" | {name}_{place + 1}_{before}"
                self.rule(f"{name}_{place}_{before}", following + left_out)
        return f'"{{" {name}_0_0'

    def _array(self, part: Field) -> str:
        assert part.items is not None
        item = self.rule(f"i{len(self.rules)}", self.value(part.items))
        least = part.schema.get("minItems", 0)
        most = min(part.schema.get("maxItems", MOST_ITEMS), max(MOST_ITEMS, least))
        if not most:
            return '"[]"'
        more = f'({item} ("," {item}){{{max(least - 1, 0)},{most - 1}}})'
        return f'"[" {more}{"" if least else "?"} "]"'

    def _json(self, part: Field) -> str:
        """Return the expression of whatever llguidance takes as JSON Schema."""
        schema: dict[str, Any] = {key: value for key, value in part.schema.items() if key != "$defs"}
        if part.kind == "choice":
            schema = {"enum": [*part.options, *([None] if part.nullable else [])]}
        elif part.kind in ("integer", "number"):
            schema = _bounded(schema)
        if part.nullable and part.kind != "choice":
            schema = {"anyOf": [{"type": "null"}, schema]}
        if any("$ref" in inner for _, inner in subschemas(schema)):
            schema |= {
                key: self.definition[key] for key in ("$defs", "definitions") if key in self.definition
            }
        return _inline(schema)


def _inline(schema: Any) -> str:
    guided = schema | {"x-guidance": {**OPTIONS, "lenient": True}} if isinstance(schema, dict) else schema
    return f"%json {json.dumps(guided)}"


def _plain(schema: Schema) -> bool:
    """Whether a node is one thing: no choice of several, nothing to merge or forbidden, no circle."""
    ref = schema.get("$ref", "#/$defs/")
    real = [
        branch
        for key in ("anyOf", "oneOf")
        for branch in schema.get(key, ())
        if branch != {"type": "null"} and not (isinstance(branch, dict) and "const" in branch)
    ]
    types = schema.get("type")
    several = isinstance(types, list) and len(set(types) - {"null"}) > 1
    named = ref.startswith(("#/$defs/", "#/definitions/"))
    merged = {"allOf", "patternProperties"} & schema.keys()
    forbidden = False in schema.get("properties", {}).values()
    return not forbidden and named and len(real) <= 1 and not several and not merged


def _bounded(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a number's schema with limits: JSON has none, and 1e999 is no number to anyone who reads it."""
    least = {} if {"minimum", "exclusiveMinimum"} & schema.keys() else {"minimum": -BIGGEST}
    most = {} if {"maximum", "exclusiveMaximum"} & schema.keys() else {"maximum": BIGGEST}
    return {**schema, **least, **most}


def _open(part: Field) -> bool:
    """Whether an object says more than which members it has."""
    schema = part.schema
    unnamed = set(schema.get("required", ())) - part.members.keys()
    return bool(unnamed or schema.get("patternProperties")) or isinstance(
        schema.get("additionalProperties"), dict
    )


def _special(part: Field) -> bool:
    return "prefixItems" in part.schema or part.schema.get("items", True) is False


def leaves_of(
    part: Field, value: Any, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Field]]:
    """Yield the leaves of a record that state something, with their fields."""
    if part.kind == "object" and isinstance(value, dict):
        for name, member in part.members.items():
            if name in value:
                yield from leaves_of(member, value[name], (*path, name))
    elif part.kind == "array" and isinstance(value, list) and part.items is not None:
        for place, item in enumerate(value):
            yield from leaves_of(part.items, item, (*path, place))
    elif isinstance(value, str | int | float | bool):
        yield path, part
