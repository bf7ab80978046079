"""What happens in a record's modal: another schema, groups added and removed, and its confirmation."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from grammars.extraction.validate import Validator
from handlers.ask import acknowledge
from handlers.errors import guarded
from handlers.extract_example import example_of
from handlers.extract_views import (
    CHOOSE_SCHEMA,
    DRAFT_VIEW,
    TOO_LATE,
    form_of,
    reading_view,
    record_view,
)
from handlers.rich import rich_text, section, text
from handlers.schema_modal import SUBMIT_RECORD, read_form
from handlers.schema_modal_blocks import ADD_GROUP, REMOVE_GROUP
from handlers.schema_modal_errors import errors_at
from handlers.schema_modal_form import added, removed
from handlers.text import clip

if TYPE_CHECKING:
    from slack_bolt.async_app import AsyncApp
    from slack_bolt.context.ack.async_ack import AsyncAck
    from slack_sdk.web.async_client import AsyncWebClient

    from handlers.extract_services import ExtractServices
    from handlers.rich import Block
    from knowledge.drafts import Draft
    from knowledge.schemas import Schema

NOT_VALID = "The schema does not admit this record: {}"

CHANGE = {ADD_GROUP: added, REMOVE_GROUP: removed}


def join(app: AsyncApp, services: ExtractServices) -> None:
    """Listen to everything that can be pressed in a record's modal."""

    async def choose(body: dict[str, Any], client: AsyncWebClient) -> None:
        name = body["actions"][0]["selected_option"]["value"]
        draft = await services.drafts.choose(_draft_id(body["view"]), name)
        view = _late(body["view"]) if draft is None else reading_view(draft, await services.schemas())
        await client.views_update(view_id=body["view"]["id"], view=view)

    async def regroup(body: dict[str, Any], client: AsyncWebClient) -> None:
        action = body["actions"][0]
        await _regroup(services, client, body["view"], CHANGE[action["action_id"]], action["value"])

    async def close(body: dict[str, Any], client: AsyncWebClient) -> None:
        await services.drafts.drop(_draft_id(body["view"]))

    async def submit(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any]) -> None:
        await ack(**await _submit(services, view, body["user"]["id"]))

    app.action(CHOOSE_SCHEMA)(ack=acknowledge, lazy=[guarded(choose)])
    for action in CHANGE:
        app.action(action)(ack=acknowledge, lazy=[guarded(regroup)])
    for name in (SUBMIT_RECORD, DRAFT_VIEW):
        app.view_closed(name)(ack=acknowledge, lazy=[guarded(close)])
    app.view_submission(SUBMIT_RECORD)(submit)


async def _regroup(
    services: ExtractServices, client: AsyncWebClient, view: dict[str, Any], change: Any, at: str
) -> None:
    """Show the form again with a group more or less, and with what was typed so far."""
    found = await _find(services, view)
    if found is None:
        return
    draft, schema = found
    typed = read_form(form_of(draft, schema), view["state"]["values"])
    edited = await services.drafts.edit(draft, change(schema.definition, typed.record, at))
    if edited is not None:
        fresh = record_view(edited, schema, await services.schemas())
        await client.views_update(view_id=view["id"], view=fresh)


async def _submit(services: ExtractServices, view: dict[str, Any], person: str) -> dict[str, Any]:
    """Return what Slack is to do: close the modal, or show what is wrong at its fields."""
    found = await _find(services, view)
    if found is None:
        return {"response_action": "update", "view": _late(view)}
    draft, schema = found
    form = form_of(draft, schema)
    edited = read_form(form, view["state"]["values"])
    if edited.problems:
        return {"response_action": "errors", "errors": edited.problems}
    wrong = await asyncio.to_thread(Validator(schema.definition).errors, edited.record)
    if wrong:
        said, elsewhere = errors_at(form, wrong)
        return _objection(said, elsewhere, view)
    example = example_of(draft, schema.definition, edited.record) if services.learn else None
    await services.drafts.confirm(draft, edited.record, person, example)
    return {}


def _objection(said: dict[str, str], elsewhere: list[str], view: dict[str, Any]) -> dict[str, Any]:
    """Return the errors at their inputs; what is about none is said at the first one, or in its place."""
    first = next((block["block_id"] for block in view["blocks"] if block["type"] == "input"), None)
    if elsewhere and first is not None:
        said.setdefault(first, clip(NOT_VALID.format(elsewhere[0]), 300))
    if said:
        return {"response_action": "errors", "errors": said}
    return {"response_action": "update", "view": _said(view, NOT_VALID.format(elsewhere[0]))}


async def _find(services: ExtractServices, view: dict[str, Any]) -> tuple[Draft, Schema] | None:
    """Return the draft that a view shows and its schema; None where the view is not its newest."""
    shown = json.loads(view["private_metadata"])
    draft = await services.drafts.find(UUID(shown["draft"]))
    if draft is None or draft.state != "ready" or draft.revision != shown["revision"]:
        return None
    assert draft.schema_name is not None
    return draft, await services.find_schema(draft.schema_name, draft.schema_version)


def _draft_id(view: dict[str, Any]) -> UUID:
    return UUID(json.loads(view["private_metadata"])["draft"])


def _late(view: dict[str, Any]) -> Block:
    return _said(view, TOO_LATE)


def _said(view: dict[str, Any], sentence: str) -> Block:
    """Return a modal that says one sentence, in the place of another."""
    blocks = [rich_text(section(text(sentence)))]
    return {"type": "modal", "title": view["title"], "external_id": view["external_id"], "blocks": blocks}
