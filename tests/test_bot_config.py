from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from bot.config import Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from pathlib import Path

SECRETS = [name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty working directory, and no setting in the environment."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_any_setting_everything_is_embedded() -> None:
    settings = read_settings()
    assert (settings.almanac_model, settings.almanac_embedder, settings.database_url) == (
        "embedded",
        "embedded",
        None,
    )
    assert settings.almanac_home.is_absolute()
    assert settings.slack_api_url == "https://slack.com/api/"


def test_the_environment_wins_over_the_env_file(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bare / ".env").write_text("ALMANAC_MODEL=from-file\nALMANAC_EMBEDDER=from-file\nOTHER=ignored\n")
    monkeypatch.setenv("ALMANAC_MODEL", "from-environment")
    settings = read_settings()
    assert (settings.almanac_model, settings.almanac_embedder) == ("from-environment", "from-file")


def test_an_override_wins_over_the_environment(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMANAC_HOME", "/elsewhere")
    assert read_settings(almanac_home=bare / "a home").almanac_home == bare / "a home"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "")
    monkeypatch.setenv("DATABASE_URL", "")
    settings = read_settings()
    assert settings.slack_bot_token is None
    assert settings.database_url is None


def test_a_relative_home_is_made_absolute(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMANAC_HOME", "state with a space")
    assert read_settings().almanac_home == bare / "state with a space"


def test_administrators_are_separated_by_commas_or_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMANAC_ADMINS", "U024BE7LH, W012A3CDE U1")
    assert read_settings().almanac_admins == ("U024BE7LH", "W012A3CDE", "U1")


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("DATABASE_URL", "mysql://localhost/almanac", "postgresql://user:password@host:5432/name"),
        ("ALMANAC_MODEL", "openai:api.example.com", "openai:https://host/v1#model-name"),
        ("ALMANAC_EMBEDDER", "vllm:http://localhost:8000/v1#e5", "openai:"),
        ("SLACK_BOT_TOKEN", "xoxp-123", "OAuth & Permissions"),
        ("SLACK_APP_TOKEN", "xoxb-123", "Basic Information"),
        ("SLACK_API_URL", "slack.com", "https://slack.com/api/"),
        ("ALMANAC_ADMINS", "maya", "U024BE7LH"),
    ],
)
def test_an_error_names_the_key_the_value_and_the_remedy(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, remedy: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        read_settings()
    shown = "(not shown)" if name.lower() in SECRETS else value
    assert f"{name}={shown} must" in str(error.value)
    assert remedy in str(error.value)


@pytest.mark.parametrize("name", ["DATABASE_URL", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"])
def test_no_error_holds_a_secret(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "hunter2-very-secret")
    with pytest.raises(SettingsError) as error:
        read_settings()
    assert "hunter2" not in str(error.value)
    assert error.value.__cause__ is None


def test_credentials_inside_a_models_address_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMANAC_MODEL", "openai:https://me:hunter2@host/v1")
    with pytest.raises(SettingsError, match="ALMANAC_MODEL=openai:https://host/v1 must") as error:
        read_settings()
    assert "hunter2" not in str(error.value)


def test_every_wrong_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_API_URL", "slack")
    monkeypatch.setenv("ALMANAC_ADMINS", "maya")
    with pytest.raises(SettingsError) as error:
        read_settings()
    assert len(str(error.value).splitlines()) == 2


def test_settings_show_no_secret_and_do_not_change() -> None:
    settings = Settings(slack_bot_token=SecretStr("xoxb-hunter2"))
    assert "hunter2" not in repr(settings)
    with pytest.raises(ValueError, match="frozen"):
        settings.almanac_model = "other"  # type: ignore[misc]  # that it cannot be set is the point
