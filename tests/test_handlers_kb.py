"""What is typed after `/kb`, which addresses Slack may add, and forms that come back as they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.demo import validate
from handlers.kb import read_diff, read_reindex
from handlers.kb_modal import VALUE, add_view, edit_view, entered
from handlers.kb_origin import origin_problem
from handlers.kb_pages import bar, changes_page, paged, schedule, sources_page
from handlers.kb_search import read_search
from knowledge.changes import Change, Changes
from knowledge.sources import Source

FOLDERS = (Path("/srv/docs"),)
GROUPS = [{"id": "S1", "handle": "oncall"}, {"id": "S2", "handle": "leads"}]


def source(**fields: Any) -> Source:
    given = {"id": 1, "name": "wiki", "uri": "https://wiki", "include": [], "exclude": [], "link_base": None}
    given |= {"audience": None, "schedule": "1h", "options": {}, "revision": None}
    return Source(**(given | fields))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", ("", False)),
        ("full", ("", True)),
        ("my wiki full", ("my wiki", True)),
        ("my wiki", ("my wiki", False)),
    ],
)
def test_reindex_takes_a_name_with_blanks_and_full(words: str, expected: tuple[str, bool]) -> None:
    assert read_reindex(words) == expected


@pytest.mark.parametrize(
    ("words", "name", "span"),
    [
        ("", "", timedelta(days=1)),
        ("90m", "", timedelta(minutes=90)),
        ("my wiki 2w", "my wiki", timedelta(weeks=2)),
        ("my wiki", "my wiki", timedelta(days=1)),
    ],
)
def test_diff_takes_a_name_and_how_far_to_look_back(words: str, name: str, span: timedelta) -> None:
    assert read_diff(words) == (name, span)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("how long?", (None, "how long?")),
        ("--as <@U024BE7LH|maya> how long?", ("U024BE7LH", "how long?")),
        ("--as <#C024BE91L|ops> how long?", ("C024BE91L", "how long?")),
        ("--as U024BE7LH how long?", ("U024BE7LH", "how long?")),
        ("--as somebody how long?", (None, "")),
    ],
)
def test_search_takes_whom_to_search_as(words: str, expected: tuple[str | None, str]) -> None:
    assert read_search(words) == expected


@pytest.mark.parametrize(
    "uri",
    [
        "https://docs.example.com", "git+https://git.example.com/kb.git@main", "s3://bucket/docs",
        "/srv/docs/handbook", "file:///srv/docs/a%20b", "zip://::https://example.com/a.zip",
        "zip://::file:///srv/docs/a.zip",
    ],
)  # fmt: skip
def test_what_lies_elsewhere_or_in_a_named_folder_may_be_added(uri: str) -> None:
    assert origin_problem(uri, FOLDERS) is None


@pytest.mark.parametrize(
    "uri",
    [
        "", "/etc", "etc", "~/.ssh", "/srv/docs/../../etc", "file:///etc/passwd", "FILE:///etc", "file:/etc",
        "git+file:///srv/docs", "local:///etc", "memory://x", "zip://::file:///etc/a.zip", "zip://", "dir://::/etc",
        "simplecache::file:///etc", "https://x::file:///srv/docs", "slack-export:///etc/export", "ssh://localhost/etc",
    ],
)  # fmt: skip
def test_what_reaches_into_the_bots_own_machine_may_not(uri: str) -> None:
    assert origin_problem(uri, FOLDERS)


def state(view: dict[str, Any]) -> dict[str, Any]:
    """Return what Slack sends for a form that nobody touched."""
    values: dict[str, Any] = {}
    for block in view["blocks"]:
        if element := block.get("element"):
            initial = next((value for key, value in element.items() if key.startswith("initial_")), None)
            values[block["block_id"]] = {VALUE: {"type": element["type"], "value": initial}}
    return values


@pytest.mark.parametrize(
    "audience",
    [None, ["everyone", "guests"], ["C1", "S1", "U1"], ["everyone", "C1"], ["guests", "S2"]],
)
def test_a_form_that_nobody_touched_changes_nothing(audience: list[str] | None) -> None:
    before = source(audience=audience, include=["a/**", "b,c"], exclude=["*.txt"], link_base="https://x")
    view = edit_view(before, GROUPS)
    validate.view(view)
    fields, problems = entered(state(view))
    assert problems == {}
    for name, value in fields.items():
        assert value == getattr(before, name)


def test_the_form_for_a_new_source_is_one_that_slack_takes() -> None:
    validate.view(add_view([]))
    validate.view(add_view([{"id": f"S{n}", "handle": f"g{n}"} for n in range(150)]))


def test_an_audience_must_have_somebody_in_it() -> None:
    values = state(add_view(GROUPS))
    values["audience"][VALUE]["value"] = []
    assert "audience" in entered(values)[1]


def test_pages_hold_every_row_once() -> None:
    rows = list(range(43))
    pages = [paged("x", rows, 20, number) for number in (1, 2, 3)]
    assert [row for shown, _ in pages for row in shown] == rows
    assert [len(buttons[1]["elements"]) for _, buttons in pages] == [1, 2, 1]
    assert paged("x", rows[:20], 20, 9) == (rows[:20], [])


def test_hostile_names_and_long_lists_are_messages_that_slack_takes() -> None:
    hostile = "<!channel> & \u202e" + "x" * 5_000
    sources = [source(name=hostile, uri=hostile, include=[hostile], audience=["C1", "guests"])] * 9
    validate.message({"text": "x", "blocks": sources_page(sources, 2)})
    changes = Changes([Change("wiki", hostile, "changed", datetime.now(UTC))] * 50, 50)
    validate.message({"text": "x", "blocks": changes_page(changes, datetime.now(UTC), "", 3)})


def test_words_for_schedules_and_bars() -> None:
    assert [schedule(one) for one in ("15m", "0 3 * * *", "never")] == [
        "every 15m", "by the schedule 0 3 * * *", "only when asked",
    ]  # fmt: skip
    assert {len(bar(share)) for share in (-1.0, 0.0, 0.5, 1.0, 2.0)} == {20}
