"""A record's card, its sources, and a batch's files: within Slack's limits, and nothing in them pings."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.demo import validate
from handlers.extract_batch_files import as_csv, as_json_lines, as_table, link_of
from handlers.extract_card import card_messages
from handlers.extract_example import example_of
from handlers.extract_source import around, composed, piece_at, spoken
from knowledge.batches import Row
from knowledge.drafts import Draft

HOSTILE = "<!channel> <@U1> <https://evil.example|here> & *bold*"
DEFINITION: dict[str, Any] = {
    "title": "Incident",
    "type": "object",
    "properties": {
        "service": {"type": "string"},
        "notes": {"type": "string"},
        "resolved": {"type": "boolean"},
        "cause": {"type": ["string", "null"]},
        "owner": {"type": "object", "properties": {"name": {"type": "string"}}},
        "tags": {"type": "array", "items": {"type": "string"}},
        "actions": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"what": {"type": "string"}, "due": {"type": "string"}},
            },
        },
    },
}
RECORD: dict[str, Any] = {
    "service": HOSTILE,
    "notes": "long " * 100,
    "resolved": True,
    "cause": None,
    "owner": {"name": "Ana"},
    "tags": ["db", HOSTILE],
    "actions": [{"what": "alert", "due": "2026-11-23"}, {"what": HOSTILE, "due": "2026-11-24"}],
}


def card(record: Any, **changes: Any) -> list[Any]:
    given_fields = {
        "title": "Incident",
        "quotes": {},
        "person": "U2",
        "link_to": "https://slack.example/p1",
        "model": "m",
    }
    return card_messages(DEFINITION, record, **(given_fields | changes))


def blocks_of(messages: list[Any]) -> list[dict[str, Any]]:
    return [block for message in messages for block in message.blocks]


def test_a_card_shows_each_kind_of_value_and_pings_nobody() -> None:
    messages = card(RECORD, quotes={"/resolved": (f"it is fixed {HOSTILE}", "https://slack.example/p2")})
    for message in messages:
        validate.message({"text": message.text, "blocks": message.blocks})
        assert "<!channel>" not in message.text
    blocks = blocks_of(messages)
    fields = [field for block in blocks if block["type"] == "section" for field in block["fields"]]
    assert {field["verbatim"] for field in fields} == {True}
    assert [field["text"].partition("\n")[2] for field in fields] == [
        "&lt;!channel&gt; &lt;@U1&gt; &lt;https://evil.example|here&gt; &amp; *bold*",
        "Yes",
        "Ana",
    ]
    (table,) = [block for block in blocks if block["type"] == "table"]
    assert [cell["text"] for cell in table["rows"][1]] == ["alert", "2026-11-23"]
    assert {cell["type"] for row in table["rows"] for cell in row} == {"raw_text"}
    links = [found["url"] for found in _elements(blocks) if found.get("type") == "link"]
    assert set(links) == {"https://slack.example/p1", "https://slack.example/p2"}
    assert [found for found in _elements(blocks) if found.get("type") == "user"] == [
        {"type": "user", "user_id": "U2"}
    ]
    assert "Not stated: Cause" in json.dumps(blocks)


def _elements(found: Any) -> list[dict[str, Any]]:
    if isinstance(found, list):
        return [one for item in found for one in _elements(item)]
    if not isinstance(found, dict):
        return []
    return [found, *(one for value in found.values() for one in _elements(value))]


def test_evidence_that_only_repeats_a_value_is_left_out() -> None:
    shown = json.dumps(blocks_of(card(RECORD, quotes={"/owner/name": ("Ana", None)})))
    assert "What it is based on" not in shown


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=60), inner, max_size=12),
    max_leaves=60,
)


@settings(max_examples=60)
@given(json_values)
def test_whatever_the_record_slack_takes_its_card(record: Any) -> None:
    for message in card(record, quotes={"": ("q" * 9_000, None)}):
        validate.message({"text": message.text, "blocks": message.blocks})


def test_a_threads_messages_are_one_text_and_each_offset_leads_back() -> None:
    said = [
        {"ts": "1.0", "user": "U1", "text": "it is &lt;down&gt;"},
        {"ts": "2.0", "user": "U2", "text": ""},
        {"ts": "3.0", "user": "U2", "text": ""},
        {"ts": "4.0", "user": "U2", "text": "since noon"},
    ]
    text, pieces = composed(said, {"1.0": "It is in a file.", "3.0": "So is that."})
    assert text == "it is <down>\n\nIt is in a file.\n\nSo is that.\n\nsince noon"
    parts = ["it is <down>\n\nIt is in a file.", "So is that.", "since noon"]
    assert [text[piece.start : piece.end] for piece in pieces] == parts
    found = piece_at(pieces, text.index("noon"))
    assert found is not None
    assert found.ts == "4.0"


def test_what_the_bot_and_slack_itself_said_in_a_thread_is_left_out() -> None:
    said = [
        {"ts": "1.0", "user": "U1", "text": "it is down"},
        {"ts": "2.0", "user": "UBOT", "text": "looking"},
        {"ts": "3.0", "user": "U2", "text": "joined", "subtype": "channel_join"},
        {"ts": "4.0", "bot_id": "B2", "text": "alert", "subtype": "bot_message"},
    ]
    assert [one["ts"] for one in spoken(said, "UBOT")] == ["1.0", "4.0"]


@settings(max_examples=100)
@given(st.text(max_size=400), st.integers(0, 400), st.integers(1, 50))
def test_what_stands_around_a_quote_holds_it(text: str, start: int, length: int) -> None:
    quote = text[start : start + length]
    assert quote.strip() in around(text, start, start + len(quote))


def test_a_quote_is_shown_with_its_sentence() -> None:
    text = "It broke. Ana is incident commander. More follows."
    assert around(text, text.index("Ana"), text.index("Ana") + 3) == "Ana is incident commander."


LINKS = ["https://slack.example/p1", "https://slack.example/p2"]
ROWS = [
    Row(1, "1.0", "", "U1", {"record": RECORD, "evidence": {}}),
    Row(2, "2.0", "", None, {"error": "=cmd()"}),
]


def test_a_batchs_files_hold_every_row_and_no_formula() -> None:
    first, second = csv.DictReader(io.StringIO(as_csv(DEFINITION, ROWS, LINKS)))
    assert (first["ts"], first["Resolved"], first["Owner \u203a Name"]) == ("1.0", "True", "Ana")
    assert json.loads(first["Tags"]) == RECORD["tags"]
    assert second["error"] == "'=cmd()"
    lines = [json.loads(line) for line in as_json_lines(ROWS, LINKS).splitlines()]
    assert lines[0]["record"] == RECORD
    assert lines[1] == {"id": "2.0", "author": None, "link": LINKS[1], "error": "=cmd()"}


def test_columns_of_one_label_are_kept_apart() -> None:
    day = {"type": "string", "title": "Date"}
    window = {"type": "object", "title": "Window", "properties": {"d": {"type": "string"}}}
    properties = {"a": day, "b": day, "start": window, "end": window, "link": {"title": "link"}}
    definition = {"type": "object", "properties": properties}
    record = {"a": "1", "b": "2", "start": {"d": "3"}, "end": {"d": "4"}, "link": "=5"}
    rows = [Row(1, "1.0", "", "U1", {"record": record})]
    (line,) = csv.DictReader(io.StringIO(as_csv(definition, rows, LINKS[:1])))
    headings = [
        "Date (/a)",
        "Date (/b)",
        "Window \u203a D (/start/d)",
        "Window \u203a D (/end/d)",
        "link (/link)",
    ]
    assert [line[heading] for heading in headings] == ["1", "2", "3", "4", "'=5"]
    assert line["link"] == LINKS[0]
    table, *_ = as_table(definition, rows)
    assert [[cell["text"] for cell in row] for row in table["rows"]] == [headings, ["1", "2", "3", "4", "=5"]]


def test_the_link_of_a_message_is_made_from_that_of_another() -> None:
    row = Row(1, "1712345678.000200", "")
    permalink = "https://team.slack.com/archives/C1/p1712345699000100?thread_ts=1712345600.000100&cid=C1"
    assert link_of(row, permalink) == "https://team.slack.com/archives/C1/p1712345678000200"
    assert link_of(row, permalink, row.ts) == link_of(row, permalink)
    in_thread = "https://team.slack.com/archives/C1/p1712345678000200?thread_ts=1712345600.000100&cid=C1"
    assert link_of(row, permalink, "1712345600.000100") == in_thread


def test_the_words_of_a_correction_are_found_whatever_stands_before_them() -> None:
    draft = Draft(
        uuid4(), "T", "C", "U", text="Straße: Berlin office", extraction={"record": {"place": None}}
    )
    example = example_of(draft, {}, {"place": "BERLIN"})
    assert example is not None
    assert example["evidence"] == {"/place": "Berlin"}


@pytest.mark.parametrize("count", [1, 99, 400])
def test_a_table_shows_what_slack_takes_of_a_batch(count: int) -> None:
    rows = [Row(n, f"{n}.0", "", "U1", {"record": RECORD}) for n in range(count)]
    validate.message({"text": "t", "blocks": as_table(DEFINITION, rows)})


def test_a_correction_is_a_case_of_the_tunings_form() -> None:
    from grammars.tuning.fields import rows_of

    text = "checkout-api down, Ana on it"
    extraction = {
        "record": {"service": "checkout-api", "cause": None},
        "evidence": {"/service": {"quote": "checkout-api", "start": 0, "end": 12}},
    }
    draft = Draft(uuid4(), "T", "C", "U", text=text, extraction=extraction)
    assert example_of(draft, DEFINITION, extraction["record"]) is None
    example = example_of(draft, DEFINITION, {"service": "ANA", "cause": None})
    assert example is not None
    assert example["evidence"] == {"/service": "Ana"}
    asked = {row["question"]: row["answer"] for row in rows_of(example)}
    assert asked["incident: service"] == "Ana"
