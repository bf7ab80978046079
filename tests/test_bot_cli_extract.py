from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Json
from quoting import quoting_engine, word_embedder
from typer.testing import CliRunner

from bot import wiring
from bot.cli import build_cli
from bot.config import Settings
from grammars.tuning.fields import rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

NOTE = {
    "title": "Note",
    "type": "object",
    "properties": {
        "who": {"type": ["string", "null"]},
        "day": {"type": ["string", "null"], "format": "date"},
    },
    "required": ["who", "day"],
}
TRIPPED = "This row could not be worked on (TypeError: unhashable type: 'dict')."
TEXT = "Who: Anna Bell\nDay: yesterday"


@pytest.fixture
def folder(conninfo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of schemas and texts, and the settings of a database of its own."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    with psycopg.connect(conninfo) as connection:
        info = connection.info
        url = f"postgresql://{info.user}@/{info.dbname}?host={quote(info.host, safe='')}"
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "note.json").write_text(json.dumps(NOTE))
    (tmp_path / "note.txt").write_text(TEXT)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("ALMANAC_SCHEMAS", str(tmp_path / "schemas"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(wiring, "embedder", word_embedder)
    monkeypatch.setattr(wiring, "engine", quoting_engine)
    return tmp_path


def almanac(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(build_cli(), list(arguments), input=text)


def ok(*arguments: str, text: str | None = None) -> str:
    result = almanac(*arguments, text=text)
    assert result.exit_code == 0, result.stderr
    return result.stdout


@pytest.mark.usefixtures("folder")
def test_a_record_of_a_file_by_a_schema_of_the_folder() -> None:
    found = json.loads(ok("extract", "note", "note.txt", "--json", "--date", "2026-03-09"))
    assert found["record"] == {"who": "Anna Bell", "day": "2026-03-08"}
    assert found["evidence"]["/day"] == {"quote": "yesterday", "start": 20, "end": 29}
    assert (found["schema"], found["version"], found["truncated"]) == ("note", 1, False)
    assert found["model"] == "quoting"


@pytest.mark.usefixtures("folder")
def test_a_record_for_people_shows_what_it_came_from() -> None:
    shown = ok("extract", "schemas/note.json", "-", text=TEXT)
    assert "Anna Bell" in shown
    assert "yesterday" in shown


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        (("nothing", "note.txt"), "There are:", 1),
        (("note", "absent.txt"), "absent.txt", 1),
        (("absent.json", "note.txt"), "absent.json", 1),
        ((), "either", 2),
        (("note", "--batch", "note.txt"), "either", 2),
    ],
)
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], told: str, code: int) -> None:
    result = almanac("extract", *arguments)
    assert (result.exit_code, told in result.stderr) == (code, True)


def test_binary_and_empty_files_are_refused(folder: Path) -> None:
    (folder / "binary.txt").write_bytes(b"\x00\x01\x02")
    (folder / "empty.txt").write_bytes(b" ")
    for name in ("binary.txt", "empty.txt"):
        result = almanac("extract", "note", name)
        assert result.exit_code == 1
        assert name in result.stderr


def test_a_batch_takes_names_and_definitions_goes_on_and_says_what_failed(folder: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": 1, "schema": "note", "text": TEXT, "date": "2026-03-09"},
        {"id": 2, "schema": NOTE, "text": "nothing of it"},
        {"id": 3, "schema": "nothing", "text": TEXT},
        {"id": 4, "schema": {"$ref": "https://example.org"}, "text": TEXT},
        {"id": 5, "schema": "note", "text": TEXT, "date": "soon"},
    ]
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "out.jsonl").write_text('{"id": 2, "record": "kept"}\n')
    result = almanac("extract", "--batch", "in.jsonl", "--out", "out.jsonl")
    assert result.exit_code == 1
    assert "1 done, 1 there already, 3 failed" in result.stderr
    out = {row["id"]: row for row in map(json.loads, (folder / "out.jsonl").read_text().splitlines())}
    assert out[1]["record"] == {"who": "Anna Bell", "day": "2026-03-08"}
    assert out[2]["record"] == "kept"
    assert [("error" in out[key]) for key in (3, 4, 5)] == [True] * 3


def test_schemas_are_added_shown_and_removed(folder: Path) -> None:
    changed = {**NOTE, "properties": {"tags": {"type": "array", "uniqueItems": True}}, "required": []}
    (folder / "memo.json").write_text(json.dumps(changed))
    added = almanac("schemas", "add", "memo.json")
    assert "/properties/tags/uniqueItems" in added.stderr
    names = {schema["name"] for schema in json.loads(ok("schemas", "list", "--json"))}
    assert {"memo", "note", "incident"} <= names
    assert json.loads(ok("schemas", "show", "memo")) == changed
    assert json.loads(ok("schemas", "show", "memo", "--json"))["report"]["enforced"] is False
    ok("schemas", "remove", "memo")
    assert "memo" not in ok("schemas", "list")
    assert almanac("schemas", "show", "memo").exit_code == 1


def test_a_file_of_the_folder_that_cannot_be_used_is_named(folder: Path) -> None:
    (folder / "schemas" / "broken.json").write_text("{")
    result = almanac("schemas", "list")
    assert result.exit_code == 0
    assert "broken.json" in result.stderr


def test_a_schema_that_is_no_text_is_named(folder: Path) -> None:
    (folder / "latin.json").write_bytes(json.dumps(NOTE).encode("utf-16"))
    for arguments in (("extract", "latin.json", "note.txt"), ("schemas", "add", "latin.json")):
        result = almanac(*arguments)
        assert (result.exit_code, "latin.json is not UTF-8 text" in result.stderr) == (1, True)


def test_a_row_that_trips_the_program_does_not_end_the_batch(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tripping(*parts: Any) -> Any:
        extract = extractor(*parts)

        async def trip(schema: Any, text: str, **given: Any) -> Any:
            if "Trip" in text:
                raise TypeError("unhashable type: 'dict'")
            return await extract(schema, text, **given)

        return trip

    extractor = wiring.extractor
    monkeypatch.setattr(wiring, "extractor", tripping)
    texts = (TEXT, "Who: Trip\nDay: yesterday", TEXT)
    rows = [{"id": number, "schema": "note", "text": text} for number, text in enumerate(texts)]
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for told in ("2 done, 0 there already, 1 failed", "0 done, 3 there already, 0 failed"):
        assert told in almanac("extract", "--batch", "in.jsonl", "--out", "out.jsonl").stderr
    out = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert [row.get("error") for row in out] == [None, TRIPPED, None]


def test_corrections_are_written_as_the_cases_that_the_tuning_reads(folder: Path, conninfo: str) -> None:
    assert "No corrections are kept yet" in almanac("schemas", "corrections", "--out", "cases.jsonl").stderr
    expected = {"who": "Anna Bell\u2028", "day": None}
    case = {"schema": NOTE, "text": TEXT, "expected": expected, "evidence": {"/who": "Anna Bell"}}
    with psycopg.connect(conninfo) as connection:
        connection.execute(
            "insert into drafts (id, team, channel, asker) values (%(id)s, 'T', 'C', 'U')", {"id": uuid4()}
        )
        connection.execute(
            "insert into corrections (draft_id, example) select id, %s from drafts", [Json(case)]
        )
    assert "Wrote 1 training cases" in almanac("schemas", "corrections", "--out", "cases.jsonl").stderr
    lines = (folder / "cases.jsonl").read_text().splitlines()  # as grammars.tuning.ranker reads them
    assert [json.loads(line) for line in lines] == [case]
    (row, _) = rows_of(json.loads(lines[0]))
    assert (row["answer"], row["kind"]) == ("Anna Bell", "field")
