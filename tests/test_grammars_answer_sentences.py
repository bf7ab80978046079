from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grammars.answer.sentences import LONGEST, statements, units

_MARKUP = st.sampled_from(
    [
        "\n",
        "\n\n",
        "- ",
        "1. ",
        "# ",
        "> ",
        "| a | b |\n",
        "```\n",
        "---\n",
        ". ",
        "e.g. ",
        "! ",
        "    ",
        "。",
        "x " * 400,
    ]
)
_DOCUMENTS = st.lists(st.one_of(_MARKUP, st.text(max_size=40)), max_size=30).map("".join)


def contents(text: str) -> list[str]:
    return [text[unit.content : unit.end] for unit in units(text) if not unit.blank]


@settings(max_examples=300)
@given(_DOCUMENTS)
def test_the_units_of_any_text_are_that_text(text: str) -> None:
    found = units(text)

    assert "".join(text[unit.start : unit.end] for unit in found) == text
    assert [unit.start for unit in found[1:]] == [unit.end for unit in found[:-1]]
    assert not any(unit.blank for unit in found[:-1])


@settings(max_examples=300)
@given(_DOCUMENTS)
def test_what_can_be_quoted_says_something_and_is_not_long(text: str) -> None:
    for content in contents(text):
        assert any(character.isalnum() for character in content)
        assert content == content.strip()
        assert len(content) <= LONGEST


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It opens at nine. It closes at five.", ["It opens at nine.", "It closes at five."]),
        (
            "Ask Dr. Silva, e.g. by mail. Or Mr. B. Costa.",
            ["Ask Dr. Silva, e.g. by mail.", "Or Mr. B. Costa."],
        ),
        (
            "Use v1.2.3 of https://a.b/c.d?e=f. Then stop!",
            ["Use v1.2.3 of https://a.b/c.d?e=f.", "Then stop!"],
        ),
        ("See No. 5 on Dec. 24. Or say no. Then go.", ["See No. 5 on Dec. 24.", "Or say no.", "Then go."]),
        ('He said "Stop." Then (as ever) he left.', ['He said "Stop."', "Then (as ever) he left."]),
        ("漢字です。終わり。", ["漢字です。", "終わり。"]),
    ],
)
def test_prose_is_split_into_sentences(text: str, expected: list[str]) -> None:
    assert contents(text) == expected


def test_hard_wrapped_lines_are_one_sentence() -> None:
    text = (
        "The alert is purely informative and unless there is some other issue with\n"
        "the application, it can be skipped by whoever is on call that week. Ask if\nunsure."
    )

    assert contents(text) == [text[:-15].rstrip(), "Ask if\nunsure."]


def test_short_lines_that_could_have_been_joined_are_their_own() -> None:
    assert contents("Owner: Ana\nSeverity: high\nPager: yes") == [
        "Owner: Ana",
        "Severity: high",
        "Pager: yes",
    ]


def test_list_items_headings_rows_and_code_are_their_own_and_leave_their_markers() -> None:
    text = (
        "# Title\n\n- one\n  goes on\n- two\n1. three\n> quoted\n\n"
        "| a | b |\n|---|---|\n| c | d |\n\n```sh\nls -l\ncd ..\n```\nEnd"
    )

    assert contents(text) == [
        "Title",
        "one\n  goes on",
        "two",
        "three",
        "quoted",
        "| a | b |",
        "| c | d |",
        "ls -l",
        "cd ..",
        "End",
    ]


def test_a_sentence_too_long_is_cut_at_a_clause() -> None:
    text = "word " * 90 + "here, " + "word " * 90

    assert [content[-5:] for content in contents(text)] == ["here,", " word"]


def test_headings_and_front_matter_state_nothing() -> None:
    text = "---\ntitle: Leave\n---\n# Leave\n\n## How much\nYou have 30 days.\n\nCarry over\n----------\n"
    text += "Five stay.\n"
    assert [text[u.content : u.end] for u in statements(text)] == ["You have 30 days.", "Five stay."]
