"""Block Kit: the limits of each element and of the texts and options inside."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from bot.demo.workspace import Json

PLAIN = ("plain_text",)
TEXT_FIELDS = {"plain_text": {"type", "text", "emoji"}, "mrkdwn": {"type", "text", "verbatim"}}
MAX_OPTIONS = 100
FEW_OPTIONS = {"overflow": 5, "checkboxes": 10, "radio_buttons": 10}
STYLES = {None, "primary", "danger"}
COMMON = {"type", "action_id", "confirm", "focus_on_load", "placeholder"}

SELECT_FIELDS = {"initial_option", "initial_options", "options", "option_groups", "max_selected_items"}
ID_FIELDS = {
    "initial_user", "initial_users", "initial_channel", "initial_channels", "initial_conversation",
    "initial_conversations", "default_to_current_conversation", "filter", "response_url_enabled",
    "max_selected_items", "min_query_length", "initial_option", "initial_options",
}  # fmt: skip


def rule(fine: bool, sentence: str, pointer: str) -> Iterator[str]:
    """Yield the sentence with its pointer where something is not fine."""
    if not fine:
        yield f"{sentence} [json-pointer:{pointer}]"


def unknown_fields(thing: Json, known: set[str], pointer: str) -> Iterator[str]:
    """Yield a problem for each field that Slack does not know."""
    for name in thing.keys() - known:
        yield f"invalid additional property: {name} [json-pointer:{pointer}]"


def text_problems(
    text: Any, pointer: str, limit: int, *, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")
) -> Iterator[str]:
    """Yield what is wrong with a text object of at most `limit` characters."""
    if not isinstance(text, dict):
        yield f"missing required field [json-pointer:{pointer}]"
        return
    kind, content = text.get("type"), text.get("text")
    if kind not in kinds:
        yield f"must be one of: {', '.join(kinds)} [json-pointer:{pointer}/type]"
        return
    yield from unknown_fields(text, TEXT_FIELDS[str(kind)], pointer)
    if not isinstance(content, str) or not content:
        yield f"must be more than 0 characters [json-pointer:{pointer}/text]"
    elif len(content) > limit:
        yield f"must be less than {limit + 1} characters [json-pointer:{pointer}/text]"


def element_problems(element: Any, pointer: str, allowed: set[str]) -> Iterator[str]:
    """Yield what is wrong with an element that stands where only `allowed` types may."""
    kind = element.get("type") if isinstance(element, dict) else None
    if kind not in allowed:
        yield f"unsupported type: {kind} [json-pointer:{pointer}/type]"
        return
    fields, check = ELEMENTS[kind]
    yield from unknown_fields(element, COMMON | fields, pointer)
    action = element.get("action_id", "unset")
    yield from rule(
        isinstance(action, str) and 0 < len(action) <= 255,
        "must be less than 256 characters",
        f"{pointer}/action_id",
    )
    if element.get("placeholder") is not None:
        yield from text_problems(element["placeholder"], f"{pointer}/placeholder", 150, kinds=PLAIN)
    if element.get("confirm") is not None:
        yield from _confirm(element["confirm"], f"{pointer}/confirm")
    yield from check(element, pointer)


def _short(thing: Json, name: str, limit: int, pointer: str) -> Iterator[str]:
    value = thing.get(name)
    fine = value is None or (isinstance(value, str) and len(value) <= limit)
    yield from rule(fine, f"must be less than {limit + 1} characters", f"{pointer}/{name}")


def _confirm(confirm: Any, pointer: str) -> Iterator[str]:
    if not isinstance(confirm, dict):
        yield f"must be an object [json-pointer:{pointer}]"
        return
    yield from text_problems(confirm.get("title"), f"{pointer}/title", 100, kinds=PLAIN)
    yield from text_problems(confirm.get("text"), f"{pointer}/text", 300)
    for name in ("confirm", "deny"):
        if confirm.get(name) is not None:
            yield from text_problems(confirm[name], f"{pointer}/{name}", 30, kinds=PLAIN)


def _button(element: Json, pointer: str) -> Iterator[str]:
    yield from text_problems(element.get("text"), f"{pointer}/text", 75, kinds=PLAIN)
    yield from _short(element, "value", 2000, pointer)
    yield from _short(element, "url", 3000, pointer)
    yield from rule(element.get("style") in STYLES, "must be one of: primary, danger", f"{pointer}/style")


def _feedback(element: Json, pointer: str) -> Iterator[str]:
    for name in ("positive_button", "negative_button"):
        button = element.get(name)
        if not isinstance(button, dict):
            yield f"missing required field: {name} [json-pointer:{pointer}]"
            continue
        yield from text_problems(button.get("text"), f"{pointer}/{name}/text", 75, kinds=PLAIN)
        yield from rule(
            isinstance(button.get("value"), str), "missing required field: value", f"{pointer}/{name}"
        )
        yield from _short(button, "value", 2000, f"{pointer}/{name}")


def _select(element: Json, pointer: str) -> Iterator[str]:
    groups = element.get("option_groups")
    if groups is None:
        yield from _options(element, pointer)
        return
    fine = isinstance(groups, list) and 0 < len(groups) <= MAX_OPTIONS
    yield from rule(fine, f"must have between 1 and {MAX_OPTIONS} items", f"{pointer}/option_groups")
    for index, group in enumerate(groups if isinstance(groups, list) else []):
        yield from text_problems(
            group.get("label"), f"{pointer}/option_groups/{index}/label", 75, kinds=PLAIN
        )
        yield from _options(group, f"{pointer}/option_groups/{index}")


def _options(element: Json, pointer: str) -> Iterator[str]:
    options, limit = element.get("options"), FEW_OPTIONS.get(element.get("type", ""), MAX_OPTIONS)
    if not isinstance(options, list) or not 0 < len(options) <= limit:
        yield f"must have between 1 and {limit} items [json-pointer:{pointer}/options]"
        return
    for index, option in enumerate(options):
        yield from _option(option, f"{pointer}/options/{index}")
    chosen = [element.get("initial_option"), *(element.get("initial_options") or [])]
    for option in chosen:
        yield from rule(
            option is None or option in options,
            "must exactly match one of the options",
            f"{pointer}/initial_option",
        )


def _option(option: Any, pointer: str) -> Iterator[str]:
    if not isinstance(option, dict):
        yield f"must be an object [json-pointer:{pointer}]"
        return
    yield from text_problems(option.get("text"), f"{pointer}/text", 75)
    yield from rule(isinstance(option.get("value"), str), "missing required field: value", pointer)
    yield from _short(option, "value", 150, pointer)
    if option.get("description") is not None:
        yield from text_problems(option["description"], f"{pointer}/description", 75)


def _text_input(element: Json, pointer: str) -> Iterator[str]:
    yield from _short(element, "initial_value", 3000, pointer)
    for name in ("min_length", "max_length"):
        fine = isinstance(element.get(name, 1), int) and 0 <= element.get(name, 1) <= 3000
        yield from rule(fine, "must be between 0 and 3000", f"{pointer}/{name}")


def _number_input(element: Json, pointer: str) -> Iterator[str]:
    fine = isinstance(element.get("is_decimal_allowed"), bool)
    yield from rule(fine, "missing required field: is_decimal_allowed", pointer)
    for name in ("initial_value", "min_value", "max_value"):
        yield from rule(isinstance(element.get(name, ""), str), "must be a string", f"{pointer}/{name}")


def _date(element: Json, pointer: str) -> Iterator[str]:
    date = element.get("initial_date")
    fine = date is None or (isinstance(date, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", date) is not None)
    yield from rule(fine, "must be a date in the format YYYY-MM-DD", f"{pointer}/initial_date")


def _image(element: Json, pointer: str) -> Iterator[str]:
    yield from rule(isinstance(element.get("image_url"), str), "missing required field: image_url", pointer)
    yield from rule(isinstance(element.get("alt_text"), str), "missing required field: alt_text", pointer)
    yield from _short(element, "image_url", 3000, pointer)


def _nothing(_element: Json, _pointer: str) -> Iterator[str]:
    yield from ()


Check = Callable[[Json, str], Iterator[str]]

TEXT_INPUT = {"initial_value", "min_length", "max_length", "multiline", "dispatch_action_config"}

ELEMENTS: dict[str, tuple[set[str], Check]] = {
    "button": ({"text", "value", "url", "style", "accessibility_label"}, _button),
    "workflow_button": ({"text", "workflow", "style", "accessibility_label"}, _button),
    "icon_button": ({"icon", "text", "value", "accessibility_label", "visible_to_user_ids"}, _nothing),
    "feedback_buttons": ({"positive_button", "negative_button"}, _feedback),
    "overflow": ({"options"}, _options),
    "checkboxes": ({"options", "initial_options"}, _options),
    "radio_buttons": ({"options", "initial_option"}, _options),
    "static_select": (SELECT_FIELDS, _select),
    "multi_static_select": (SELECT_FIELDS, _select),
    "plain_text_input": (TEXT_INPUT, _text_input),
    "email_text_input": (TEXT_INPUT, _text_input),
    "url_text_input": (TEXT_INPUT, _text_input),
    "number_input": (TEXT_INPUT | {"is_decimal_allowed", "min_value", "max_value"}, _number_input),
    "rich_text_input": (TEXT_INPUT, _nothing),
    "file_input": ({"filetypes", "max_files"}, _nothing),
    "datepicker": ({"initial_date"}, _date),
    "timepicker": ({"initial_time", "timezone"}, _nothing),
    "datetimepicker": ({"initial_date_time"}, _nothing),
    "image": ({"image_url", "alt_text", "slack_file"}, _image),
    **{
        f"{prefix}{kind}_select": (ID_FIELDS, _nothing)
        for prefix in ("", "multi_")
        for kind in ("users", "channels", "conversations", "external")
    },
}
