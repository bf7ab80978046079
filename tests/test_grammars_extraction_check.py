from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grammars.extraction.check import SchemaRefused, check, parse_schema
from grammars.extraction.complete import complete
from grammars.extraction.grammar import enforceable
from grammars.extraction.minimal import minimal
from grammars.extraction.modern import modern
from grammars.extraction.record import ExtractionError, Record
from grammars.extraction.validate import Validator
from grammars.schemas import built_in

DEEP: dict[str, Any] = {}
for _ in range(100):
    DEEP = {"type": "object", "properties": {"a": DEEP}}

HOSTILE = {
    "deep": (DEEP, "levels deep"),
    "giant enum": ({"enum": list(range(5000))}, "options"),
    "remote": ({"$ref": "https://example.org/schema"}, "leads out of it"),
    "circle": ({"$ref": "#"}, "refused"),
    "endless": (
        {"$defs": {"a": {"type": "object", "properties": {"b": {"$ref": "#/$defs/a"}}, "required": ["b"]}}}
        | {"$ref": "#/$defs/a"},
        "refused",
    ),
    "contradiction": ({"allOf": [{"type": "string"}, {"type": "number"}]}, "nothing can satisfy"),
    "no schema": ({"type": "nonsense"}, "/type"),
    "huge repetition": ({"type": "string", "pattern": "^((a{1000}){1000}b){1000}$"}, "refused"),
    "nowhere": ({"$ref": "#/$defs/none"}, "refused"),
    "a list": ([], "JSON object"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_schema_is_refused_with_a_reason_in_bounded_time(name: str) -> None:
    definition, reason = HOSTILE[name]
    began = time.process_time()
    with pytest.raises(SchemaRefused, match=reason):
        await check(definition)
    assert time.process_time() - began < 1


async def test_what_the_grammar_cannot_enforce_is_named() -> None:
    definition = {
        "type": "object",
        "properties": {"a": {"type": "array", "uniqueItems": True}, "b": {"not": {"const": 1}}},
    }
    report = await check(definition)
    assert not report.enforced
    assert set(report.validated) == {"/properties/a/uniqueItems", "/properties/b/not"}


@pytest.mark.parametrize("name", built_in())
async def test_the_schemas_that_come_along_are_enforced_whole(name: str) -> None:
    definition = built_in()[name]
    assert (await check(definition)).enforced
    assert definition["title"]
    assert definition["description"]


async def test_a_catastrophic_pattern_is_judged_in_bounded_time() -> None:
    validator = Validator({"type": "string", "pattern": "^(a+)+$"})
    began = time.monotonic()
    assert not validator.admits("a" * 40 + "!")
    assert time.monotonic() - began < 3


def test_formats_are_validated() -> None:
    assert not Validator({"format": "date"}).admits("2026-02-30")
    assert not Validator({"format": "email"}).admits("nobody")
    assert Validator({"format": "date-time"}).admits("2026-03-09T10:00:00Z")


@pytest.mark.parametrize("text", ["{", "[]", "7", "[" * 100_000, "x" * 300_000])
def test_what_is_no_schema_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(SchemaRefused):
        parse_schema(text)


_LEAF = st.sampled_from(
    [
        {"type": "string"},
        {"type": ["string", "null"], "format": "date"},
        {"type": "integer", "minimum": 3},
        {"type": "number", "exclusiveMinimum": 0.5, "maximum": 2},
        {"enum": ["a", "b", None]},
        {"const": 7},
        {"type": "boolean"},
        {"type": "string", "minLength": 3},
        {"anyOf": [{"type": "null"}, {"type": "integer"}]},
        {"type": "string", "format": "uri"},
    ]
)


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(["a", "b", "c"])
    members = st.dictionaries(names, inner, min_size=1)
    objects = st.builds(
        lambda properties, needed: {
            "type": "object",
            "properties": properties,
            "required": sorted(needed & properties.keys()),
            "additionalProperties": False,
        },
        members,
        st.sets(names),
    )
    return objects | st.builds(lambda items: {"type": "array", "items": items, "minItems": 1}, inner)


SCHEMAS = st.recursive(_LEAF, _objects, max_leaves=6)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(SCHEMAS)
def test_the_shortest_value_is_admitted(definition: Any) -> None:
    assert Validator(definition).why(minimal(definition)) is None


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    SCHEMAS,
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda v: st.dictionaries(st.sampled_from("abcd"), v) | st.lists(v),
    ),
)
def test_whatever_was_read_comes_out_valid_or_not_at_all(definition: Any, value: Any) -> None:
    validator = Validator(definition)
    try:
        made = complete(Record(value), definition, validator)
    except ExtractionError as error:
        assert str(error)  # noqa: PT017 - either outcome is fine, silence is not
    else:
        assert validator.admits(made.record)


def test_nothing_enforceable_is_taken_out() -> None:
    definition = {"type": "object", "properties": {"not": {"type": "string"}, "format": {"enum": ["x"]}}}
    assert enforceable(definition) == (definition, [])


async def test_a_schema_of_an_older_draft_is_read_as_it_was_meant() -> None:
    old = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "type": "object",
        "properties": {
            "pair": {"type": "array", "items": [{"type": "string"}], "additionalItems": False},
            "size": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
        },
        "dependencies": {"pair": ["size"]},
    }
    new = modern(old)
    assert new["properties"]["pair"] == {"type": "array", "prefixItems": [{"type": "string"}], "items": False}
    assert new["properties"]["size"] == {"type": "number", "exclusiveMinimum": 0}
    assert (await check(old)).validated == ("/dependentRequired",)
    assert modern(new) == new


@pytest.mark.parametrize("key", ["anyOf", "oneOf"])
async def test_an_alternative_that_never_holds_is_none(key: str) -> None:
    """What admits nothing has no grammar that could write it; beside another it is not there."""
    nothing = {"type": "object", "properties": {"a": {key: [False]}}}
    assert modern(nothing)["properties"]["a"] is False
    assert modern({key: [False, {"type": "string"}]}) == {key: [{"type": "string"}]}
    assert (await check(nothing)).enforced
    with pytest.raises(SchemaRefused):
        await check(nothing | {"required": ["a"]})


async def test_older_ways_to_name_a_part_are_understood() -> None:
    """An `$id` as a fragment (draft 7), and the recursive anchor (2019-09)."""
    definition = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"a": {"$ref": "#name"}, "b": {"$ref": "#/definitions/other"}},
        "definitions": {
            "name": {"$id": "#name", "type": "string"},
            "other": {"$id": "#/definitions/other", "type": "integer"},
        },
    }
    await check(definition)
    validator = Validator(modern(definition))
    assert validator.admits({"a": "x", "b": 1})
    assert not validator.admits({"a": 1})
    assert not validator.admits({"b": "x"})
    tree = {"$recursiveAnchor": True, "type": "object", "properties": {"child": {"$recursiveRef": "#"}}}
    await check(tree)
    assert Validator(modern(tree)).admits({"child": {"child": {}}})
    assert not Validator(modern(tree)).admits({"child": {"child": 1}})
