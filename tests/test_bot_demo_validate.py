"""What Slack refuses is refused here, with the block and the field named; what it takes is taken."""

from __future__ import annotations

from typing import Any

import pytest

from bot.demo import ApiError, validate


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def button(**fields: Any) -> dict[str, Any]:
    return {"type": "button", "text": plain("Go"), "action_id": "go", **fields}


def option(text: str = "One", value: str = "1", **fields: Any) -> dict[str, Any]:
    return {"text": plain(text), "value": value, **fields}


def select(**fields: Any) -> dict[str, Any]:
    return {"type": "static_select", "action_id": "s", "options": [option()], **fields}


def section(**fields: Any) -> dict[str, Any]:
    return {"type": "section", "text": mrkdwn("x"), **fields}


def problem_of(*blocks: object) -> str:
    with pytest.raises(ApiError) as caught:
        validate.message({"text": "x", "blocks": list(blocks)})
    assert caught.value.code == "invalid_blocks"
    return " ".join(caught.value.details)


WRONG = [
    (
        section(text=mrkdwn("x" * 3001)),
        "must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
    ),
    (section(text=mrkdwn("")), "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
    (section(text="x"), "/blocks/0/text/type"),
    ({"type": "section"}, "missing required field: text"),
    (section(fields=[mrkdwn("x")] * 11), "/blocks/0/fields"),
    (section(fields=[mrkdwn("x" * 2001)]), "/blocks/0/fields/0/text"),
    (section(colour="red"), "invalid additional property: colour"),
    (section(accessory={"type": "plain_text_input"}), "unsupported type: plain_text_input"),
    (section(block_id="x" * 256), "/blocks/0/block_id"),
    ({"type": "header", "text": plain("x" * 151)}, "must be less than 151 characters"),
    ({"type": "header", "text": mrkdwn("x")}, "must be one of: plain_text"),
    ({"type": "context", "elements": [mrkdwn("x")] * 11}, "between 1 and 10 items"),
    ({"type": "context", "elements": []}, "between 1 and 10 items"),
    (
        {"type": "actions", "elements": [button(action_id=str(n)) for n in range(26)]},
        "between 1 and 25 items",
    ),
    ({"type": "actions", "elements": [button(), button()]}, "`action_id` must be unique"),
    ({"type": "actions", "elements": [button(text=plain("x" * 76))]}, "must be less than 76 characters"),
    ({"type": "actions", "elements": [button(value="x" * 2001)]}, "/blocks/0/elements/0/value"),
    ({"type": "actions", "elements": [button(style="loud")]}, "primary, danger"),
    ({"type": "actions", "elements": [button(action_id="x" * 256)]}, "must be less than 256 characters"),
    ({"type": "actions", "elements": [button(confirm={"title": plain("x")})]}, "/confirm/text"),
    ({"type": "actions", "elements": [select(options=[])]}, "between 1 and 100 items"),
    (
        {"type": "actions", "elements": [select(options=[option(value=str(n)) for n in range(101)])]},
        "between 1 and 100",
    ),
    (
        {"type": "actions", "elements": [select(options=[option(value="x" * 151)])]},
        "must be less than 151 characters",
    ),
    ({"type": "actions", "elements": [select(initial_option=option("Two", "2"))]}, "must exactly match"),
    (
        {"type": "actions", "elements": [{"type": "overflow", "action_id": "o", "options": [option()] * 6}]},
        "between 1 and 5",
    ),
    ({"type": "input", "label": plain("x")}, "unsupported type: None [json-pointer:/blocks/0/element/type]"),
    ({"type": "input", "element": select()}, "/blocks/0/label"),
    ({"type": "image", "image_url": "https://x"}, "missing required field: alt_text"),
    ({"type": "markdown", "text": "x" * 12_001}, "must be less than 12001 characters"),
    ({"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]] * 101}, "between 1 and 100 items"),
    ({"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * 21]}, "between 1 and 20 items"),
    (
        {"type": "table", "rows": [[{"type": "raw_text", "text": "x" * 5001}] * 2]},
        "must be less than 10001 characters",
    ),
    ({"type": "rich_text", "elements": [{"type": "text", "text": "x"}]}, "unsupported type: text"),
    (
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": ""}]}],
        },
        "missing required field: text",
    ),
    (
        {"type": "rich_text", "elements": [{"type": "rich_text_list", "style": "dots", "elements": []}]},
        "bullet, ordered",
    ),
    ({"type": "carousel"}, "unsupported type: carousel"),
    ("text", "unsupported type: None"),
    ({"type": ["section"]}, "unsupported type: None"),
]


@pytest.mark.parametrize(("block", "sentence"), WRONG)
def test_a_wrong_block_is_named(block: Any, sentence: str) -> None:
    assert sentence in problem_of(block)


def test_every_problem_is_told_at_once() -> None:
    told = problem_of({"type": "header", "text": plain("x" * 151)}, section(text=mrkdwn("x" * 3001)))
    assert "/blocks/0/text" in told
    assert "/blocks/1/text" in told


def test_fifty_blocks_pass_and_fifty_one_do_not() -> None:
    validate.message({"text": "x", "blocks": [section()] * 50})
    assert "no more than 50 items allowed" in problem_of(*[section()] * 51)


def test_two_blocks_with_one_id() -> None:
    assert "`block_id` must be unique" in problem_of(section(block_id="a"), section(block_id="a"))


def test_formatted_text_has_a_budget_over_the_whole_message() -> None:
    half = {"type": "markdown", "text": "x" * 5_500}
    validate.message({"text": "x", "blocks": [half]})
    with pytest.raises(ApiError, match="msg_blocks_too_long"):
        validate.message({"text": "x", "blocks": [half, half]})


def test_everything_at_its_limit_passes() -> None:
    fields = [mrkdwn("x" * 2000)] * 10
    blocks = [
        section(text=mrkdwn("x" * 3000), fields=fields, accessory=button(value="x" * 2000)),
        {"type": "header", "text": plain("x" * 150)},
        {"type": "context", "elements": [mrkdwn("x")] * 10},
        {"type": "actions", "elements": [button(action_id=str(n), text=plain("x" * 75)) for n in range(25)]},
        {"type": "actions", "elements": [select(options=[option("x" * 75, f"{n:150}") for n in range(100)])]},
    ]
    validate.message({"text": "x", "blocks": blocks})


def modal(**fields: Any) -> dict[str, Any]:
    return {"type": "modal", "title": plain("Title"), "blocks": [], **fields}


INPUT = {"type": "input", "label": plain("x"), "element": {"type": "plain_text_input", "action_id": "v"}}


@pytest.mark.parametrize(
    ("view", "sentence"),
    [
        (modal(title=plain("x" * 25)), "must be less than 25 characters [json-pointer:/view/title/text]"),
        (modal(submit=plain("x" * 25)), "/view/submit"),
        (modal(private_metadata="x" * 3001), "/view/private_metadata"),
        (modal(blocks=[section()] * 101), "no more than 100 items allowed"),
        (modal(blocks=[INPUT]), "missing required field: submit"),
        (modal(blocks=[{"type": "markdown", "text": "x"}]), "unsupported type: markdown"),
        ({"type": "dialog"}, "unsupported type"),
        ("modal", "unsupported type"),
    ],
)
def test_a_wrong_view_is_named(view: Any, sentence: str) -> None:
    with pytest.raises(ApiError) as caught:
        validate.view(view)
    assert caught.value.code == "invalid_arguments"
    assert sentence in " ".join(caught.value.details)


def test_a_right_view_passes() -> None:
    validate.view(modal(blocks=[INPUT], submit=plain("Save"), private_metadata="x" * 3000))
