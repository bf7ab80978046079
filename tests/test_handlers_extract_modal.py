"""The modal that a schema makes: any record comes back as it was, and Slack takes every view."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.demo import inputs, validate
from grammars.extraction.validate import Validator
from handlers.schema_modal import Form, edit_view, read_form, shown_entries
from handlers.schema_modal_controls import ABSENT
from handlers.schema_modal_errors import errors_at
from handlers.schema_modal_form import added, removed, without

HEADING = [{"type": "section", "text": {"type": "mrkdwn", "text": "*Incident*"}}]

names = st.from_regex(r"[a-z][a-zA-Z_0-9]{0,12}", fullmatch=True) | st.text(min_size=1, max_size=20)
words = st.text(max_size=30) | st.just("x" * 200) | st.just("a\nb  ")
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**12), 10**12)


def leaf() -> st.SearchStrategy[tuple[dict[str, Any], st.SearchStrategy[Any]]]:
    """Draw a leaf's schema with what draws its values."""
    options = st.lists(words | st.integers(), min_size=1, max_size=120, unique_by=repr)
    plain = [
        st.just(({"type": "string"}, words.filter(bool))),
        st.just(({"type": "string", "format": "date"}, st.dates().map(str))),
        st.just(({"type": "integer"}, st.integers(-(10**15), 10**15))),
        st.just(({"type": "number"}, numbers)),
        st.just(({"type": "boolean"}, st.booleans())),
        options.map(lambda found: ({"enum": found}, st.sampled_from(found))),
        st.just(({}, st.none() | words | st.lists(words, max_size=3))),
    ]
    return st.one_of(plain)


def nullable(
    drawn: tuple[dict[str, Any], st.SearchStrategy[Any]],
) -> tuple[dict[str, Any], st.SearchStrategy[Any]]:
    schema, values = drawn
    return {"anyOf": [schema, {"type": "null"}]}, values | st.none()


def listed(
    drawn: tuple[dict[str, Any], st.SearchStrategy[Any]],
) -> tuple[dict[str, Any], st.SearchStrategy[Any]]:
    schema, values = drawn
    return {"type": "array", "items": schema}, st.lists(values, max_size=8)


@st.composite
def grouped(draw: st.DrawFn, children: Any) -> tuple[dict[str, Any], st.SearchStrategy[Any]]:
    members = draw(st.dictionaries(names, children, min_size=1, max_size=8))
    needed = [name for name in members if draw(st.booleans())]
    properties = {name: schema for name, (schema, _) in members.items()}
    values = {name: value for name, (_, value) in members.items()}
    required = {name: values.pop(name) for name in needed}
    schema = {"type": "object", "properties": properties, "required": needed}
    return schema, st.fixed_dictionaries(required, optional=values)


tree = st.recursive(
    leaf(),
    lambda children: grouped(children) | children.map(nullable) | children.map(listed),
    max_leaves=25,
)
cases = grouped(tree).flatmap(lambda pair: pair[1].map(lambda record: (pair[0], record)))
quick = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def untouched(view: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a view that nobody typed into."""
    return inputs.initial_values(validate.with_ids(view["blocks"]))


@quick
@given(cases)
@example(({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, {"a": "\b"}))
def test_an_untouched_form_gives_back_the_record_and_slack_takes_its_view(
    case: tuple[dict[str, Any], Any],
) -> None:
    definition, record = case
    form = Form(definition, record, {"/a": "q" * 5_000})
    view = edit_view(form, HEADING, {"draft": "d"})
    validate.view(view)
    edited = read_form(form, untouched(view))
    assert edited.problems == {}
    assert json.dumps(edited.record, sort_keys=True) == json.dumps(record, sort_keys=True)


@pytest.mark.parametrize("count", [10, 60, 3_000])
def test_many_groups_become_json_and_stay_within_the_limits(count: int) -> None:
    item = {"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer"}}}
    definition = {"type": "object", "properties": {"items": {"type": "array", "items": item}}}
    record = {"items": [{"name": f"thing {n} " + "y" * 20, "n": n} for n in range(count)]}
    form = Form(definition, record)
    view = edit_view(form, HEADING, {})
    validate.view(view)
    assert read_form(form, untouched(view)).record == record


INCIDENT: dict[str, Any] = {
    "title": "Incident",
    "type": "object",
    "properties": {
        "service": {"type": "string", "minLength": 3},
        "severity": {"enum": ["sev1", "sev2"]},
        "started": {"type": "string", "format": "date"},
        "users": {"type": ["integer", "null"], "minimum": 0},
        "resolved": {"type": "boolean"},
        "data_lost": {"type": ["boolean", "null"]},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "owner": {"anyOf": [{"$ref": "#/$defs/person"}, {"type": "null"}]},
        "actions": {"type": "array", "items": {"$ref": "#/$defs/action"}},
    },
    "required": [
        "service",
        "severity",
        "started",
        "users",
        "resolved",
        "data_lost",
        "tags",
        "owner",
        "actions",
    ],
    "$defs": {
        "person": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        "action": {
            "type": "object",
            "properties": {"what": {"type": "string"}, "who": {"type": ["string", "null"]}},
            "required": ["what", "who"],
        },
    },
}
RECORD: dict[str, Any] = {
    "service": "checkout",
    "severity": "sev1",
    "started": "2026-11-20",
    "users": None,
    "resolved": False,
    "data_lost": None,
    "tags": ["db", "eu"],
    "owner": None,
    "actions": [{"what": "Add an alert", "who": "Ana"}],
}


def inputs_of(form: Form) -> dict[str, dict[str, Any]]:
    """Return the input blocks by what they are labelled."""
    blocks = edit_view(form, HEADING, {})["blocks"]
    return {block["label"]["text"]: block for block in blocks if block["type"] == "input"}


def test_each_kind_of_leaf_has_its_control() -> None:
    found = {label: block["element"]["type"] for label, block in inputs_of(Form(INCIDENT, RECORD)).items()}
    assert found == {
        "Service": "plain_text_input",
        "Severity": "static_select",
        "Started": "datepicker",
        "Users": "number_input",
        "Resolved": "checkboxes",
        "Data lost": "radio_buttons",
        "Tags": "plain_text_input",
        "What": "plain_text_input",
        "Who": "plain_text_input",
    }


def test_each_input_shows_its_evidence_or_that_there_is_none() -> None:
    found = inputs_of(Form(INCIDENT, RECORD, {"/service": "the *checkout* <!channel>"}))
    assert found["Service"]["hint"]["text"] == "From the text: “the *checkout* <!channel>”"
    assert found["Service"]["hint"]["type"] == "plain_text"
    assert found["Users"]["hint"]["text"] == "The text does not say."


def test_a_choice_that_was_nearly_made_otherwise_says_so() -> None:
    quotes = {"/service": "checkout", "/severity": "sev2, maybe sev3"}
    found = inputs_of(Form(INCIDENT, RECORD, quotes, unsure=frozenset(quotes)))
    assert found["Severity"]["hint"]["text"].endswith("Another value is nearly as likely: please check.")
    assert "likely" not in found["Service"]["hint"]["text"]  # a span's margin says little


def test_what_is_missing_is_demanded_and_shown_empty() -> None:
    record = without(RECORD | {"service": "---", "severity": "sev1"}, ["/service", "/severity"])
    form = Form(INCIDENT, record)
    found = inputs_of(form)
    for label in ("Service", "Severity"):
        assert found[label]["optional"] is False
        assert not any(key.startswith("initial") for key in found[label]["element"])
    said, elsewhere = errors_at(form, Validator(INCIDENT).errors(record))
    assert set(said) == {found["Service"]["block_id"], found["Severity"]["block_id"]}
    assert elsewhere == []


def typed(form: Form, **entered: dict[str, Any]) -> dict[str, Any]:
    """Return the state of the form after somebody entered something."""
    state = untouched(edit_view(form, HEADING, {}))
    for label, filled in entered.items():
        state[inputs_of(form)[label.replace("_", " ")]["block_id"]]["value"] |= filled
    return state


def test_what_a_person_enters_is_in_the_record() -> None:
    form = Form(INCIDENT, RECORD)
    state = typed(
        form,
        Service={"value": "cart & <co>"},
        Severity={"selected_option": {"value": "1"}},
        Started={"selected_date": "2026-11-21"},
        Users={"value": "41"},
        Resolved={"selected_options": [{"value": "yes"}]},
        Data_lost={"selected_option": {"value": "no"}},
        Tags={"value": "db\n\n eu \nmail"},
        Who={"value": None},
    )
    assert read_form(form, state).record == {
        "service": "cart & <co>",
        "severity": "sev2",
        "started": "2026-11-21",
        "users": 41,
        "resolved": True,
        "data_lost": False,
        "tags": ["db", "eu", "mail"],
        "owner": None,
        "actions": [{"what": "Add an alert", "who": None}],
    }


def test_what_cannot_be_read_is_said_at_its_input() -> None:
    form = Form(INCIDENT, RECORD)
    edited = read_form(form, typed(form, Users={"value": "many"}))
    assert edited.problems == {inputs_of(form)["Users"]["block_id"]: "This is no number."}
    assert edited.record["users"] is None


@pytest.mark.parametrize(
    ("record", "label", "sentence"),
    [
        (RECORD | {"service": "x"}, "Service", "This has to have at least 3 characters."),
        (RECORD | {"users": -1}, "Users", "This has to be at least 0."),
        (RECORD | {"tags": []}, "Tags", "There have to be at least 1."),
        (RECORD | {"actions": [{"who": None}]}, "What", "This is needed, and the text does not say."),
    ],
)
def test_what_the_schema_objects_to_is_said_at_its_input(
    record: dict[str, Any], label: str, sentence: str
) -> None:
    form = Form(INCIDENT, record)
    said, elsewhere = errors_at(form, Validator(INCIDENT).errors(record))
    assert (said, elsewhere) == ({inputs_of(form)[label]["block_id"]: sentence}, [])


def test_groups_are_added_and_removed() -> None:
    more = added(INCIDENT, added(INCIDENT, RECORD, "/actions"), "/owner")
    assert more["owner"] == {}
    assert more["actions"] == [RECORD["actions"][0], {"who": None}]
    fewer = removed(INCIDENT, removed(INCIDENT, more, "/actions/0"), "/owner")
    assert fewer == RECORD | {"actions": [{"who": None}]}
    validate.view(edit_view(Form(INCIDENT, more), HEADING, {}))


def test_a_form_of_another_revision_says_nothing_of_this_one() -> None:
    before, after = Form(INCIDENT, RECORD), Form(INCIDENT, RECORD, revision=2)
    assert read_form(after, typed(before, Service={"value": "other"})).record == RECORD


def test_json_that_is_none_is_refused_at_its_input() -> None:
    definition = {"type": "object", "properties": {"any": {}}}
    form = Form(definition, {"any": {"a": 1}})
    (entry,) = shown_entries(form)
    assert entry.control == "json"
    edited = read_form(form, {"1.0": {"value": {"type": "plain_text_input", "value": "{nope"}}})
    assert edited.problems["1.0"].startswith("This is no JSON")
    fine = read_form(form, {"1.0": {"value": {"type": "plain_text_input", "value": '["<@U1>"]'}}})
    assert fine.record == {"any": ["<@U1>"]}
    assert ABSENT not in fine.record.values()


def test_what_is_left_out_of_a_list_is_what_was_named() -> None:
    assert without({"t": list(range(12))}, ["/t/2", "/t/10"]) == {"t": [0, 1, 3, 4, 5, 6, 7, 8, 9, 11]}
