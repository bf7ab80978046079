from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg
import pytest
import yaml
from quoting import quoting_engine, word_embedder

from bot import wiring
from bot.config import Settings
from bot.demo import App, local_workspace
from bot.doctor import Finding, examine, needed_scopes
from bot.documentation import MANIFEST
from grammars.engine.errors import EngineError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def sound(conninfo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings under which nothing is broken, and no Slack is set."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    with psycopg.connect(conninfo) as connection:
        info = connection.info
        url = f"postgresql://{info.user}@/{info.dbname}?host={quote(info.host, safe='')}"
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(wiring, "embedder", word_embedder)
    monkeypatch.setattr(wiring, "engine", quoting_engine)


async def findings() -> dict[str, Finding]:
    return {finding.what: finding async for finding in examine()}


async def test_a_sound_installation_has_nothing_broken() -> None:
    found = await findings()
    assert {what for what, finding in found.items() if finding.ok} == {
        *("Settings", "Database", "pgvector", "Schema", "Embedder", "Model"),
    }
    assert not [finding for finding in found.values() if finding.ok is False]
    assert "almanac sources add" in found["Index"].remedy


async def test_a_wrong_setting_comes_first_and_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMANAC_MODEL", "openai:nowhere")
    [finding] = (await findings()).values()
    assert finding.ok is False
    assert "ALMANAC_MODEL=openai:nowhere" in finding.detail


async def test_an_unreachable_database_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://almanac:hunter2@127.0.0.1:1/almanac")
    found = await findings()
    assert found["Database"].ok is False
    assert "DATABASE_URL" in found["Database"].remedy
    assert "hunter2" not in str(found)
    assert found["Model"].ok is True


async def test_an_old_schema_asks_for_migrate(conninfo: str) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute("update alembic_version set version_num = '0001'")
    found = await findings()
    assert (found["Schema"].ok, found["Schema"].remedy) == (False, "Run `almanac migrate`.")


async def test_a_model_that_does_not_load_names_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: Settings) -> None:
        raise EngineError("There is no such model.")

    monkeypatch.setattr(wiring, "engine", missing)
    monkeypatch.setenv("ALMANAC_MODEL", "openai:https://me:hunter2@host/v1#gpt")
    found = await findings()
    assert found["Model"].ok is False
    assert "no such model" in found["Model"].detail
    assert "ALMANAC_MODEL" in found["Model"].remedy
    assert "hunter2" not in str(found)


async def test_slacks_tokens_and_scopes_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    app = App.from_manifest(yaml.safe_load(MANIFEST.read_text("utf-8")))
    async with local_workspace(app=app) as workspace:
        monkeypatch.setenv("SLACK_API_URL", workspace.api_url)
        monkeypatch.setenv("SLACK_BOT_TOKEN", workspace.bot_token)
        monkeypatch.setenv("SLACK_APP_TOKEN", workspace.app_token)
        found = await findings()
        assert found["Slack bot token"].ok is True
        assert found["Slack app token"].ok is True
        monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-wrong")
        monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-wrong")
        found = await findings()
    assert (found["Slack bot token"].ok, found["Slack app token"].ok) == (False, False)
    assert "invalid_auth" in found["Slack bot token"].detail
    assert "xoxb-wrong" not in str(found)


async def test_missing_scopes_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with local_workspace(app=App(scopes=frozenset(needed_scopes() - {"chat:write"}))) as workspace:
        monkeypatch.setenv("SLACK_API_URL", workspace.api_url)
        monkeypatch.setenv("SLACK_BOT_TOKEN", workspace.bot_token)
        found = await findings()
    assert found["Slack bot token"].ok is False
    assert "chat:write" in found["Slack bot token"].detail
    assert "reinstall" in found["Slack bot token"].remedy
