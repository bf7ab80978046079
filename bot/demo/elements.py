"""Block Kit: the limits of each interactive element, and of the options inside."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from bot.demo.rules import (
    PLAIN,
    counted,
    items,
    kind_of,
    optional_text,
    required,
    rule,
    short,
    text_problems,
    unknown_fields,
)
from bot.demo.workspace import Json

Check = Callable[[Json, str], Iterator[str]]

MAX_OPTIONS = 100
FEW_OPTIONS = {"overflow": 5, "checkboxes": 10, "radio_buttons": 10}
MAX_INPUT = 3000
STYLES = {None, "primary", "danger"}
DATE = re.compile(r"\d{4}-\d\d-\d\d")
COMMON = {"type", "action_id", "confirm", "focus_on_load", "placeholder"}


def element_problems(element: Any, pointer: str, allowed: set[str]) -> Iterator[str]:
    """Yield what is wrong with an element that stands where only `allowed` types may."""
    kind = kind_of(element)
    if kind is None or kind not in allowed:
        yield f"unsupported type: {kind} [json-pointer:{pointer}/type]"
        return
    fields, check = ELEMENTS[kind]
    yield from unknown_fields(element, COMMON | fields, pointer)
    if "action_id" in element:
        yield from required(element, "action_id", 255, pointer)
    yield from optional_text(element, "placeholder", pointer, 150, kinds=PLAIN)
    if element.get("confirm") is not None:
        yield from _confirm(element["confirm"], f"{pointer}/confirm")
    yield from check(element, pointer)


def _confirm(confirm: Any, pointer: str) -> Iterator[str]:
    if not isinstance(confirm, dict):
        yield f"must be an object [json-pointer:{pointer}]"
        return
    yield from unknown_fields(confirm, {"title", "text", "confirm", "deny", "style"}, pointer)
    yield from text_problems(confirm.get("title"), f"{pointer}/title", 100, kinds=PLAIN)
    yield from text_problems(confirm.get("text"), f"{pointer}/text", 300)
    yield from optional_text(confirm, "confirm", pointer, 30, kinds=PLAIN)
    yield from optional_text(confirm, "deny", pointer, 30, kinds=PLAIN)


def _button(element: Json, pointer: str) -> Iterator[str]:
    yield from text_problems(element.get("text"), f"{pointer}/text", 75, kinds=PLAIN)
    yield from short(element, "value", 2000, pointer)
    yield from short(element, "url", 3000, pointer)
    yield from short(element, "accessibility_label", 75, pointer)
    yield from rule(element.get("style") in STYLES, "must be one of: primary, danger", f"{pointer}/style")


def _feedback(element: Json, pointer: str) -> Iterator[str]:
    for name in ("positive_button", "negative_button"):
        button = element.get(name)
        if not isinstance(button, dict):
            yield f"missing required field: {name} [json-pointer:{pointer}]"
            continue
        yield from text_problems(button.get("text"), f"{pointer}/{name}/text", 75, kinds=PLAIN)
        yield from required(button, "value", 2000, f"{pointer}/{name}")
        yield from short(button, "accessibility_label", 75, f"{pointer}/{name}")


def _icon_button(element: Json, pointer: str) -> Iterator[str]:
    yield from rule(element.get("icon") == "trash", "must be one of: trash", f"{pointer}/icon")
    yield from text_problems(element.get("text"), f"{pointer}/text", 75, kinds=PLAIN)
    yield from short(element, "value", 2000, pointer)


def _select(element: Json, pointer: str) -> Iterator[str]:
    if element.get("option_groups") is None:
        yield from _options(element, pointer)
        return
    yield from counted(element, "option_groups", MAX_OPTIONS, pointer)
    for group, place in items(element, "option_groups", pointer):
        if isinstance(group, dict):
            yield from text_problems(group.get("label"), f"{place}/label", 75, kinds=PLAIN)
            yield from _options(group, place)
        else:
            yield f"must be an object [json-pointer:{place}]"


def _options(element: Json, pointer: str) -> Iterator[str]:
    yield from counted(element, "options", FEW_OPTIONS.get(element.get("type", ""), MAX_OPTIONS), pointer)
    for option, place in items(element, "options", pointer):
        yield from _option(option, place)
    offered = element.get("options") or []
    for name in ("initial_option", "initial_options"):
        chosen = element.get(name) or []
        fine = all(one in offered for one in ([chosen] if isinstance(chosen, dict) else chosen))
        yield from rule(fine, "must exactly match one of the options", f"{pointer}/{name}")


def _option(option: Any, pointer: str) -> Iterator[str]:
    if not isinstance(option, dict):
        yield f"must be an object [json-pointer:{pointer}]"
        return
    yield from unknown_fields(option, {"text", "value", "description", "url"}, pointer)
    yield from text_problems(option.get("text"), f"{pointer}/text", 75)
    yield from required(option, "value", 150, pointer)
    yield from optional_text(option, "description", pointer, 75)
    yield from short(option, "url", 3000, pointer)


def _text_input(element: Json, pointer: str) -> Iterator[str]:
    yield from short(element, "initial_value", MAX_INPUT, pointer)
    for name in ("min_length", "max_length"):
        length = element.get(name, 1)
        fine = isinstance(length, int) and 0 <= length <= MAX_INPUT
        yield from rule(fine, f"must be between 0 and {MAX_INPUT}", f"{pointer}/{name}")


def _number_input(element: Json, pointer: str) -> Iterator[str]:
    fine = isinstance(element.get("is_decimal_allowed"), bool)
    yield from rule(fine, "missing required field: is_decimal_allowed", pointer)
    for name in ("initial_value", "min_value", "max_value"):
        yield from rule(isinstance(element.get(name, ""), str), "must be a string", f"{pointer}/{name}")


def _date(element: Json, pointer: str) -> Iterator[str]:
    fine = DATE.fullmatch(str(element.get("initial_date", "2000-01-01"))) is not None
    yield from rule(fine, "must be a date in the format YYYY-MM-DD", f"{pointer}/initial_date")


def _image(element: Json, pointer: str) -> Iterator[str]:
    yield from required(element, "image_url", 3000, pointer)
    yield from required(element, "alt_text", 2000, pointer)


def _nothing(_element: Json, _pointer: str) -> Iterator[str]:
    yield from ()


TEXT_FIELDS = {"initial_value", "min_length", "max_length", "multiline", "dispatch_action_config"}
SELECT_FIELDS = {"initial_option", "initial_options", "options", "option_groups", "max_selected_items"}
ID_FIELDS = {
    *(f"initial_{kind}{plural}" for kind in ("user", "channel", "conversation") for plural in ("", "s")),
    *("default_to_current_conversation", "filter", "response_url_enabled", "max_selected_items"),
    *("min_query_length", "initial_option", "initial_options"),
}

ELEMENTS: dict[str, tuple[set[str], Check]] = {
    "button": ({"text", "value", "url", "style", "accessibility_label"}, _button),
    "workflow_button": ({"text", "workflow", "style", "accessibility_label"}, _nothing),
    "icon_button": ({"icon", "text", "value", "accessibility_label", "visible_to_user_ids"}, _icon_button),
    "feedback_buttons": ({"positive_button", "negative_button"}, _feedback),
    "overflow": ({"options"}, _options),
    "checkboxes": ({"options", "initial_options"}, _options),
    "radio_buttons": ({"options", "initial_option"}, _options),
    "static_select": (SELECT_FIELDS, _select),
    "multi_static_select": (SELECT_FIELDS, _select),
    "plain_text_input": (TEXT_FIELDS, _text_input),
    "email_text_input": (TEXT_FIELDS, _text_input),
    "url_text_input": (TEXT_FIELDS, _text_input),
    "number_input": (TEXT_FIELDS | {"is_decimal_allowed", "min_value", "max_value"}, _number_input),
    "rich_text_input": (TEXT_FIELDS, _nothing),
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
