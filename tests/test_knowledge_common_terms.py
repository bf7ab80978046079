from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from quoting import WordEmbedder

from knowledge import common_terms, search
from knowledge.common_terms import count_common_terms
from knowledge.index import reindex
from knowledge.sources import add_source

if TYPE_CHECKING:
    from pathlib import Path

    from knowledge.answers import Retrieved
    from knowledge.database import Pool

QUESTION = "restart the proxy of zone quartz"


@pytest.fixture
async def folder(pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sixty pages: every one of a proxy, some about restarting it, a few about one zone."""
    monkeypatch.setattr(common_terms, "COMMON", 10)
    draw = random.Random(4)
    for number in range(60):
        said = ["restart"] * (number % 3) + ["quartz"] * (number % 20 == 7) + ["proxy", "zone"]
        said += draw.choices("alder birch cedar elm fir hazel".split(), k=30)  # noqa: SIM905
        (tmp_path / f"{number:02}.md").write_text(" ".join(draw.sample(said, len(said))))
    await add_source(pool, str(tmp_path))
    await reindex(pool, WordEmbedder())
    return tmp_path


async def found(pool: Pool) -> list[Retrieved]:
    return await search.fused(pool, WordEmbedder(), QUESTION, k=10, candidates=8, audience=None)


async def counted(pool: Pool) -> dict[str, int]:
    async with pool.connection() as connection:
        rows = await connection.execute("select term, documents from common_terms")
        return dict(await rows.fetchall())


async def test_terms_that_many_passages_hold_are_counted_after_a_run(pool: Pool, folder: Path) -> None:
    assert await counted(pool) == {"proxi": 60, "zone": 60, "restart": 40, **dict.fromkeys(
        ("alder", "birch", "cedar", "elm", "fir", "hazel"), pytest.approx(60, abs=2)
    )}  # fmt: skip


async def test_they_are_counted_anew_once_a_fifth_has_come_or_gone(pool: Pool, folder: Path) -> None:
    for number in range(9):
        (folder / f"{number:02}.md").unlink()
    await reindex(pool, WordEmbedder())
    assert (await counted(pool))["proxi"] == 60
    for number in range(9, 14):
        (folder / f"{number:02}.md").unlink()
    await reindex(pool, WordEmbedder())
    assert (await counted(pool))["proxi"] == 46


async def test_common_terms_count_for_what_is_found_though_their_postings_are_not_read(
    pool: Pool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await found(pool)
    monkeypatch.setattr(search, "POSTINGS", 20)  # only `quartz`
    pruned = await found(pool)
    scores = {one.passage_id: one.scores["lexical"] for one in whole}
    both = [one for one in pruned if one.passage_id in scores]
    assert len(both) >= 8
    assert [one.scores["lexical"] for one in both] == [
        pytest.approx(scores[one.passage_id], abs=2e-4) for one in both
    ]
    assert [one.passage_id for one in pruned[:3]] == [one.passage_id for one in whole[:3]]


async def test_the_rarest_term_is_read_however_common_it_is(
    pool: Pool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "POSTINGS", 0)
    ranked = await search.fused(pool, WordEmbedder(), "restart proxy", k=5, candidates=8, audience=None)
    assert all("restart" in one.text for one in ranked)
    await count_common_terms(pool)
