"""The modals that add, edit and remove a source, and what was entered into them. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from handlers.rich import rich_text, section, text
from knowledge.audience import EVERYONE, GUESTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from handlers.rich import Block
    from knowledge.sources import Source

ADD_VIEW, EDIT_VIEW, REMOVE_VIEW = "kb_add_view", "kb_edit_view", "kb_remove_view"
VALUE = "value"  # the action id of every input

ADD_TITLE, EDIT_TITLE, REMOVE_TITLE = "Add a source", "Edit a source", "Remove a source"
ADD, SAVE, REMOVE, CANCEL = "Add", "Save", "Remove", "Cancel"
SURE = "Its documents and passages are forgotten at once, and answers that quote them say so. Its files stay."
AUDIENCES = {EVERYONE: "Every member of the workspace", GUESTS: "Its guests"}
NOBODY = "Choose at least one channel, group or person, or let everyone read it."
NO_LINK = "This must begin with https:// or http://."

URI, NAME, INCLUDE, EXCLUDE, LINK, SCHEDULE = "uri", "name", "include", "exclude", "link_base", "schedule"
AUDIENCE, CHANNELS, GROUPS, PEOPLE = "audience", "channels", "groups", "people"
MOST_OPTIONS = 100


def add_view(groups: Sequence[Mapping[str, Any]]) -> Block:
    """Return the form for a new source; `groups` are the workspace's user groups."""
    address = {
        "type": "plain_text_input",
        "action_id": VALUE,
        "placeholder": plain("https://docs.example.com"),
    }
    blocks = [
        field(URI, "Where the documents are", address, hint="A website, git+https://…, s3://… and so on")
    ]
    return view(ADD_VIEW, ADD_TITLE, ADD, [*blocks, *_fields(None, groups)])


def edit_view(source: Source, groups: Sequence[Mapping[str, Any]]) -> Block:
    """Return the form that changes a source."""
    opening = rich_text(section(text(source.uri, code=True)))
    return view(EDIT_VIEW, EDIT_TITLE, SAVE, [opening, *_fields(source, groups)], source.name)


def remove_view(source: Source) -> Block:
    """Return the question whether a source shall be removed."""
    asked = rich_text(section(text("Remove "), text(source.name, bold=True), text("? "), text(SURE)))
    return view(REMOVE_VIEW, REMOVE_TITLE, REMOVE, [asked], source.name)


def view(callback: str, title: str, submit: str, blocks: list[Block], metadata: str = "") -> Block:
    """Return a modal."""
    return {
        "type": "modal",
        "callback_id": callback,
        "title": plain(title),
        "submit": plain(submit),
        "close": plain(CANCEL),
        "private_metadata": metadata,
        "blocks": blocks,
    }


def _fields(source: Source | None, groups: Sequence[Mapping[str, Any]]) -> list[Block]:
    def line(initial: str | None, example: str, *, lines: bool = False) -> Block:
        element = {"type": "plain_text_input", "action_id": VALUE, "multiline": lines}
        return element | {"placeholder": plain(example)} | ({"initial_value": initial} if initial else {})

    of: dict[str, Any] = asdict(source) if source else {}
    include, exclude = "\n".join(of.get("include", [])), "\n".join(of.get("exclude", []))
    return [
        field(NAME, "Name", line(of.get("name"), "handbook"), optional=not of),
        *_audience_fields(of.get("audience"), groups),
        field(SCHEDULE, "When to look again", line(of.get("schedule"), "15m, 6h, 1d, 0 3 * * *, never")),
        field(LINK, "Where a person opens them", line(of.get("link_base"), "https://wiki.example.com")),
        field(INCLUDE, "Only these files", line(include, "guides/**/*.md", lines=True), hint="A glob a line"),
        field(EXCLUDE, "Not these files", line(exclude, "drafts/**", lines=True), hint="A glob a line"),
    ]


def _audience_fields(audience: Sequence[str] | None, groups: Sequence[Mapping[str, Any]]) -> list[Block]:
    names = [EVERYONE] if audience is None else audience
    choices = {value: option(value, words) for value, words in AUDIENCES.items()}
    boxes = {"type": "checkboxes", "options": list(choices.values())}
    boxes |= _initial("initial_options", [choices[name] for name in AUDIENCES if name in names])
    channels = {"type": "multi_conversations_select", "filter": {"include": ["public", "private"]}}
    channels |= _initial("initial_conversations", [name for name in names if name[0] in "CG"])
    people = {"type": "multi_users_select"} | _initial("initial_users", [n for n in names if n[0] in "UW"])
    blocks = [
        field(AUDIENCE, "Who may read it", boxes),
        field(CHANNELS, "And whoever is in these channels", channels),
        field(PEOPLE, "These people", people),
    ]
    if groups:
        blocks.insert(2, field(GROUPS, "These user groups", _group_select(groups, names)))
    return blocks


def _group_select(groups: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Block:
    options = [option(group["id"], f"@{group['handle']}") for group in groups[:MOST_OPTIONS]]
    chosen = [one for one in options if one["value"] in names]
    return {"type": "multi_static_select", "options": options} | _initial("initial_options", chosen)


def _initial(name: str, values: list[Any]) -> Block:
    return {name: values} if values else {}


def field(block: str, label: str, element: Block, *, hint: str = "", optional: bool | None = None) -> Block:
    """Return an input; all but the address are optional unless said otherwise."""
    shown: Block = {
        "type": "input",
        "block_id": block,
        "label": plain(label),
        "element": {"action_id": VALUE} | element,
    }
    shown["optional"] = block != URI if optional is None else optional
    return shown | ({"hint": plain(hint)} if hint else {})


def option(value: str, words: str) -> Block:
    """Return a choice."""
    return {"text": plain(words), "value": value}


def plain(words: str) -> Block:
    """Return a plain text object."""
    return {"type": "plain_text", "text": words}


def entered(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the fields of a source that a form says, and what is wrong with them, by block id."""
    given = {block: _value(elements.get(VALUE) or {}) for block, elements in values.items()}
    fields: dict[str, Any] = {
        "include": str(given.get(INCLUDE) or "").split("\n"),
        "exclude": str(given.get(EXCLUDE) or "").split("\n"),
        "link_base": (given.get(LINK) or "").strip() or None,
        "audience": _audience(given),
    }
    for globs in ("include", "exclude"):
        fields[globs] = [glob.strip() for glob in fields[globs] if glob.strip()]
    for name in (NAME, SCHEDULE):
        if words := (given.get(name) or "").strip():
            fields[name] = words
    problems = {}
    if fields["audience"] == []:
        problems[AUDIENCE] = NOBODY
    if fields["link_base"] and not fields["link_base"].startswith(("https://", "http://")):
        problems[LINK] = NO_LINK
    return fields, problems


def address(values: Mapping[str, Any]) -> str:
    """Return the address that was entered."""
    return (_value(values[URI][VALUE]) or "").strip()


def _value(state: Mapping[str, Any]) -> Any:
    found = next((value for key, value in state.items() if key != "type"), None)
    if isinstance(found, dict):
        return found["value"]
    return (
        [one["value"] if isinstance(one, dict) else one for one in found]
        if isinstance(found, list)
        else found
    )


def _audience(given: Mapping[str, Any]) -> list[str] | None:
    """Return the names that were chosen; the workspace's members alone are the default."""
    names = [name for block in (AUDIENCE, CHANNELS, GROUPS, PEOPLE) for name in given.get(block) or []]
    return None if names == [EVERYONE] else names
