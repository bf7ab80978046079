"""The composition of the records' parts: settings to services."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.config import Settings, SettingsError
from bot.records import NotHereError, not_extracting, record_services, text_of, webhook
from knowledge.convert import ParseError
from knowledge.jobs import open_jobs

if TYPE_CHECKING:
    from knowledge.database import Pool

URL = "https://hooks.example.com/records?key=s3cret"


def settings(**given: object) -> Settings:
    return Settings(_env_file=None, **given)  # type: ignore[arg-type, call-arg]  # pydantic-settings' own argument


def test_there_is_no_webhook_unless_one_is_set() -> None:
    assert webhook(settings()) is None


def test_a_webhook_without_a_secret_is_refused_and_its_address_not_shown() -> None:
    with pytest.raises(SettingsError, match="ALMANAC_EXTRACT_WEBHOOK_SECRET") as refused:
        webhook(settings(almanac_extract_webhook=URL))
    assert "s3cret" not in str(refused.value)


async def test_services_follow_the_settings(pool: Pool) -> None:
    hook = {"almanac_extract_webhook": URL, "almanac_extract_webhook_secret": "x"}
    async with open_jobs(pool) as jobs:
        plain = record_services(settings(), pool, jobs)
        full = record_services(settings(**hook, almanac_extract_learn=True, almanac_admins="U1"), pool, jobs)
    assert (plain.deliver, plain.learn, plain.admins) == (None, False, frozenset())
    assert full.deliver is not None
    assert (full.learn, full.admins) == (True, frozenset(["U1"]))


async def test_a_process_without_a_model_says_so() -> None:
    with pytest.raises(NotHereError, match="almanac worker"):
        await not_extracting(None, "", reference=None)  # type: ignore[arg-type]  # nothing of it is looked at


async def test_files_are_read_like_documents() -> None:
    assert "down" in await text_of(b"<p>It is down</p>", "a.html")
    with pytest.raises(ParseError):
        await text_of(bytes(range(256)), "core.bin")
