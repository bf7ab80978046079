from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from aiohttp import web

from grammars.engine.protocol import PassageText
from knowledge.embed import EmbeddingError, embedded_model, open_embedder
from knowledge.embed_local import LocalEmbedder, _batches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def test_the_embedded_model_knows_what_is_near() -> None:
    texts = [
        "How do I cancel my train ticket?",
        "Cancelling a ticket for the train",
        "The pod is crash looping",
        "word " * 900,
    ]
    async with open_embedder("embedded") as embedder:
        together = await embedder.embed(texts)
        alone = np.concatenate([await embedder.embed([text]) for text in texts])
        assert (await embedder.embed([])).shape == (0, 384)
    assert (embedder.name, together.shape, together.dtype) == ("embedded", (4, 384), np.float32)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)
    assert (together * alone).sum(1).min() > 0.999  # neither batch nor padding shows
    assert together[0] @ together[1] > together[0] @ together[2] + 0.2


@pytest.mark.skipif(torch.cuda.is_available(), reason="the next one says more where there is a GPU")
async def test_the_model_is_moved_to_the_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises((AssertionError, RuntimeError), match=r"CUDA|NVIDIA"):  # there is none, in truth
        async with open_embedder("embedded"):
            pass


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
async def test_a_gpu_reads_as_the_processor_does(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["How do I cancel my train ticket?", "The pod is crash looping", "word " * 900]
    vectors, matches = [], []
    for on_gpu in (True, False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda on_gpu=on_gpu: on_gpu)
        async with LocalEmbedder.opened("embedded", str(embedded_model())) as embedder:
            vectors.append(await embedder.embed(texts))
            matches.append(await embedder.match(texts[0], [PassageText("", "", text) for text in texts]))
    assert (vectors[0] * vectors[1]).sum(1).min() > 0.999
    assert matches[0] == pytest.approx(matches[1], abs=0.02)


def test_batches_fill_the_shapes_that_they_are_padded_to() -> None:
    counts = list(np.random.default_rng(0).integers(3, 513, 2000))
    batches = _batches(counts)
    assert sorted(row for _, rows in batches for row in rows) == list(range(2000))
    assert all(counts[row] <= length for length, rows in batches for row in rows)
    unfilled = [length for length, rows in batches if len(rows) & (len(rows) - 1)]
    assert len(unfilled) == len(set(unfilled))  # but for the last of a length, each is a power of two


async def test_embedding_leaves_the_loop_free() -> None:
    async with open_embedder("embedded") as embedder:
        work = asyncio.create_task(embedder.embed(["some words to embed here"] * 300))
        turns = 0
        while not work.done():
            await asyncio.sleep(0)
            turns += 1
    assert turns > 10


async def test_a_model_that_does_not_exist_is_named() -> None:
    with pytest.raises(EmbeddingError, match="nowhere"):
        async with open_embedder("./nowhere"):
            pass


def test_importing_knowledge_brings_no_torch() -> None:
    modules = "knowledge.index, knowledge.search, knowledge.embed, knowledge.status, knowledge.server"
    code = f"import sys, {modules}; print({{'torch', 'transformers', 'alembic'}} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


class Server:
    """A server of `/embeddings` that fails as it is told to."""

    def __init__(self) -> None:
        self.failures: list[int] = []
        self.requests: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()

    async def embeddings(self, request: web.Request) -> web.Response:
        self.keys.add(request.headers.get("Authorization"))
        if self.failures:
            return web.Response(status=self.failures.pop(0), text="try later")
        body = await request.json()
        self.requests.append(body)
        data = [{"index": n, "embedding": [len(text), 0.0, 1.0]} for n, text in enumerate(body["input"])]
        return web.json_response({"data": data[::-1]})


@asynccontextmanager
async def _serving(server: Server) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/v1/embeddings", server.embeddings)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def test_a_remote_server_is_asked_in_batches_and_again_when_busy() -> None:
    server = Server()
    async with _serving(server) as url, open_embedder(f"openai:{url}#m", api_key="secret") as embedder:
        assert (embedder.name, embedder.dimensions) == (f"openai:{url}#m", 3)
        server.failures = [429, 503]
        vectors = await embedder.embed(["x" * n for n in range(100)])
    lengths = vectors[:, 0] / vectors[:, 2]
    assert lengths == pytest.approx(np.arange(100), rel=1e-4)
    assert [len(request["input"]) for request in server.requests] == [1, 64, 36]
    assert server.keys == {"Bearer secret"}


async def test_a_remote_server_that_refuses_is_named_without_the_key() -> None:
    server = Server()
    server.failures = [401]
    async with _serving(server) as url:
        with pytest.raises(EmbeddingError, match="HTTP 401") as refused:
            async with open_embedder(f"openai:{url}#m", api_key="secret"):
                pass
    assert "secret" not in str(refused.value)
