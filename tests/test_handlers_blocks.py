"""Whatever an answer holds: messages that Slack takes, that ping nobody and link only to documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.demo import validate
from handlers.blocks import (
    HELP,
    LEAD,
    NOTHING_KNOWN,
    UNANSWERABLE,
    answer_messages,
    label,
    notice,
    private_messages,
    shared_messages,
)
from handlers.home import home_view
from handlers.message import MOST_TEXT, Message
from handlers.retrieved import retrieved_view
from handlers.rich import link, quote
from handlers.services import Known
from knowledge.answers import Answer, Citation, Retrieved

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = st.one_of(
    st.text(),
    st.sampled_from(
        ["<!channel>", "<@U123>", "<https://evil.example|docs>", "`code`", "*b* _i_ ~s~", "\x00\x1b", ""]
    ),
    st.integers(0, 9_000).map(lambda size: "long words " * (size // 10)),
)
URLS = st.one_of(
    st.none(),
    st.sampled_from(
        ["https://docs.example/a%20b.md", "javascript:alert(1)", "https://", "file:///etc/passwd"]
    ),
    st.text().map(lambda path: f"https://docs.example/{path}"),
)
CITATIONS = st.builds(
    Citation, st.integers(1, 9), HOSTILE, HOSTILE, st.text(), HOSTILE, HOSTILE, st.just(0), st.just(1), URLS
)
SCORES = st.dictionaries(st.sampled_from(["dense", "lexical", "fused"]), st.floats(allow_nan=True))
RETRIEVED = st.builds(
    Retrieved,
    st.integers(1, 9),
    HOSTILE,
    st.text(),
    HOSTILE,
    HOSTILE,
    HOSTILE,
    st.just(0),
    st.just(1),
    SCORES,
    URLS,
)
ANSWERS = st.builds(
    Answer,
    question=HOSTILE,
    answerable=st.booleans(),
    answer=st.one_of(HOSTILE, HOSTILE.map(lambda text: f"{text} [1] and [2][99999999999999999999]")),
    citations=st.lists(CITATIONS, max_size=4).map(tuple),
    retrieved=st.lists(RETRIEVED, max_size=25).map(tuple),
    model=HOSTILE,
    adapter=st.one_of(st.none(), HOSTILE),
    trace_id=st.just("t"),
    confidence=st.one_of(st.none(), st.floats(0, 1)),
    truncated=st.booleans(),
)


def a_passage(**changes: Any) -> Retrieved:
    passage = Retrieved(
        1, "docs", "file:///a.md", "Logs", "", "Kept.", 0, 5, {"dense": 0.5}, "https://docs.example/a"
    )
    return Retrieved(
        **{name: changes.get(name, getattr(passage, name)) for name in passage.__dataclass_fields__}
    )


def an_answer(**changes: Any) -> Answer:
    quoted = Citation(
        1, "Logs are kept for 30 days.", "docs", "file:///a.md", "Logs", "", 0, 26, "https://docs.example/a"
    )
    answer = Answer("How long?", True, "30 days [1]", (quoted,), (a_passage(),), "embedded", None, "t", 0.82)
    return Answer(**{name: changes.get(name, getattr(answer, name)) for name in answer.__dataclass_fields__})


def elements(thing: Any) -> Iterator[dict[str, Any]]:
    """Yield every object inside of a block."""
    if isinstance(thing, dict):
        yield thing
        thing = list(thing.values())
    if isinstance(thing, list):
        for part in thing:
            yield from elements(part)


def check(messages: list[Message], pinged: str | None = None) -> None:
    """Check what Slack checks, and that nothing pings or leads astray."""
    assert messages
    for message in messages:
        validate.message({"text": message.text, "blocks": message.blocks}, updating=True)
        assert message.text.strip()
        assert len(message.text) <= MOST_TEXT
        assert "<" not in message.text
        for element in elements(message.blocks):
            assert element.get("type") not in {"mrkdwn", "markdown", "usergroup", "channel", "broadcast"}
            if element.get("type") == "user":
                assert element["user_id"] == pinged
            if element.get("type") == "link":
                assert element["url"].startswith("https://docs.example/")
            if element.get("type") == "text":
                assert 0 < len(element["text"]) <= 3_000


@settings(max_examples=60)
@given(ANSWERS)
def test_any_answer_makes_messages_that_slack_takes(answer: Answer) -> None:
    check(answer_messages(7, answer))
    check(private_messages(7, answer))
    check(shared_messages(7, answer, "U1"), pinged="U1")


@settings(max_examples=60)
@given(ANSWERS)
def test_any_answer_makes_a_view_that_slack_takes(answer: Answer) -> None:
    validate.view(retrieved_view(answer, answer.retrieved))


@given(
    st.lists(
        st.builds(Known, st.text(), st.integers(0, 10**6), st.one_of(st.none(), st.just(1))), max_size=90
    )
)
def test_any_list_of_sources_makes_a_home_that_slack_takes(known: list[Known]) -> None:
    validate.view(home_view(known))


@given(HOSTILE)
def test_any_notice_is_a_message_that_slack_takes(sentence: str) -> None:
    if sentence.strip():
        validate.message({"text": notice(sentence)[0].text, "blocks": notice(sentence)[0].blocks})


def test_an_answer_reads_answer_first_then_quotes_then_what_was_searched() -> None:
    (message,) = answer_messages(7, an_answer())
    said, quoted, context, buttons, feedback = message.blocks
    assert said["elements"][0]["elements"] == [
        {"type": "text", "text": "30 days "},
        {"type": "link", "url": "https://docs.example/a", "text": "[1]"},
    ]
    head, block = quoted["elements"]
    assert [run["text"] for run in head["elements"]] == ["[1] ", "Logs"]
    assert block["elements"] == [{"type": "text", "text": "Logs are kept for 30 days."}]
    assert (
        context["elements"][0]["text"]
        == "Looked at 1 passage from 1 document · Model: embedded · Confidence: 82%"
    )
    assert buttons["elements"][0]["value"] == "7"
    assert feedback["type"] == "context_actions"
    assert message.text == "30 days [1]\n[1] Logs\n&gt; Logs are kept for 30 days."


def test_an_answer_that_only_quotes_does_not_say_it_twice() -> None:
    (message,) = answer_messages(7, an_answer(answer="Logs are kept\nfor 30 days. [1]"))
    assert message.text.startswith(LEAD)
    assert message.text.count("30 days") == 1


def test_a_marker_without_a_citation_stays_text() -> None:
    (message,) = answer_messages(7, an_answer(answer="30 days [4]"))
    assert message.blocks[0]["elements"][0]["elements"] == [{"type": "text", "text": "30 days [4]"}]


def test_a_long_answer_is_continued_and_the_buttons_stand_under_its_end() -> None:
    messages = answer_messages(7, an_answer(answer="All of it matters. " * 1_500 + "[1]"))
    assert len(messages) > 2
    kinds = [[block["type"] for block in message.blocks] for message in messages]
    assert ["actions" in kind for kind in kinds] == [False] * (len(messages) - 1) + [True]
    assert messages[1].text.startswith("(continued)")
    words = sum(str(message.blocks).count("matters") for message in messages)
    assert words == 1_500


def test_an_unanswerable_question_names_each_near_document_once() -> None:
    near = (a_passage(), a_passage(rank=2), a_passage(rank=3, uri="file:///b.md", title="Backups", link=None))
    (message,) = answer_messages(7, an_answer(answerable=False, answer="", citations=(), retrieved=near))
    assert message.text.startswith(UNANSWERABLE)
    assert message.text.count("•") == 2
    assert "Confidence" not in str(message.blocks)


def test_without_any_document_it_says_so() -> None:
    (message,) = answer_messages(7, an_answer(answerable=False, answer="", citations=(), retrieved=()))
    assert message.text == NOTHING_KNOWN


def test_only_an_answer_can_be_shared() -> None:
    assert "share_answer" in str(private_messages(7, an_answer())[0].blocks)
    assert "share_answer" not in str(private_messages(7, an_answer(answerable=False))[0].blocks)


def test_the_model_is_named_without_the_address_of_its_server() -> None:
    (message,) = answer_messages(7, an_answer(model="vllm:http://10.0.0.1:8000/v1#qwen"))
    assert "10.0.0.1" not in str(message.blocks)
    assert "Model: qwen" in str(message.blocks)


def test_a_title_is_not_said_twice() -> None:
    assert label("Logs", "Logs \u203a Retention") == "Logs \u203a Retention"
    assert label("Logs", "Retention") == "Logs \u203a Retention"
    assert label("", "") == "Untitled"


def test_quotes_lose_their_wraps_keep_their_code_and_tables_their_columns() -> None:
    (prose,) = quote("a line\nthat goes on with `ls *.log`")
    assert prose["elements"] == [
        {"type": "text", "text": "a line that goes on with "},
        {"type": "text", "text": "ls *.log", "style": {"code": True}},
    ]
    assert quote("steps:\n- one\n- two")[0]["elements"] == [{"type": "text", "text": "steps:\n- one\n- two"}]
    mixed = quote("## Roll back\nRun:\n\n```shell\nls *\n```\n\n| a | b |\n|---|---|\nThen **wait**.")
    assert [(one["type"], [run["text"] for run in one["elements"]]) for one in mixed] == [
        ("rich_text_quote", ["Roll back", "\nRun:"]),
        ("rich_text_preformatted", ["ls *"]),
        ("rich_text_preformatted", ["| a | b |\n|---|---|"]),
        ("rich_text_quote", ["Then ", "wait", "."]),
    ]


@pytest.mark.parametrize(
    "url", [None, "javascript:alert(1)", "file:///a", "https://", "https://a b", "http://[", "//x"]
)
def test_what_no_browser_opens_is_no_link(url: str | None) -> None:
    assert link(url, "a") == {"type": "text", "text": "a"}


def test_the_hint_is_a_message() -> None:
    assert notice(HELP)[0].text == HELP
