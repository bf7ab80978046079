from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import tiny
import torch
from quoting import WordEmbedder
from transformers import BertConfig, BertForSequenceClassification

from grammars.engine.protocol import PassageText
from knowledge.embed import EmbeddingError, Matcher
from knowledge.index import reindex
from knowledge.rerank import Reranking
from knowledge.search import search
from knowledge.sources import add_source

if TYPE_CHECKING:
    from pathlib import Path

    from knowledge.database import Pool


def cross_encoder(folder: Path, labels: int = 1) -> str:
    """Save a small cross-encoder with random weights."""
    torch.manual_seed(3)
    tokenizer = tiny.tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        initializer_range=0.5,
        num_labels=labels,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


async def test_passages_come_in_the_order_of_the_cross_encoders_scores(pool: Pool, tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    for number in range(6):
        (documents / f"{number}.md").write_text(f"The proxy {number} restarts at {'noon ' * (number + 1)}.")
    await add_source(pool, str(documents))
    await reindex(pool, WordEmbedder())
    async with Reranking.opened(WordEmbedder(), cross_encoder(tmp_path / "model")) as embedder:
        assert isinstance(embedder, Matcher)
        found = await search(pool, embedder, "when does the proxy restart", k=6)
        again = await search(pool, embedder, "when does the proxy restart", k=3)
    scores = [one.scores["reranked"] for one in found]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 1
    assert all(0 <= score <= 1 for score in scores)
    assert [one.passage_id for one in again] == [one.passage_id for one in found[:3]]
    fused = [one.scores["fused"] for one in found]
    assert fused != sorted(fused, reverse=True)


async def test_a_long_passage_is_cut_and_nothing_is_read_of_none(tmp_path: Path) -> None:
    async with Reranking.opened(WordEmbedder(), cross_encoder(tmp_path)) as embedder:
        cut = [PassageText("", "", text) for text in ("word " * 2000, "")]
        assert (await embedder.match("Who?", cut)).shape == (2,)
        assert (await embedder.match("Who?", [])).shape == (0,)


async def test_a_model_of_several_scores_is_no_reranker(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="gives 3 scores"):
        async with Reranking.opened(WordEmbedder(), cross_encoder(tmp_path, labels=3)):
            pass


async def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match=r"nowhere.*cannot be loaded as a reranker"):
        async with Reranking.opened(WordEmbedder(), str(tmp_path / "nowhere")):
            pass
