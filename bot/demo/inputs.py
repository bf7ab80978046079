"""What a person entered into a Block Kit element, in the form in which Slack hands it to an app."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from bot.demo.workspace import Json

REQUIRED = "Please complete this required field."
TOO_SHORT = "Please enter at least {} characters."
TOO_LONG = "Please enter at most {} characters."
NOT_A_NUMBER = "Please enter a number."
NOT_WHOLE = "Please enter a whole number."
TOO_SMALL = "Please enter a number of at least {}."
TOO_LARGE = "Please enter a number of at most {}."

Fill = Callable[[Json, Any], Json]


def _options(element: Json) -> Iterator[Json]:
    yield from element.get("options", [])
    for group in element.get("option_groups", []):
        yield from group["options"]


def _chosen(element: Json, value: Any) -> Json:
    return {"selected_option": next((one for one in _options(element) if one["value"] == value), None)}


def _all_chosen(element: Json, value: Any) -> Json:
    return {"selected_options": [one for one in _options(element) if one["value"] in (value or [])]}


def _pressed(element: Json, _value: Any) -> Json:
    return {key: element[key] for key in ("value", "text") if key in element}


def _feedback(element: Json, value: Any) -> Json:
    button = next(
        one for one in (element["positive_button"], element["negative_button"]) if one["value"] == value
    )
    return {"value": button["value"], "text": button["text"]}


def _as(key: str) -> Fill:
    return lambda _element, value: {key: value if value not in ("", []) else None}


def _as_list(key: str) -> Fill:
    return lambda _element, value: {key: value or []}


FILL: dict[str, Fill] = {
    "button": _pressed,
    "icon_button": _pressed,
    "workflow_button": _pressed,
    "feedback_buttons": _feedback,
    "static_select": _chosen,
    "external_select": _chosen,
    "radio_buttons": _chosen,
    "overflow": _chosen,
    "multi_static_select": _all_chosen,
    "checkboxes": _all_chosen,
    "users_select": _as("selected_user"),
    "channels_select": _as("selected_channel"),
    "conversations_select": _as("selected_conversation"),
    "multi_users_select": _as_list("selected_users"),
    "multi_channels_select": _as_list("selected_channels"),
    "multi_conversations_select": _as_list("selected_conversations"),
    "datepicker": _as("selected_date"),
    "timepicker": _as("selected_time"),
    "datetimepicker": _as("selected_date_time"),
    "plain_text_input": _as("value"),
    "number_input": _as("value"),
    "email_text_input": _as("value"),
    "url_text_input": _as("value"),
    "rich_text_input": _as("rich_text_value"),
    "file_input": _as_list("files"),
}

STATELESS = {"button", "icon_button", "workflow_button", "feedback_buttons", "overflow"}


def elements(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Yield each interactive element with the block that holds it."""
    for block in blocks:
        inside = block.get("elements", []) if block["type"] in {"actions", "context_actions"} else []
        for element in (*inside, block.get("accessory"), block.get("element")):
            if element and element["type"] in FILL:
                yield block, element


def state(element: Json, value: Any) -> Json:
    """Return the state of an element that holds a plain value.

    Args:
        element: The element as the app sent it.
        value: Text for inputs; an option's value (or a list of them) for selects; an id (or a list) for
            people and channels; `YYYY-MM-DD` for dates; the value of the button pressed for feedback buttons;
            file objects for files.
    """
    return {"type": element["type"], **FILL[element["type"]](element, value)}


def action(block: Json, element: Json, value: Any) -> Json:
    """Return one row of `actions` of a block_actions payload."""
    place = {"action_id": element["action_id"], "block_id": block["block_id"]}
    return place | state(element, value) | {"action_ts": f"{time.time():.6f}"}


def initial_values(blocks: list[Json]) -> dict[str, dict[str, Json]]:
    """Return the `state.values` of blocks nobody has touched yet."""
    values: dict[str, dict[str, Json]] = {}
    for block, element in elements(blocks):
        if element["type"] not in STATELESS:
            filled = state(element, _initial(element))
            values.setdefault(block["block_id"], {})[element["action_id"]] = filled
    return values


def _initial(element: Json) -> Any:
    found = next((value for key, value in element.items() if key.startswith("initial_")), None)
    if isinstance(found, dict) and "value" in found:
        return found["value"]
    if isinstance(found, list):
        return [one["value"] if isinstance(one, dict) else one for one in found]
    return found


def problems(blocks: list[Json], values: Json) -> dict[str, str]:
    """Return what Slack's own client objects to before it submits, by block_id."""
    found = {}
    for block in blocks:
        if block["type"] == "input":
            filled = values.get(block["block_id"], {}).get(block["element"]["action_id"], {})
            content = next((value for key, value in filled.items() if key != "type"), None)
            problem = _problem(block, content)
            if problem:
                found[block["block_id"]] = problem
    return found


def _problem(block: Json, content: Any) -> str | None:
    element = block["element"]
    if not content:
        return None if block.get("optional") else REQUIRED
    if element["type"] == "number_input":
        return _number_problem(element, content)
    if isinstance(content, str):
        if len(content) < element.get("min_length", 0):
            return TOO_SHORT.format(element["min_length"])
        if len(content) > element.get("max_length", 3000):
            return TOO_LONG.format(element.get("max_length", 3000))
    return None


def _number_problem(element: Json, content: str) -> str | None:
    try:
        number = float(content)
    except ValueError:
        return NOT_A_NUMBER
    if not element["is_decimal_allowed"] and number != int(number):
        return NOT_WHOLE
    if number < float(element.get("min_value", number)):
        return TOO_SMALL.format(element["min_value"])
    if number > float(element.get("max_value", number)):
        return TOO_LARGE.format(element["max_value"])
    return None
