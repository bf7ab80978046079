from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from quoting import WordEmbedder

from knowledge.answers import Retrieved
from knowledge.index import reindex
from knowledge.repeats import without_repeats
from knowledge.search import search
from knowledge.sources import add_source

if TYPE_CHECKING:
    from pathlib import Path

    from knowledge.database import Pool

PAGE = "# Restarting\n\nRestart the proxy from the console, then wait until its log says ready."
WORDS = st.lists(
    st.sampled_from(("restart", "proxy", "log", "ready", "5", "10", "wait")), min_size=1, max_size=9
)


def passage(text: str) -> Retrieved:
    return Retrieved(1, "docs", "file:///a.md", "", "", text, 0, len(text), {})


@given(st.lists(WORDS.map(" ".join), max_size=8))
def test_the_first_stays_and_nothing_is_left_out_but_what_repeats_it(texts: list[str]) -> None:
    kept = [one.text for one in without_repeats([passage(text) for text in texts])]
    assert kept[:1] == texts[:1]
    assert len({frozenset(text.split()) for text in kept}) == len(kept)
    assert {frozenset(text.split()) for text in texts} == {frozenset(text.split()) for text in kept}


def test_passages_that_differ_in_a_number_are_two() -> None:
    text = " ".join(f"word{chr(97 + n)}" for n in range(20))
    limits = [passage(f"{text} limit of {days} days") for days in (5, 10)]
    assert without_repeats(limits) == limits
    assert len(without_repeats([passage(text), passage(f"{text} again")])) == 1


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
