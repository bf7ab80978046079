from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from quoting import QuotingEngine

from grammars.engine.adapters import AdapterError
from knowledge.adapters import Following, NoEarlierChoiceError, choose, chosen, installed, roll_back

if TYPE_CHECKING:
    from pathlib import Path

    from knowledge.database import Pool


@dataclass
class Adapting(QuotingEngine):
    """An engine that keeps count of its adapters and loads none: the engine's own tests load real ones."""

    adapter: str | None = None
    adapters: list[str] = field(default_factory=list)

    async def load_adapter(self, name: str, folder: Path) -> None:
        if name == "elsewhere":
            raise AdapterError(f"{folder} is no folder")
        self.adapters.append(name)

    def use_adapter(self, name: str | None) -> None:
        self.adapter = name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        row: dict[str, Any] = {"base": "quoting", "data": "x", "date": "2026-11-22", "metrics": {"f1": 0.5}}
        (tmp_path / name / "manifest.json").write_text(json.dumps(row))
    (tmp_path / "neither").mkdir()
    return tmp_path


async def test_every_process_follows_what_is_chosen_and_taken_back(pool: Pool, folder: Path) -> None:
    engines = [Adapting(), Adapting()]
    processes = [Following(pool, engine, folder) for engine in engines]

    async def now() -> list[str | None]:
        for follow in processes:
            await follow()
        return [engine.adapter for engine in engines]

    assert await now() == [None, None]
    for name in ("one", "two", None):
        await choose(pool, "quoting", name)
        assert await now() == [name, name]
    for name in ("two", "one"):
        choice = await roll_back(pool, "quoting")
        assert choice is not None
        assert choice.adapter == name
        assert await now() == [name, name]
    assert await roll_back(pool, "quoting") is None
    assert await now() == [None, None]
    assert engines[0].adapters == ["one", "two"], "each was loaded once"
    with pytest.raises(NoEarlierChoiceError):
        await roll_back(pool, "quoting")


async def test_without_a_choice_the_setting_s_adapter_stays_and_comes_back(pool: Pool, folder: Path) -> None:
    engine = Adapting("set", ["set"])
    follow = Following(pool, engine, folder)
    await choose(pool, "another", "two")
    await follow()
    assert engine.adapter == "set"
    await choose(pool, "quoting", "one")
    await follow()
    await roll_back(pool, "quoting")
    await follow()
    assert engine.adapter == "set"


async def test_an_adapter_that_is_not_here_is_told_and_the_one_before_goes_on(
    pool: Pool, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Adapting()
    follow = Following(pool, engine, folder)
    for name in ("one", "elsewhere"):
        await choose(pool, "quoting", name)
        await follow()

    assert engine.adapter == "one"
    assert "The chosen adapter cannot be used; one goes on." in caplog.text
    choice = await chosen(pool, "quoting")
    assert choice is not None
    assert choice.adapter == "elsewhere"


async def test_an_engine_without_adapters_is_left_alone(pool: Pool, folder: Path) -> None:
    await choose(pool, "quoting", "one")
    await Following(pool, QuotingEngine(), folder)()


def test_what_is_no_adapter_is_not_listed(folder: Path) -> None:
    assert list(installed(folder)) == ["one", "two"]
    assert installed(folder)["one"].metrics == {"f1": 0.5}
    assert installed(folder / "nowhere") == {}
