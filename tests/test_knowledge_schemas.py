from __future__ import annotations

import asyncio
import json
from datetime import date
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr
from quoting import QuotingEngine, WordEmbedder

from bot.config import Settings
from bot.wiring import slack_app
from grammars.extraction.check import SchemaRefused
from grammars.extraction.record import ExtractionError
from grammars.schemas import built_in
from knowledge.extraction import extract_record
from knowledge.records import find_record
from knowledge.schemas import (
    VERBS,
    SchemaUnknown,
    add_schema,
    find_schema,
    given_schema,
    list_schemas,
    load_schemas,
    remove_schema,
)

if TYPE_CHECKING:
    from pathlib import Path

    from knowledge.database import Pool

SMALL = {"title": "Note", "type": "object", "properties": {"who": {"type": ["string", "null"]}}}
WIDER = {
    **SMALL,
    "properties": {**SMALL["properties"], "when": {"type": ["string", "null"], "format": "date"}},
}
DAY = date(2026, 3, 9)


async def test_a_changed_definition_is_a_new_version_and_the_same_is_none(pool: Pool) -> None:
    assert (await add_schema(pool, "note", SMALL)).version == 1
    assert (await add_schema(pool, "note", SMALL)).version == 1
    assert (await add_schema(pool, "note", WIDER)).version == 2
    assert (await find_schema(pool, "note")).definition == WIDER
    assert (await find_schema(pool, "note", 1)).definition == SMALL


async def test_two_who_add_at_once_make_no_twins(pool: Pool) -> None:
    added = await asyncio.gather(*(add_schema(pool, "note", SMALL) for _ in range(3)))
    assert {schema.version for schema in added} == {1}


async def test_the_order_of_properties_is_kept(pool: Pool) -> None:
    definition = {"type": "object", "properties": {"z": {}, "a": {}}}
    await add_schema(pool, "ordered", definition)
    assert list((await find_schema(pool, "ordered")).definition["properties"]) == ["z", "a"]


async def test_a_removed_schema_is_not_offered_and_comes_back_when_added(pool: Pool) -> None:
    await add_schema(pool, "note", SMALL)
    await remove_schema(pool, "note")
    assert await list_schemas(pool) == []
    with pytest.raises(SchemaUnknown, match="note"):
        await find_schema(pool, "note")
    assert (await add_schema(pool, "note", SMALL)).version == 1


@pytest.mark.parametrize("name", ["", "Has Space", "x" * 41, "../x"])
async def test_a_name_that_cannot_be_typed_is_refused(pool: Pool, name: str) -> None:
    with pytest.raises(SchemaRefused, match="name"):
        await add_schema(pool, name, SMALL)


async def test_what_comes_along_and_a_folder_are_loaded_once_and_removals_stay(
    pool: Pool, tmp_path: Path
) -> None:
    (tmp_path / "note.json").write_text(json.dumps(SMALL))
    (tmp_path / "broken.json").write_text("{")
    assert list(await load_schemas(pool, tmp_path)) == ["broken.json"]
    assert {schema.name for schema in await list_schemas(pool)} == {*built_in(), "note"}
    await remove_schema(pool, "bug")
    await load_schemas(pool, tmp_path)
    assert "bug" not in {schema.name for schema in await list_schemas(pool)}


async def test_a_record_is_kept_with_its_schema_and_evidence(pool: Pool) -> None:
    schema = await add_schema(pool, "note", SMALL)
    engine, embedder = QuotingEngine(), WordEmbedder()
    made = await extract_record(pool, embedder, engine, schema, "Who: Anna Bell", reference=DAY)
    assert made.as_json()["record"] == {"who": "Anna Bell"}
    assert made.as_json()["evidence"]["/who"] == {"quote": "Anna Bell", "start": 5, "end": 14}
    kept = await find_record(pool, made.trace_id)
    assert kept is not None
    assert (kept["schema"], kept["version"], kept["record"]) == ("note", 1, {"who": "Anna Bell"})


async def test_a_failure_is_kept_with_its_reason(pool: Pool) -> None:
    schema = await given_schema(SMALL)
    with pytest.raises(ExtractionError):
        await extract_record(pool, WordEmbedder(), QuotingEngine(), schema, " ", reference=DAY)
    async with pool.connection() as connection:
        row = await (await connection.execute("select error, record, schema_id from records")).fetchone()
    assert row is not None
    assert "no text" in row[0]
    assert row[1:] == (None, None)


async def test_a_file_that_was_changed_and_changed_back_is_what_counts(pool: Pool, tmp_path: Path) -> None:
    for definition in (SMALL, WIDER, SMALL, SMALL):
        (tmp_path / "note.json").write_text(json.dumps(definition))
        await load_schemas(pool, tmp_path)
        assert (await find_schema(pool, "note")).definition == definition
    assert (await find_schema(pool, "note")).version == 3


@pytest.mark.parametrize(
    "description", ["a\x00b", "half \ud800", "\\\x00"], ids=["NUL", "half", "NUL behind a backslash"]
)
async def test_what_the_database_cannot_keep_is_refused_with_a_sentence(
    pool: Pool, tmp_path: Path, description: str
) -> None:
    (tmp_path / "note.json").write_text(json.dumps({**SMALL, "description": description}))
    refused = await load_schemas(pool, tmp_path)
    assert refused["note.json"].startswith("The schema is refused: it holds")


async def test_a_backslash_before_a_zero_is_no_nul(pool: Pool) -> None:
    added = await add_schema(pool, "note", {**SMALL, "description": "\\u0000 is written so"})
    assert added.description == "\\u0000 is written so"


@pytest.mark.parametrize("name", sorted(VERBS))
async def test_a_name_that_slack_takes_for_a_command_is_refused(pool: Pool, name: str) -> None:
    with pytest.raises(SchemaRefused, match="means something else"):
        await add_schema(pool, name, SMALL)


async def test_a_file_that_is_no_text_is_refused_and_the_rest_is_loaded(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(
        json.dumps({**SMALL, "title": "Café"}, ensure_ascii=False).encode("latin1")
    )
    (tmp_path / "b.json").write_text("\ufeff" + json.dumps(SMALL))
    refused = await load_schemas(pool, tmp_path)
    assert [*refused] == ["a.json"]
    assert "not UTF-8" in refused["a.json"]
    assert (await find_schema(pool, "b")).title == "Note"


async def test_the_bot_loads_the_folder_that_the_settings_name(
    pool: Pool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "note.json").write_text(json.dumps(SMALL))
    (tmp_path / "broken.json").write_text("{")
    settings = Settings(almanac_schemas=tmp_path, slack_bot_token=SecretStr("xoxb-1"))
    async with slack_app(settings, pool):
        assert (await find_schema(pool, "note")).definition == SMALL
    assert "The schema broken.json is left out." in caplog.text
