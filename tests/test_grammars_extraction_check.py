from __future__ import annotations

import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grammars.extraction.check import SchemaRefused, check, parse_schema
from grammars.extraction.check_child import inspect
from grammars.extraction.complete import complete
from grammars.extraction.fields import MOST_NODES, Field, read_fields
from grammars.extraction.grammar import enforceable
from grammars.extraction.minimal import minimal
from grammars.extraction.modern import modern
from grammars.extraction.record import ExtractionError, Record
from grammars.extraction.validate import Validator
from grammars.schemas import built_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
    "catastrophic": (
        {"type": "array", "items": {"type": "string", "pattern": "^(a|aa)+$"}},
        "/items: the pattern",
    ),
    "endless number": ({"type": "number", "maximum": float("inf")}, "beyond all bounds"),
    "null character": ({"type": "string", "description": "a\0b"}, "null character"),
    "half a character": ({"properties": {"\ud800": True}}, "surrogate"),
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


@contextmanager
def serving(body: bytes) -> Iterator[tuple[str, list[str]]]:
    """Serve a body on loopback, and keep the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("word", ["$ref", "$dynamicRef", "$recursiveRef"])
@pytest.mark.parametrize("told", ["", 'its "$id" stands elsewhere'])
def test_no_reference_is_ever_fetched(word: str, told: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"const": "secret"}')
    with serving(b'{"const": "internal"}') as (address, asked):
        for target in (f"{address}meta-data", secret.as_uri()):
            for part in (
                {word: target},
                {"not": {word: target}},
                {"anyOf": [{word: target}, {"type": "string"}]},
            ):
                definition = {"description": told, "type": "object", "properties": {"a": part}}
                assert re.search(r"/properties/a\S*/\$\w+ leads out of it", inspect(definition)["refused"])
                why = Validator(definition).why({"a": "x"})
                assert "secret" not in str(why).replace(str(secret), "")
                assert "internal" not in str(why)
        assert asked == []


def test_a_reference_that_is_found_only_by_another_is_followed() -> None:
    parts = {"x-parts": {"a": {"type": "array", "items": {"$ref": "https://example.org/b"}}}}
    found = inspect({"type": "object", "properties": {"a": {"$ref": "#/x-parts/a"}}} | parts)
    assert "/properties/a/$ref/items/$ref leads out of it" in found["refused"]


def test_references_to_named_parts_and_to_the_specification_are_found() -> None:
    definition = {
        "$id": "https://example.org/whole.json",
        "type": "object",
        "properties": {"a": {"$ref": "part.json"}, "b": {"$ref": "#/$defs/part"}},
        "$defs": {"part": {"$id": "part.json", "type": "string"}},
    }
    assert inspect(definition)["enforced"]
    assert not Validator(definition).admits({"a": 1})
    assert read_fields(definition).members["a"].kind == "string"
    nested = {"type": "object", "properties": {"s": {"$ref": "https://json-schema.org/draft/2020-12/schema"}}}
    assert "refused" not in inspect(nested)
    assert not Validator(nested).admits({"s": {"type": 3}})


def only(part: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": part}, "required": ["a"], **more}


TEXT = {"type": "string"}
ORDINARY = {
    "ticket": only(TEXT | {"pattern": "^[A-Z]{2,10}-[0-9]+$"}),
    "version": only(TEXT | {"pattern": r"^\d+\.\d+\.\d+$"}),
    "phone": only(TEXT | {"pattern": r"^\+?[0-9 ]{7,15}$", "minLength": 9}),
    "address": only(TEXT | {"pattern": r"^.+@example\.org$"}),
    "a dash in a class": only(TEXT | {"pattern": r"^[\w-.]{3}$"}),
    "letters": only(TEXT | {"pattern": r"^\p{L}+$"}),
    "a named group": only(TEXT | {"pattern": r"^(?<year>\d{4})$"}),
    "what stands ahead": only(TEXT | {"pattern": r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$"}),
    "two patterns": only({"allOf": [TEXT | {"pattern": "^[a-c]"}, TEXT | {"pattern": "[d-f]$"}]}),
    "a step": only({"type": "integer", "minimum": 1, "multipleOf": 5}),
    "cents": only({"type": "number", "exclusiveMinimum": 0, "maximum": 0.5, "multipleOf": 0.01}),
    "not zero": only({"type": "integer", "not": {"const": 0}}),
    "different strings": only({"type": "array", "items": TEXT, "minItems": 2, "uniqueItems": True}),
    "different options": only(
        {"type": "array", "items": {"enum": ["x", "y", "z"]}, "minItems": 3, "uniqueItems": True}
    ),
    "different objects": only(
        {"type": "array", "items": only({"type": "integer"}), "minItems": 2, "uniqueItems": True}
    ),
    "different codes": only(
        {"type": "array", "items": TEXT | {"pattern": "^[A-Z]{2}$"}, "minItems": 3, "uniqueItems": True}
    ),
    "contains": only({"type": "array", "contains": {"const": 3}}),
    "contains two": only({"type": "array", "items": TEXT, "contains": {"minLength": 2}, "minContains": 2}),
    "a member": {"type": "object", "minProperties": 1, "additionalProperties": TEXT},
    "two of three": {"type": "object", "minProperties": 2, "properties": dict.fromkeys("abc", TEXT)},
    "names": {
        "type": "object",
        "minProperties": 2,
        "patternProperties": {"^x-[a-z]+$": TEXT},
        "additionalProperties": False,
    },
    "a condition": only({"enum": ["b", "yes"]}, **{"if": only({"const": "b"}), "then": {"required": ["c"]}}),
    "one needs another": only(TEXT, dependentRequired={"a": ["b"]}),
    "two point nought": only({"type": "array", "items": TEXT | {"minLength": 3.0}, "minItems": 2.0}),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_schema_is_accepted_and_completed(name: str) -> None:
    definition = ORDINARY[name]
    assert "refused" not in inspect(definition)
    assert Validator(definition).admits(complete(Record({}), definition, Validator(definition)).record)


@pytest.mark.parametrize(
    ("pattern", "text", "admitted"),
    [
        ("^[a-z]+$", "abc\n", False),
        (r"^\d{3}$", "١٢٣", False),
        (r"^[\d]{3}$", "١٢٣", False),
        (r"^\w+$", "é", False),
        (r"^\p{L}+$", "éa", True),
        (r"^(?<y>\d{4})$", "2026", True),
        (r"^\$[$]$", "$$", True),
        (r"^[[a]+$", "[a", True),
        (r"^(?<=x)y", "y", False),
    ],
)
def test_a_pattern_means_what_it_does_in_json_schema(pattern: str, text: str, admitted: bool) -> None:
    assert Validator({"pattern": pattern}).admits(text) is admitted
    assert Validator({"patternProperties": {pattern: False}}).admits({text: 1}) is not admitted
    others = {"patternProperties": {pattern: True}, "additionalProperties": False}
    assert Validator(others).admits({text: 1}) is admitted


def _nodes(part: Field) -> int:
    inner = [*part.members.values(), *([part.items] if part.items else [])]
    return 1 + sum(map(_nodes, inner))


def circle(width: int) -> dict[str, Any]:
    again = {f"p{number}": {"$ref": "#/$defs/n"} for number in range(width)}
    return {"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": again}}}


@pytest.mark.parametrize("width", [1, 4, 8, 60, 200])
def test_a_schema_that_refers_to_itself_is_read_within_bounds(width: int) -> None:
    began = time.process_time()
    root = read_fields(circle(width))
    assert len(root.members) == width
    assert _nodes(root) <= MOST_NODES
    assert time.process_time() - began < 2


def test_a_wide_schema_without_circles_is_read_whole() -> None:
    group = {"type": "object", "properties": {f"g{n}": {"type": "integer"} for n in range(40)}}
    root = read_fields({"type": "object", "properties": {f"m{n}": group for n in range(40)}})
    assert {leaf.kind for leaf in root.leaves() if not leaf.members} == {"integer"}


def test_validation_has_one_budget_of_time() -> None:
    """What the check does not find out about a pattern costs a few seconds, however long the list."""
    definition = {"type": "array", "items": {"type": "string", "pattern": "^(a|aa)+$"}}
    validator = Validator(definition)
    value = ["a" * 60 + f"b{number}" for number in range(60)]
    began = time.process_time()
    assert not validator.admits(value)
    with pytest.raises(ExtractionError, match="takes too long"):
        complete(Record(value), definition, validator)
    assert time.process_time() - began < 10


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan"), 10**400])
def test_a_number_beyond_all_bounds_is_never_admitted(number: float) -> None:
    validator = Validator({"type": "object", "properties": {"a": {"type": "number", "multipleOf": 0.5}}})
    assert not validator.admits({"a": number})
    assert not validator.admits({"others": [number]})


def test_whoever_validates_sees_the_schema_of_an_older_draft_as_it_was_meant() -> None:
    old = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "type": "object",
        "properties": {
            "size": {"type": "array", "items": [{"type": "number"}, {"type": "string"}]},
            "price": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
        },
    }
    assert Validator(old).admits({"size": [3, "cm"], "price": 0.5})
    assert not Validator(old).admits({"size": ["cm", 3]})
    assert not Validator(old).admits({"price": 0})
    assert "prefixItems" in read_fields(old).members["size"].schema
