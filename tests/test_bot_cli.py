from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest
from quoting import quoting_engine, word_embedder
from typer.testing import CliRunner

from bot import wiring
from bot.cli import build_cli
from bot.config import Settings
from knowledge.answers import Answer

if TYPE_CHECKING:
    from typer.testing import Result

ALMANAC = Path(sys.executable).parent / "almanac"
COMMANDS = (
    *(["demo"], ["ask"], ["search"], ["sources"], ["reindex"], ["status"]),
    *(["migrate"], ["serve"], ["worker"], ["doctor"]),
    *(["sources", "add"], ["sources", "list"], ["sources", "remove"]),
    *(["extract"], ["schemas"], ["schemas", "add"], ["schemas", "list"], ["schemas", "show"]),
    ["schemas", "remove"],
)
PODS = "---\ntitle: Pods\n---\n\n# Restarting\n\nDelete the pod, and the controller makes a new one.\n"
COSTS = "# Costs\n\nAn expense over 200 EUR needs the approval of a manager.\n"


class Almanac:
    """The command line in this process, over a database and folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str | Path) -> Result:
        return CliRunner().invoke(build_cli(), [str(argument) for argument in arguments])

    def ok(self, *arguments: str | Path) -> str:
        result = self(*arguments)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def json(self, *arguments: str | Path) -> Any:
        return json.loads(self.ok(*arguments, "--json"))


@pytest.fixture
def almanac(conninfo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Almanac:
    """The command line over an empty database, as an external one is reached."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    with psycopg.connect(conninfo) as connection:
        info = connection.info
        url = f"postgresql://{info.user}@/{info.dbname}?host={quote(info.host, safe='')}"
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(wiring, "embedder", word_embedder)
    monkeypatch.setattr(wiring, "engine", quoting_engine)
    folder = tmp_path / "my docs"
    folder.mkdir()
    (folder / "pods.md").write_text(PODS)
    (folder / "costs.md").write_text(COSTS)
    return Almanac(folder)


@pytest.fixture
def indexed(almanac: Almanac) -> Almanac:
    """The same, with the folder indexed."""
    almanac.ok("sources", "add", almanac.folder)
    almanac.ok("reindex")
    return almanac


def test_help_comes_fast_and_imports_nothing_heavy() -> None:
    heavy = {"torch", "transformers", "numpy", "slack_bolt", "slack_sdk", "psycopg", "alembic", "outlines"}
    script = f"import sys, bot.cli; bot.cli.build_cli(); print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([ALMANAC, "--help"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert busy < 1.5, "seconds of processor time, which a loaded machine does not stretch"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_and_the_leaves_have_examples(command: list[str]) -> None:
    found = CliRunner().invoke(build_cli(), [*command, "--help"])
    assert found.exit_code == 0
    if command not in (["sources"], ["schemas"]):
        examples = found.stdout.partition("Examples:\n")[2].splitlines()
        assert examples
        assert all(f"almanac {' '.join(command)}" in example for example in examples)


def test_the_version_is_the_packages() -> None:
    found = CliRunner().invoke(build_cli(), ["--version"])
    assert (found.exit_code, found.stdout) == (0, "almanac 0.1.0\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["ask"],
        ["ask", " "],
        ["ask", "why?", "--batch", "in.jsonl", "--out", "out.jsonl"],
        ["ask", "--batch", "in.jsonl"],
        ["search", "--out", "out.jsonl"],
        ["search", "pods", "--k", "0"],
        ["frobnicate"],
        ["sources", "add"],
        ["serve", "--port", "99999"],
    ],
)
def test_wrong_usage_exits_with_2_and_prints_no_data(almanac: Almanac, arguments: list[str]) -> None:
    found = almanac(*arguments)
    assert (found.exit_code, found.stdout) == (2, "")
    assert "Usage" in found.stderr


@pytest.mark.parametrize("command", [["ask", "pods?"], ["search", "pods"]])
def test_with_nothing_indexed_it_says_what_to_do(almanac: Almanac, command: list[str]) -> None:
    found = almanac(*command)
    assert (found.exit_code, found.stdout) == (1, "")
    assert "almanac sources add" in found.stderr


def test_with_no_sources_there_is_nothing_to_reindex(almanac: Almanac) -> None:
    found = almanac("reindex")
    assert (found.exit_code, found.stdout) == (1, "")
    assert "almanac sources add" in found.stderr


def test_sources_are_added_listed_and_removed(almanac: Almanac) -> None:
    almanac.ok("sources", "add", almanac.folder, "--name", "wiki", "--exclude", "drafts/**")
    [listed] = almanac.json("sources", "list")
    assert (listed["name"], listed["exclude"]) == ("wiki", ["drafts/**"])
    assert "wiki" in almanac.ok("sources", "list")
    almanac.ok("sources", "remove", "wiki")
    assert almanac.json("sources", "list") == []
    found = almanac("sources", "remove", "wiki")
    assert found.exit_code == 1
    assert "wiki" in found.stderr


def test_a_folder_that_does_not_exist_is_not_added(almanac: Almanac) -> None:
    found = almanac("sources", "add", almanac.folder / "nowhere")
    assert found.exit_code == 1
    assert "nowhere does not exist" in found.stderr


def test_reindex_counts_add_up_and_failures_are_named(almanac: Almanac) -> None:
    (almanac.folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing follows")
    almanac.ok("sources", "add", almanac.folder)
    [first] = almanac.json("reindex")
    assert (first["seen"], first["indexed"], first["unchanged"], first["failed"]) == (3, 2, 0, 1)
    (almanac.folder / "costs.md").unlink()
    again = almanac("reindex", "--json")
    [second] = json.loads(again.stdout)
    assert (second["seen"], second["removed"]) == (2, 1)
    [source] = almanac.json("status")["sources"]
    assert (source["documents"], source["failed"], source["failures"][0]["path"]) == (1, 1, "broken.pdf")
    assert "broken.pdf" in almanac.ok("status")


def test_search_shows_places_and_every_stages_score(indexed: Almanac) -> None:
    table = indexed.ok("search", "restart a pod")
    assert "my docs/pods.md:" in table
    assert "fused" in table
    found = indexed.json("search", "restart a pod", "--k", "1")
    [passage] = found["retrieved"]
    assert PODS[passage["start"] : passage["end"]] == passage["text"]
    assert {"dense", "lexical", "fused"} <= passage["scores"].keys()


def test_an_answer_is_laid_out_with_its_quotes_and_their_lines(indexed: Almanac) -> None:
    said = indexed.ok("ask", "How is a pod restarted?")
    assert "[1] Pods" in said
    assert "Delete the pod" in said
    assert "my docs/pods.md:7" in said
    assert "\x1b" not in said


def test_retrieved_adds_the_table(indexed: Almanac) -> None:
    assert "fused" not in indexed.ok("ask", "How is a pod restarted?")
    assert "fused" in indexed.ok("ask", "How is a pod restarted?", "--retrieved")


def test_json_is_the_answers_shape_and_its_quotes_are_verbatim(indexed: Almanac) -> None:
    row = indexed.json("ask", "How is a pod restarted?")
    answer = Answer.from_json(row)
    assert answer.as_json() | {"citations": row["citations"], "retrieved": row["retrieved"]} == row
    assert answer.answerable
    for citation in answer.citations:
        assert PODS[citation.start : citation.end] == citation.quote


def test_no_answer_is_an_answer_too(indexed: Almanac) -> None:
    assert "does not answer this" in indexed.ok("ask", "zebra?")
    assert indexed.json("ask", "zebra?")["answerable"] is False


def test_nothing_in_a_document_steers_the_terminal(almanac: Almanac) -> None:
    evil = "# Colours\n\nA pod \x1b]0;owned\x1b\\\x1b[31mred[bold] is a pod.\n"
    (almanac.folder / "evil.md").write_text(evil)
    (almanac.folder / "pods.md").unlink()
    almanac.ok("sources", "add", almanac.folder)
    almanac.ok("reindex")
    said = almanac.ok("ask", "pod colours red?", "--retrieved")
    assert "[bold]" in said
    assert "\x1b" not in said


def test_a_batch_goes_on_where_it_was(indexed: Almanac, tmp_path: Path) -> None:
    questions = tmp_path / "in.jsonl"
    answers = tmp_path / "out.jsonl"
    questions.write_text('{"id": "a", "question": "How is a pod restarted?"}\n')
    assert indexed.ok("ask", "--batch", questions, "--out", answers) == ""
    first = answers.read_text()
    with questions.open("a") as more:
        more.write('{"id": "b", "question": ""}\n{"id": "c", "question": "zebra?"}\n')
    found = indexed("ask", "--batch", questions, "--out", answers)
    assert found.exit_code == 1
    assert "1 done, 1 there already, 1 failed" in found.stderr
    rows = [json.loads(line) for line in answers.read_text().splitlines()]
    assert answers.read_text().startswith(first)
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert rows[0]["citations"][0]["quote"] in PODS
    assert "question" in rows[1]["error"]
    assert rows[2]["answerable"] is False


def test_a_batch_of_searches(indexed: Almanac, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": 1, "question": "expense approval"}\n')
    indexed.ok("search", "--batch", tmp_path / "in.jsonl", "--out", tmp_path / "out.jsonl", "--k", "1")
    row = json.loads((tmp_path / "out.jsonl").read_text())
    assert row["id"] == 1
    assert "200 EUR" in row["retrieved"][0]["text"]


def test_a_wrong_setting_is_one_sentence(almanac: Almanac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMANAC_MODEL", "openai:nowhere")
    found = almanac("ask", "why?")
    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr.startswith("ALMANAC_MODEL=openai:nowhere must look like")


def test_an_unreachable_database_is_named_without_its_password(
    almanac: Almanac, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://almanac:hunter2@127.0.0.1:1/almanac")
    found = almanac("status")
    assert found.exit_code == 1
    assert "127.0.0.1" in found.stderr
    assert "hunter2" not in found.stderr


def test_a_database_that_was_not_migrated_asks_for_it(almanac: Almanac, conninfo: str) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute("drop table alembic_version")
    found = almanac("status")
    assert found.exit_code == 1
    assert "almanac migrate" in found.stderr


def test_migrate_may_run_twice(almanac: Almanac) -> None:
    assert almanac("migrate").exit_code == 0
    assert "at revision" in almanac("migrate").stderr


@pytest.mark.parametrize(
    ("command", "missing"), [("serve", "SLACK_APP_TOKEN"), ("worker", "SLACK_BOT_TOKEN")]
)
def test_a_process_without_slack_says_what_is_missing(almanac: Almanac, command: str, missing: str) -> None:
    found = almanac(command)
    assert found.exit_code == 1
    assert f"{missing}" in found.stderr
    assert "docs/slack-setup.md" in found.stderr
