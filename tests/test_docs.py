"""The documentation holds: its commands, settings, links and snippets exist and run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from bot.cli import build_cli
from bot.cli.reference import command_paths, reference
from bot.config import Settings

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
BIN = Path(sys.executable).parent
SETTINGS = {name.upper() for name in Settings.model_fields}
COMMANDS = {" ".join(path) for path in command_paths(build_cli())}
TARGETS = set(re.findall(r"^([a-z%-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
WRITTEN_COMMAND = re.compile(r"(?:^|`|\$ )(almanac [a-z].*?)(?:`|$)", re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def snippets() -> list[pytest.param]:
    marked = re.compile(r"<!-- run -->\n```bash\n(.*?)```", re.DOTALL)
    return [
        pytest.param(snippet, id=f"{page.name}-{number}")
        for page in PAGES
        for number, snippet in enumerate(marked.findall(page.read_text()), 1)
    ]


def written_commands() -> list[pytest.param]:
    pages = [page for page in PAGES if page.name != "cli.md"]
    return [
        pytest.param(line, id=f"{page.name}: {line}")
        for page in pages
        for line in dict.fromkeys(WRITTEN_COMMAND.findall(page.read_text()))
    ]


def test_the_reference_of_commands_is_what_help_says() -> None:
    assert (ROOT / "docs/cli.md").read_text() == reference(), "run `make docs`"


@pytest.mark.parametrize("line", written_commands())
def test_every_command_that_is_written_of_exists_with_its_options(line: str) -> None:
    words = shlex.split(line.partition(" #")[0].partition(" |")[0])[1:]
    path = words[:2] if " ".join(words[:2]) in COMMANDS else words[:1]
    assert " ".join(path) in COMMANDS
    shown = CliRunner().invoke(build_cli(), [*path, "--help"]).stdout
    for option in (word for word in words if word.startswith("--")):
        assert option in shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_that_is_written_of_exists(page: Path) -> None:
    written = set(re.findall(r"\b(?:ALMANAC|SLACK)_[A-Z_]+\b|\bDATABASE_URL\b", page.read_text()))
    assert written <= SETTINGS


def test_every_setting_is_documented() -> None:
    rows = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs/settings.md").read_text(), re.MULTILINE))
    assert rows == SETTINGS


def test_every_setting_is_in_the_example_with_a_value_that_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    lines = re.findall(r"^#([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert {name for name, _ in lines} == SETTINGS
    (tmp_path / ".env").write_text("\n".join(f"{name}={value}" for name, value in lines))
    Settings(_env_file=tmp_path / ".env")  # type: ignore[call-arg]  # pydantic-settings' own argument


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_of_make_that_is_written_of_exists(page: Path) -> None:
    for target in re.findall(r"(?:^|`)make ([a-z][a-z-]*)", page.read_text(), re.MULTILINE):
        name = target.removeprefix("bench-")
        exists = target in TARGETS or (name != target and (ROOT / f"bench/{name}.py").exists())
        assert exists, target


def test_what_the_procfile_runs_are_commands() -> None:
    lines = (ROOT / "Procfile").read_text().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["release", "bot", "worker"]
    for line in lines:
        assert re.search(r"almanac ([a-z]+)", line)[1] in COMMANDS  # type: ignore[index]  # fails as it should


def test_examples_of_yaml_are_yaml() -> None:
    for page in PAGES:
        for block in blocks(page, "yaml"):
            yaml.safe_load(block)


@pytest.mark.parametrize("snippet", snippets())
def test_a_snippet_runs(snippet: str, tmp_path: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    environment = bare | {"ALMANAC_HOME": str(tmp_path / "a home"), "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", snippet],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
