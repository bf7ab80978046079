from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from quoting import WordEmbedder

from grammars.embedded.layout import render
from grammars.embedded.loading import load
from grammars.embedded.readings import Readings
from grammars.engine.protocol import AnswerPrompt, PassageText
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

    from grammars.embedded.readings import Line
    from knowledge.database import Pool


class Reader(WordEmbedder):
    """Prefers the texts that hold a word, and keeps what it was given."""

    stage, fused_weight = "words", 0.4

    def __init__(self, preferred: str) -> None:
        self.preferred = preferred
        self.read: list[PassageText] = []

    async def match(self, _question: str, passages: Sequence[PassageText]) -> NDArray[np.float32]:
        self.read = list(passages)
        return np.array([float(self.preferred in passage.text) for passage in passages], np.float32)


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
    assert reader.read[0] == PassageText(before[0].title, before[0].heading, before[0].text)
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


def passages(*texts: str) -> list[PassageText]:
    return [PassageText("", "", text) for text in texts]


@pytest.mark.parametrize("name", ["embedded", str(embedded_model())])
async def test_a_local_model_matches_word_by_word(name: str) -> None:
    texts = passages(
        "The lift in the east wing is out of order until Monday.",
        "Tickets are sold at the counter from nine to five.",
        "\u200b",
    )
    async with open_embedder(name) as embedder:
        assert isinstance(embedder, Matcher)
        scores = await embedder.match("is the elevator broken?", texts)
        alone = await embedder.match("is the elevator broken?", texts[:1])
        same = await embedder.match(texts[0].text, texts[:1])
        nothing = await embedder.match("", texts)
        again = await embedder.match("is the elevator broken?", [texts[2], texts[0], texts[0]])
        none = await embedder.match("is the elevator broken?", [])
    assert scores.shape == (3,)
    assert scores[0] > scores[1] > scores[2]
    assert alone[0] == pytest.approx(scores[0], abs=0.01)  # neither batch nor padding shows
    assert same[0] == pytest.approx(1, abs=0.05)
    assert nothing.tolist() == [0, 0, 0]
    assert again.tolist() == pytest.approx([scores[2], scores[0], scores[0]], abs=0.01)
    assert none.shape == (0,)


async def test_passages_that_were_read_before_are_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(embedded_model())
    async with LocalEmbedder.opened("embedded", path, Readings(2)) as embedder:
        read: list[int] = []
        forward = LocalEmbedder._forward

        def noted(self: LocalEmbedder, batch: list[Line], length: int) -> Any:
            read.append(len(batch))
            return forward(self, batch, length)

        monkeypatch.setattr(LocalEmbedder, "_forward", noted)
        for texts in (("first", "second", "third"), ("third", "second"), ("first",)):
            await embedder.match("Who?", passages(*texts))
    assert read == [4, 1, 2]  # the question each time


@pytest.mark.parametrize("text", ['Kept\nfor 30 days. Ask "Ops".', "One. Two! `three` - 4\n\n- five"])
async def test_what_the_search_read_the_model_does_not_read_again(text: str) -> None:
    """Search and model read a passage alone as the same pieces, so that one reading does for both."""
    shared, passage = Readings(), PassageText("Ops", "Logs › Age", text)  # noqa: RUF001 - a heading path
    async with open_embedder("embedded", readings=shared) as embedder:
        await cast("Matcher", embedder).match("How long are logs kept?", [passage])
    before = set(shared._known)
    model, tokenizer = load(readings=shared)
    prompt = AnswerPrompt("How long are logs kept?", (passage,))
    with torch.inference_mode():
        model.encoder(**tokenizer(render(prompt), return_tensors="pt"))
    (added,) = set(shared._known) - before
    assert len(added) < 20  # the question
