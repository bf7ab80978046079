from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from quoting import WordEmbedder

from knowledge import embed_local
from knowledge.embed import Matcher, embedded_model, open_embedder
from knowledge.embed_local import LocalEmbedder
from knowledge.index import reindex
from knowledge.reread import REREAD
from knowledge.search import search
from knowledge.sources import add_source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from knowledge.database import Pool


class Reader(WordEmbedder):
    """Prefers the texts that hold a word, and keeps what it was given."""

    stage, fused_weight = "words", 0.4

    def __init__(self, preferred: str) -> None:
        self.preferred = preferred
        self.read: list[str] = []

    async def match(self, _question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        self.read = list(texts)
        return np.array([float(self.preferred in text) for text in texts], np.float32)


@pytest.fixture
async def folder(pool: Pool, tmp_path: Path) -> Path:
    for number in range(REREAD + 5):
        (tmp_path / f"{number:02}.md").write_text(
            f"# Page {number}\n\n{'proxy ' * (20 - number)}word{number}"
        )
    await add_source(pool, str(tmp_path))
    await reindex(pool, WordEmbedder())
    return tmp_path


async def test_the_best_passages_are_ranked_anew_by_what_is_read_of_them(pool: Pool, folder: Path) -> None:
    before = await search(pool, WordEmbedder(), "proxy", k=REREAD + 5)
    last = before[REREAD - 1]
    reader = Reader(last.text.split()[-1])

    found = await search(pool, reader, "proxy", k=REREAD + 5)

    assert found[0].passage_id == last.passage_id
    assert found[0].scores["words"] == 1
    assert reader.read[0].startswith(f"{before[0].title}\n")
    assert [passage.rank for passage in found] == list(range(1, len(before) + 1))
    rest = [passage.passage_id for passage in before if passage.passage_id != last.passage_id]
    assert [passage.passage_id for passage in found[1:]] == rest
    assert all("words" not in passage.scores for passage in found[REREAD:])


async def test_more_are_read_than_are_asked_for(pool: Pool, folder: Path) -> None:
    reader = Reader("word9")
    found = await search(pool, reader, "proxy", k=1)
    assert len(reader.read) == REREAD
    assert [passage.text.split()[-1] for passage in found] == ["word9"]


async def test_nothing_is_read_where_nothing_is_indexed(pool: Pool) -> None:
    reader = Reader("")
    assert await search(pool, reader, "proxy") == []
    assert reader.read == []


async def test_the_embedded_model_matches_word_by_word() -> None:
    texts = [
        "The lift in the east wing is out of order until Monday.",
        "Tickets are sold at the counter from nine to five.",
        "\u200b",
    ]
    async with open_embedder("embedded") as embedder:
        assert isinstance(embedder, Matcher)
        scores = await embedder.match("is the elevator broken?", texts)
        alone = await embedder.match("is the elevator broken?", texts[:1])
        same = await embedder.match(texts[0], texts[:1])
        nothing = await embedder.match("", texts)
        again = await embedder.match("is the elevator broken?", [texts[2], texts[0], texts[0]])
    assert scores.shape == (3,)
    assert scores[0] > scores[1] > scores[2]
    assert alone[0] == pytest.approx(scores[0], abs=0.01)  # neither batch nor padding shows
    assert same[0] == pytest.approx(1, abs=0.01)
    assert nothing.tolist() == [0, 0, 0]
    assert again.tolist() == pytest.approx([scores[2], scores[0], scores[0]], abs=0.01)


async def test_texts_that_were_read_before_are_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed_local, "REMEMBERED", 2)
    async with LocalEmbedder.opened("embedded", str(embedded_model())) as embedder:
        read: list[str] = []
        encode = LocalEmbedder._encode

        def noted(self: LocalEmbedder, texts: Sequence[str]) -> list[list[int]]:
            read.extend(texts)
            return encode(self, texts)

        monkeypatch.setattr(LocalEmbedder, "_encode", noted)
        await embedder.match("Who?", ["first", "second", "third"])
        await embedder.match("When?", ["third", "second"])
        await embedder.match("Why?", ["first"])
    assert read == ["Who?", "first", "second", "third", "When?", "Why?", "first"]
