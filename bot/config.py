"""The settings: the environment and `.env`, read when a process starts and then handed down."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

REMOTE = re.compile(r"(?P<kind>openai|vllm):(?P<url>https?://[^#\s]+)#(?P<model>\S+)")
CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
ADMIN = re.compile(r"[USW][A-Z0-9]+|workspace-admins")
SECRET = "(not shown)"  # noqa: S105 - the words that stand in for a secret


class SettingsError(Exception):
    """A setting cannot be used; the message names it, its value unless it is a secret, and how to mend it."""


class Settings(BaseSettings):
    """Every setting of Almanac; a field's name in capitals is the variable's name.

    An empty variable counts as unset. The environment wins over `.env`.
    """

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    almanac_home: Path = Field(
        default_factory=lambda: user_data_path("almanac", appauthor=False),
        description="Where state is kept: the embedded database, the demo.",
    )
    database_url: SecretStr | None = Field(
        None, description="A PostgreSQL with pgvector; unset: the embedded server under ALMANAC_HOME."
    )
    almanac_model: str = Field(
        "embedded",
        description="What answers: `embedded`, a hub name or path, `openai:URL#MODEL` or `vllm:URL#MODEL`.",
    )
    almanac_model_dtype: Literal["auto", "float32", "bfloat16", "int8"] = Field(
        "auto", description="How a local model's weights are kept; `auto` is as its checkpoint has them."
    )
    almanac_adapter: str | None = Field(None, description="The folder of a LoRA adapter.")
    almanac_embedder: str = Field(
        "embedded", description="What embeds: `embedded`, a hub name or path, or `openai:URL#MODEL`."
    )
    almanac_reranker: str | None = Field(
        None, description="A cross-encoder that ranks the best passages anew: a hub name or path."
    )
    almanac_model_key: SecretStr | None = Field(
        None, description="The key that the model's server asks for; only that server gets it."
    )
    almanac_embedder_key: SecretStr | None = Field(
        None, description="The key that the embedder's server asks for; only that server gets it."
    )
    slack_bot_token: SecretStr | None = Field(None, description="The bot token, `xoxb-…`.")
    slack_app_token: SecretStr | None = Field(None, description="The app token of Socket Mode, `xapp-…`.")
    slack_signing_secret: SecretStr | None = Field(
        None, description="The signing secret; set: Slack's HTTP events are served at /slack/events."
    )
    slack_api_url: str = Field(
        "https://slack.com/api/", description="Slack's Web API, or a server compatible with it."
    )
    almanac_admins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Who administers: ids of people and user groups, `workspace-admins`; by commas."
    )
    almanac_folders: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="Folders of this machine that may be indexed from Slack, separated by commas."
    )

    almanac_schemas: Path | None = Field(
        None, description="A folder of JSON Schemas, NAME.json, that records can be made by."
    )
    almanac_source_secrets: Annotated[dict[str, SecretStr], NoDecode] = Field(
        {}, description="The credentials of sources, which name them: a JSON object of names and values."
    )
    almanac_private_sources: bool = Field(
        False, description="Whether websites and repositories in private networks may be indexed."
    )
    almanac_slack_exports: bool = Field(
        False, description="Whether exports of Slack may be indexed: see its terms, docs/sources.md."
    )
    almanac_webhook_secret: SecretStr | None = Field(
        None, description="Signs requests to reindex a source; unset: there is no such webhook."
    )

    almanac_extract_webhook: SecretStr | None = Field(
        None, description="Where confirmed records are sent, signed; https, or http in a private network."
    )
    almanac_extract_webhook_secret: SecretStr | None = Field(
        None, description="What deliveries of records are signed with."
    )
    almanac_extract_webhook_private: bool = Field(
        False, description="Whether the webhook of records may be in a private network."
    )
    almanac_extract_learn: bool = Field(
        False, description="Whether what people correct in records is kept as training examples."
    )

    @field_validator("almanac_source_secrets", mode="before")
    @classmethod
    def _object(cls, secrets: Any) -> Any:
        if not isinstance(secrets, str):
            return secrets
        try:
            parsed = json.loads(secrets)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict) or not all(isinstance(value, str) for value in parsed.values()):
            raise ValueError('must be a JSON object of names and values, such as {"WIKI_KEY": "…"}')
        return parsed

    @field_validator("almanac_home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not url.get_secret_value().startswith(("postgres://", "postgresql://")):
            raise ValueError("must look like postgresql://user:password@host:5432/name")
        return url

    @field_validator("almanac_model", "almanac_embedder")
    @classmethod
    def _remote(cls, model: str) -> str:
        if model.startswith(("openai:", "vllm:")) and not REMOTE.fullmatch(model):
            raise ValueError("must look like openai:https://host/v1#model-name")
        return model

    @field_validator("almanac_embedder")
    @classmethod
    def _embeds(cls, embedder: str) -> str:
        if embedder.startswith("vllm:"):
            raise ValueError("must use openai: in place of vllm:, whose embedding API is OpenAI's")
        return embedder

    @field_validator("slack_bot_token")
    @classmethod
    def _bot_token(cls, token: SecretStr | None) -> SecretStr | None:
        return _starts(token, "xoxb-", "copy the Bot User OAuth Token of the app's page OAuth & Permissions")

    @field_validator("slack_app_token")
    @classmethod
    def _app_token(cls, token: SecretStr | None) -> SecretStr | None:
        return _starts(token, "xapp-", "make an app-level token on the app's page Basic Information")

    @field_validator("almanac_extract_webhook")
    @classmethod
    def _hook(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not url.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("must be an http or https address")
        return url

    @field_validator("slack_api_url")
    @classmethod
    def _api(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("must be an http or https address, such as https://slack.com/api/")
        return url.rstrip("/") + "/"

    @field_validator("almanac_admins", mode="before")
    @classmethod
    def _split(cls, admins: Any) -> Any:
        return tuple(admins.replace(",", " ").split()) if isinstance(admins, str) else admins

    @field_validator("almanac_admins")
    @classmethod
    def _users(cls, admins: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [admin for admin in admins if not ADMIN.fullmatch(admin)]:
            raise ValueError(
                f"must hold ids of people (U024BE7LH) or user groups (S0614TZR7), or workspace-admins,"
                f" none of which {wrong[0]!r} is"
            )
        return admins

    @field_validator("almanac_folders", mode="before")
    @classmethod
    def _folders(cls, folders: Any) -> Any:
        if not isinstance(folders, str):
            return folders
        return tuple(Path(one.strip()).expanduser().absolute() for one in folders.split(",") if one.strip())


def _starts(token: SecretStr | None, prefix: str, remedy: str) -> SecretStr | None:
    if token and not token.get_secret_value().startswith(prefix):
        raise ValueError(f"must start with {prefix}: {remedy}")
    return token


def read_settings(**overrides: Any) -> Settings:
    """Read the environment and the `.env` of the working directory.

    Args:
        overrides: settings that the command line gives; they win over both.

    Raises:
        SettingsError: a line for each setting that cannot be used.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(detail) for detail in error.errors())) from None


def _sentence(detail: Any) -> str:
    """`KEY=value must …`; a secret's value, and credentials inside an address, stay out."""
    name = str(detail["loc"][0])
    field = Settings.model_fields[name]
    secret = "SecretStr" in str(field.annotation)
    value = SECRET if secret else CREDENTIALS.sub("", str(detail["input"]))
    reason = detail["msg"].removeprefix("Value error, ")
    return f"{name.upper()}={value} {reason}. It is read from the environment or .env."
