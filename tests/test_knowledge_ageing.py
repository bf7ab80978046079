from __future__ import annotations

import os
import time
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from quoting import QuotingEngine, WordEmbedder

from knowledge.answer import answer
from knowledge.index import reindex
from knowledge.search import search
from knowledge.sources import SourceError, add_source, edit_source

if TYPE_CHECKING:
    from pathlib import Path

    from knowledge.database import Pool

DAY = 86_400
QUESTION = "who leads the proxy team"


@pytest.fixture
async def folder(pool: Pool, tmp_path: Path) -> Path:
    """An old page that fits the question better, and one of yesterday."""
    pages = {"old.md": ("Ana leads the proxy team.", 365), "new.md": ("The proxy team: led by Bo now.", 1)}
    for name, (text, days) in pages.items():
        (tmp_path / name).write_text(text)
        moment = time.time() - days * DAY
        os.utime(tmp_path / name, (moment, moment))
    await add_source(pool, str(tmp_path), name="news")
    await reindex(pool, WordEmbedder())
    return tmp_path


async def names(pool: Pool) -> list[str]:
    return [one.uri.rpartition("/")[2] for one in await search(pool, WordEmbedder(), QUESTION)]


async def test_age_matters_where_a_half_life_says_so_and_no_more_once_it_is_taken_away(
    pool: Pool, folder: Path
) -> None:
    assert await names(pool) == ["old.md", "new.md"]
    await edit_source(pool, "news", half_life_days=90)
    assert await names(pool) == ["new.md", "old.md"]
    await edit_source(pool, "news", half_life_days=None)
    assert await names(pool) == ["old.md", "new.md"]


async def test_the_score_halves_with_each_half_life(pool: Pool, folder: Path) -> None:
    before = {one.uri: one.scores["fused"] for one in await search(pool, WordEmbedder(), QUESTION)}
    await edit_source(pool, "news", half_life_days=365)
    for one in await search(pool, WordEmbedder(), QUESTION):
        share = 0.5 if one.uri.endswith("old.md") else 0.5 ** (1 / 365)
        assert one.scores["fused"] == pytest.approx(share * before[one.uri], abs=1e-3)


@pytest.mark.parametrize("days", [0, -1, float("nan"), 1e9])
async def test_a_half_life_is_a_number_of_days(pool: Pool, tmp_path: Path, days: float) -> None:
    with pytest.raises(SourceError, match="number of days above 0"):
        await add_source(pool, str(tmp_path), half_life_days=days)


async def test_a_citation_says_as_of_when_its_document_stands(pool: Pool, folder: Path) -> None:
    result = await answer(pool, WordEmbedder(), QuotingEngine(), QUESTION)
    (citation,) = result.citations
    assert citation.changed_at
    changed = datetime.fromisoformat(citation.changed_at)
    assert changed.timestamp() == pytest.approx((folder / "old.md").stat().st_mtime, abs=1)
