from __future__ import annotations

from typing import Any

import pytest

from grammars.extraction.complete import complete
from grammars.extraction.record import Evidence, ExtractionError, Record
from grammars.extraction.validate import Validator

TEXT = {"type": "string"}
WORD = {"type": "string", "maxLength": 5}


def member(part: Any, *, required: bool = False) -> dict[str, Any]:
    return {"type": "object", "properties": {"t": part}, "required": ["t"] if required else []}


def cited(source: str, value: Any, **quotes: str) -> Record:
    """Return a record whose evidence is given by pointer, `t_0_price` for `/t/0/price`."""
    evidence = {}
    for name, quote in quotes.items():
        start = source.index(quote)
        evidence["/" + name.replace("_", "/")] = Evidence(quote, start, start + len(quote))
    return Record(value, evidence, margins=dict.fromkeys(evidence, 0.5))


def made(record: Record, definition: Any) -> Record:
    return complete(record, definition, Validator(definition))


def test_evidence_moves_along_when_an_item_before_it_goes() -> None:
    record = cited(
        "toolongvalue, ab, also too long, cd",
        {"t": ["toolongvalue", "ab", "also too long", "cd"]},
        t_0="toolongvalue",
        t_1="ab",
        t_2="also too long",
        t_3="cd",
    )
    kept = made(record, member({"type": "array", "items": WORD}))
    assert kept.record == {"t": ["ab", "cd"]}
    assert {at: span.quote for at, span in kept.evidence.items()} == {"/t/0": "ab", "/t/1": "cd"}
    assert kept.margins.keys() == kept.evidence.keys()


def test_of_many_items_the_wrong_ones_go_however_many_digits_they_have() -> None:
    words = [f"w{number}" for number in range(120)]
    bad = {2, 10, 11, 100}
    value = [word + "-too-long" * (place in bad) for place, word in enumerate(words)]
    record = cited(" ".join(value), {"t": value}, **{f"t_{place}": word for place, word in enumerate(value)})
    kept = made(record, member({"type": "array", "items": WORD}))
    assert kept.record["t"] == [word for place, word in enumerate(words) if place not in bad]
    assert all(kept.evidence[f"/t/{place}"].quote == word for place, word in enumerate(kept.record["t"]))


def test_what_is_invented_goes_in_the_order_of_its_places() -> None:
    value = [f"w{number}" for number in range(12)]
    definition = member({"type": "array", "items": TEXT})
    kept = complete(Record({"t": value}), definition, Validator(definition), [("t", 2), ("t", 10)])
    assert kept.record["t"] == [word for word in value if word not in ("w2", "w10")]


def test_an_item_that_lacks_a_member_stays_and_the_member_is_missing() -> None:
    line = {
        "type": "object",
        "properties": {"article": TEXT, "price": {"type": "number"}, "note": {"type": ["string", "null"]}},
        "required": ["article", "price", "note"],
    }
    for part in (line, {"anyOf": [line, {"type": "null"}]}):
        record = cited(
            "bolts; nuts 3",
            {"t": [{"article": "bolts"}, {"article": "nuts", "price": 3}]},
            t_0_article="bolts",
            t_1_article="nuts",
            t_1_price="3",
        )
        kept = made(record, member({"type": "array", "items": part}))
        assert [item["price"] for item in kept.record["t"]] == [0, 3]
        assert kept.missing == ("/t/0/price",)
        assert kept.evidence["/t/1/price"].quote == "3"


def test_missing_moves_along_with_the_item_that_it_is_of() -> None:
    line = {"type": "object", "properties": {"a": WORD, "n": {"type": "integer"}}, "required": ["a", "n"]}
    value = {"t": [{"a": "x", "n": "many", "more": 1}, {"a": "y"}]}
    closed = member({"type": "array", "items": line | {"not": {"required": ["more"]}}})
    kept = made(Record(value), closed)
    assert kept.record == {"t": [{"a": "y", "n": 0}]}
    assert kept.missing == ("/t/0/n",)


def test_a_list_that_is_too_short_keeps_what_was_read() -> None:
    definition = member({"type": "array", "items": TEXT, "minItems": 2}, required=True)
    kept = made(cited("one", {"t": ["one"]}, t_0="one"), definition)
    assert kept.record == {"t": ["one", ""]}
    assert kept.missing == ("/t/1",)


def test_the_place_of_a_tuple_is_filled_rather_than_closed() -> None:
    definition = member({"type": "array", "prefixItems": [WORD, TEXT]}, required=True)
    kept = made(cited("one", {"t": ["much too long", "one"]}, t_1="one"), definition)
    assert kept.record == {"t": ["", "one"]}
    assert kept.missing == ("/t/0",)
    assert "/t/1" in kept.evidence


def test_a_valid_alternative_is_left_as_it_is() -> None:
    one, other = ({"type": "object", "properties": {name: TEXT}, "required": [name]} for name in "ab")
    kept = made(Record({"t": {"b": "x"}, "n": 1}), member({"oneOf": [one, other]}) | {"maxProperties": 2})
    assert kept.record["t"] == {"b": "x"}
    assert kept.missing == ()


def test_what_cannot_be_met_is_an_error_that_says_where() -> None:
    with pytest.raises(ExtractionError, match="/t"):
        made(Record({}), member({"type": "string", "not": TEXT}, required=True))
