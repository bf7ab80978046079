from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quoting import WordEmbedder

from knowledge import search as searching
from knowledge.answers import Retrieved
from knowledge.index import reindex
from knowledge.repeats import without_repeats
from knowledge.search import search
from knowledge.sources import add_source

if TYPE_CHECKING:
    from pathlib import Path

    from knowledge.database import Pool

PAGE = "# Restarting\n\nRestart the proxy from the console, then wait until its log says ready."
LONG = " ".join(f"word{chr(97 + n % 26)}" for n in range(200))
WORDS = st.lists(
    st.sampled_from(("restart", "proxy", "log", "ready", "5", "10", "wait")), min_size=1, max_size=9
)


def passage(text: str) -> Retrieved:
    return Retrieved(1, "docs", "file:///a.md", "", "", text, 0, len(text), {})


@given(st.lists(WORDS, max_size=8))
def test_the_first_of_each_stays_in_its_place(texts: list[list[str]]) -> None:
    kept = [one.text for one in without_repeats([passage(" ".join(text)) for text in texts])]
    assert kept == list(dict.fromkeys(" ".join(text) for text in texts))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Guests may enter the server room.", "Guests may not enter the server room."),
        ("The proxy is on.", "The proxy is off."),
        ("Restart the log before the proxy.", "Restart the proxy before the log."),
        ("Keep at least -5 degrees.", "Keep at least 5 degrees."),
        ("Wait while !ready holds.", "Wait while ready holds."),
        ("Alert when load < 3.", "Alert when load > 3."),
        ("It costs 1.000 euros.", "It costs 1,000 euros."),
        ("Backup | \u2713", "Backup | \u2717"),
        (f"{LONG} limit of 5 days", f"{LONG} limit of 10 days"),
        (f"Of staging: {LONG}", f"Of production: {LONG}"),
        (LONG, f"{LONG} unless"),
    ],
)
def test_passages_that_differ_in_a_word_are_two(one: str, other: str) -> None:
    assert len(without_repeats([passage(one), passage(other)])) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("# Restart\n\n- Stop it, then start it.", "## Restart\n* stop it  then\nstart it"),
        ("Say \u201cready\u201d!", 'say "ready"'),
        ("| a | **b** |", "|a|\n|b|"),
    ],
)
def test_marks_punctuation_case_and_white_space_make_no_other_passage(one: str, other: str) -> None:
    assert len(without_repeats([passage(one), passage(other)])) == 1


async def test_a_copy_of_a_page_takes_no_place_among_the_best(pool: Pool, tmp_path: Path) -> None:
    for copy in range(4):
        (tmp_path / f"copy{copy}.md").write_text(PAGE)
    (tmp_path / "other.md").write_text("# Proxies\n\nEach zone has two.")
    await add_source(pool, str(tmp_path))
    await reindex(pool, WordEmbedder())

    found = await search(pool, WordEmbedder(), "restart the proxy", k=2)

    assert [one.rank for one in found] == [1, 2]
    assert found[0].uri.rpartition("/")[2].startswith("copy")
    assert found[1].uri.endswith("other.md")


async def test_however_many_copies_there_are_the_others_are_found(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for copy in range(40):
        (tmp_path / f"copy{copy}.md").write_text(PAGE)
    for other in "abcdefghij":
        (tmp_path / f"{other}.md").write_text(f"# Zone {other}\n\nIts proxy is called {other * 3}.")
    await add_source(pool, str(tmp_path))
    await reindex(pool, WordEmbedder())
    statements = []
    ranked = searching._ranked

    async def counted(*parts: Any, **limits: Any) -> list[Retrieved]:
        statements.append(limits)
        return await ranked(*parts, **limits)

    monkeypatch.setattr(searching, "_ranked", counted)
    found = await search(pool, WordEmbedder(), "restart the proxy from the console", k=5)
    assert len(found) == 5
    assert len({one.text for one in found}) == 5
    assert [one.rank for one in found] == [1, 2, 3, 4, 5]
    assert len(await search(pool, WordEmbedder(), "restart the proxy", k=100)) == 11
    statements.clear()
    assert len(await search(pool, WordEmbedder(), "which zone has the proxy ccc?", k=5)) == 5
    assert len(statements) == 1


async def test_as_many_are_found_as_are_wanted(pool: Pool, tmp_path: Path) -> None:
    for number in range(130):
        (tmp_path / f"{number}.md").write_text(f"Proxy number{number} is restarted on day {number}.")
    await add_source(pool, str(tmp_path))
    await reindex(pool, WordEmbedder())
    assert len(await search(pool, WordEmbedder(), "restart the proxy", k=100)) == 100
    assert len(await search(pool, WordEmbedder(), "restart the proxy", k=2_000)) == 130
