from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from grammars.extraction.dates import find_dates
from grammars.extraction.moments import find_moments
from grammars.extraction.numbers import find_numbers
from grammars.extraction.question import leaf_question
from grammars.extraction.typed import find, shapes_of

DAY = date(2026, 3, 9)  # a Monday


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("on 3 March 2026 and March 4th, 2026", ["2026-03-03", "2026-03-04"]),
        ("2026-03-05, 6/3/2026, 07.03.26", ["2026-03-05", "2026-03-06", "2026-03-07"]),
        ("03/25/2026 then 03/04/2026", ["2026-03-25", "2026-03-04"]),
        ("on the 5th of May", ["2026-05-05"]),
        ("yesterday, next Friday, last Monday", ["2026-03-08", "2026-03-13", "2026-03-02"]),
        ("Sent: 11 May 2026. It starts tomorrow.", ["2026-05-11", "2026-05-12"]),
        ("30 February 2026 never comes", []),
        ("from 15.4 to 16.2, then Ubuntu 22.04", []),
        ("by 15.4, am 16.4. um acht, until 17.4", ["2026-04-15", "2026-04-16", "2026-04-17"]),
        ("Saturday 5 December, not Saturday the 6th of December", ["2026-12-05", "2025-12-06"]),
        ("tmrw", ["2026-03-10"]),
        ("version 1.2.3 at 14:30 on 10.0.0.5", []),
    ],
)
def test_dates_become_iso(text: str, days: list[str]) -> None:
    assert [found.value.isoformat() for found in find_dates(text, DAY)] == days


@pytest.mark.parametrize(
    ("text", "moments"),
    [
        ("down since 14:05 UTC on 3 March 2026", ["2026-03-03T14:05:00Z"]),
        ("Began 11 March 2026, 09:42 UTC.", ["2026-03-11T09:42:00Z"]),
        ("2026-06-13 20:00 to 23:00", ["2026-06-13T20:00:00Z", "2026-06-13T23:00:00Z"]),
        ("down since 14:05, back at 2:30 pm CET", ["2026-03-09T14:05:00Z", "2026-03-09T14:30:00+01:00"]),
        ("at noon on 3 May 2026", ["2026-05-03T12:00:00Z"]),
        ("on 3 May 2026, in release 4.12.1", ["2026-05-03T00:00:00Z"]),
        ("at 25:99, at 12:61", []),
        ("2026-03-09T14:05:00+02:00", ["2026-03-09T14:05:00+02:00"]),
        ("2026-03-09T14:05-0500 and no more", ["2026-03-09T14:05:00-05:00"]),
        ("9 Mar 2026 14:05:00 -0500", ["2026-03-09T14:05:00-05:00"]),
        ("Started 2026-03-09T14:05:00.123Z.", ["2026-03-09T14:05:00.123Z"]),
        ("2026-03-09 14:05:00,123 ERROR", ["2026-03-09T14:05:00.123Z"]),
        ("2026-03-09T14:05:00.5+05:30", ["2026-03-09T14:05:00.5+05:30"]),
        ("14:05 UTC+2 on 3 May 2026", ["2026-05-03T14:05:00+02:00"]),
        ("14:05 JST today", []),
        ("down since 14:05 AEST", []),
        ("9 March 2026 from 09:00 to 12:00, not 13:00-14:00", ["09:00", "12:00", "13:00"]),
    ],
)
def test_moments_are_dates_with_the_time_beside_them(text: str, moments: list[str]) -> None:
    times = [moment if "T" in moment else f"2026-03-09T{moment}:00Z" for moment in moments]
    assert [moment.value for moment in find_moments(text, DAY)] == times


def test_a_weekday_may_lie_behind_as_well() -> None:
    (found,) = find_dates("it was seen on Wednesday", DAY)
    assert (found.value, found.before) == (date(2026, 3, 11), date(2026, 3, 4))
    assert [found.before for found in find_dates("last Friday, next Friday, Monday", DAY)] == [None] * 3
    behind = [moment.before for moment in find_moments("down since Friday 14:05", DAY)]
    assert behind == [False, True]


def test_a_text_of_nothing_but_moments_is_read_in_bounded_time() -> None:
    assert len(find_moments("1 May 2026 1:11 " * 6_000, DAY)) <= 1_000


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("£1,129.00 was paid", "1129.00", "GBP"),
        ("1.234,50 EUR", "1234.50", "EUR"),
        ("twenty-one people", "21", "people"),
        ("two hundred and five users", "205", "user"),
        ("some 12k rows", "12000", "row"),
        ("45% of it", "45", "%"),
        ("it stays at -20 °C", "-20", ""),
        ("half a dozen eggs", "6", "egg"),
        ("cost was $1.5M", "1500000", "USD"),
        ("a budget of €3 mn", "3000000", "EUR"),
        ("1.5m EUR", "1500000", "EUR"),
        ("3M users", "3000000", "user"),
        ("2m of cable", "2", "m"),
        ("it takes half an hour", "0.5", "hour"),
        ("set aside an hour", "1", "hour"),
        ("one and a half hours", "1.5", "hour"),
        ("1.250 EUR a month", "1250", "EUR"),
        ("1.250 km", "1.250", "km"),
        ("$1.250 a litre", "1.250", "USD"),
        ("0.125 EUR each", "0.125", "EUR"),
        ("a balance of -$5", "-5", "USD"),
    ],
)
def test_numbers_are_read_with_their_unit(text: str, value: str, unit: str) -> None:
    (found,) = find_numbers(text)
    assert (found.value, found.unit) == (Decimal(value), unit)


def test_figures_inside_codes_and_addresses_are_no_numbers() -> None:
    assert find_numbers("CC-410, v1.2.3, 10.0.0.5, INC4711") == []


@pytest.mark.parametrize(
    ("text", "figure"), [("about £1,200 a year", "1,200"), ("it was -5 degrees", "-5"), ("$1.5M", "1.5M")]
)
def test_offsets_are_those_of_the_figure(text: str, figure: str) -> None:
    (found,) = find_numbers(text)
    assert text[found.start : found.end] == figure


def test_a_figure_that_no_number_holds_is_none() -> None:
    assert find_numbers("1" * 400 + ".5 EUR") == []


@pytest.mark.parametrize(
    ("text", "day"), [("yesterday", date.min), ("last Monday", date.min), ("tomorrow", date.max)]
)
def test_a_day_beyond_the_calendar_is_none(text: str, day: date) -> None:
    assert find_dates(text, day) == []


@pytest.mark.parametrize(
    ("shape", "text", "spans"),
    [
        ("email", "write to a.b+c@mail.example.org!", ["a.b+c@mail.example.org"]),
        ("uri", "see https://example.org/a?b=1.", ["https://example.org/a?b=1"]),
        ("code", "CC-410, ORION-2, #77 and 00418, not 3 of 20", ["CC-410", "ORION-2", "#77", "00418"]),
        ("version", "4.2.1 or v3.0-rc1, not 7", ["4.2.1", "v3.0-rc1"]),
        ("ipv4", "from 10.0.0.5.", ["10.0.0.5"]),
        ("file", "see photo_1.jpg and a/b.txt", ["photo_1.jpg", "a/b.txt"]),
        ("time", "at 14:30, or 2 pm", ["14:30", "2 pm"]),
    ],
)
def test_shapes_are_found(shape: str, text: str, spans: list[str]) -> None:
    assert [text[slice(*span)] for span in find(shape, text)] == spans


def test_a_leaf_says_what_shape_it_asks_for() -> None:
    assert shapes_of("contact email", "Address of the contact") == ("email",)
    assert shapes_of("x", "", "uuid") == ("uuid",)
    assert shapes_of("claimant", "Role of the person claiming") == ()


@pytest.mark.parametrize(
    ("path", "description", "question"),
    [
        (
            ("costCentre",),
            "Cost centre as written; null if not stated",
            "claim: cost centre. Cost centre as written",
        ),
        (("mileage", "rate_pence"), "", "claim: mileage: rate pence"),
        (("on",), "Day (YYYY-MM-DD), or null if unknown.", "claim: on. Day"),
    ],
)
def test_a_question_says_what_a_person_would_ask(
    path: tuple[str, ...], description: str, question: str
) -> None:
    assert leaf_question("claim", path, description) == question
