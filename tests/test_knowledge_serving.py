"""A worker with another embedder than the index has: the old index answers until the new one does."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hashing import HashingEmbedder
from running_bot import until

from knowledge.database import open_pool
from knowledge.embed import EmbeddingError
from knowledge.generations import GenerationError
from knowledge.index import reindex
from knowledge.jobs import open_jobs
from knowledge.reindexing import request_reindex, work_on_sources
from knowledge.runs import recent_runs
from knowledge.search import search
from knowledge.serving import Serving
from knowledge.sources import add_source
from knowledge.sources.origin import Reach
from knowledge.status import status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from procrastinate import App

    from knowledge.database import Pool
    from knowledge.embed import Embedder

CURRENT = """
select embedder, dimensions,
       array(select distinct vector_dims(embedding) from passages where generation_id = g.id)
  from generations g where is_current"""
OLD, NEW = ("old", 64), ("new", 32)


class Gated(HashingEmbedder):
    """Embeds documents once a gate is open."""

    def __init__(self, *named: Any) -> None:
        super().__init__(*named)
        self.gate = asyncio.Event()
        self.reached = asyncio.Event()

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if texts != [QUESTION]:
            self.reached.set()
            await self.gate.wait()
        return await super().embed(texts)


QUESTION = "about"


@asynccontextmanager
async def reopened(name: str) -> AsyncIterator[Embedder]:
    assert name == OLD[0]
    yield HashingEmbedder(*OLD)


@asynccontextmanager
async def lost(name: str) -> AsyncIterator[Embedder]:
    raise EmbeddingError(f"{name} is gone")
    yield


@pytest.fixture
async def pool(conninfo: str) -> AsyncIterator[Pool]:
    async with open_pool(conninfo, size=14) as pool:
        yield pool


@pytest.fixture
async def jobs(pool: Pool) -> AsyncIterator[App]:
    async with open_jobs(pool) as jobs:
        yield jobs


@pytest.fixture
async def docs(pool: Pool, tmp_path: Path) -> Path:
    """A folder that was indexed with the old embedder."""
    for name in ("proxy", "leave", "budget"):
        (tmp_path / f"{name}.md").write_text(f"# {name.title()}\n\nEverything about the {name}.\n")
    await add_source(pool, str(tmp_path), name="docs")
    await reindex(pool, HashingEmbedder(*OLD))
    return tmp_path


@asynccontextmanager
async def working(jobs: App, pool: Pool, serving: Serving) -> AsyncIterator[None]:
    worker = asyncio.create_task(work_on_sources(jobs, pool, serving, Reach()))
    try:
        yield
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


async def texts(pool: Pool, serving: Serving) -> set[str]:
    found = await serving.use(lambda embedder: search(pool, embedder, QUESTION, k=20))
    return {passage.text for passage in found}


async def current(pool: Pool) -> str:
    """Return the embedder of the current generation, whose vectors are all its own."""
    async with pool.connection() as connection:
        row = await (await connection.execute(CURRENT)).fetchone()  # in one statement: a switch may come
    assert row is not None
    embedder, dimensions, lengths = row
    assert lengths == [dimensions]
    return str(embedder)


async def serves(name: str, pool: Pool) -> bool:
    return await current(pool) == name


async def finished(pool: Pool, number: int) -> bool:
    return any(run.id == number and run.state == "finished" for run in await recent_runs(pool))


@pytest.mark.usefixtures("docs")
async def test_the_old_index_answers_and_follows_its_documents_until_the_new_one_is_built(
    pool: Pool, jobs: App, docs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    new = Gated(*NEW)
    before = {f"Everything about the {name}." for name in ("proxy", "leave", "budget")}
    async with Serving.opened(pool, new, reopened) as serving, working(jobs, pool, serving):
        await new.reached.wait()
        assert await texts(pool, serving) == before
        assert "built with the embedder old, and new is set" in caplog.text
        building = (await status(pool)).building
        assert building is not None
        assert (building.embedder, building.passages) == ("new", 0)
        (docs / "proxy.md").write_text("# Proxy\n\nNever think about the proxy.\n")
        (docs / "leave.md").unlink()
        (number,) = await request_reindex(pool, jobs, cause="watch")
        await until(partial(finished, pool, number))
        after = {"Never think about the proxy.", "Everything about the budget."}
        assert await texts(pool, serving) == after
        assert await current(pool) == "old"
        new.gate.set()
        await until(partial(serves, "new", pool))
        assert await texts(pool, serving) == after
        assert (await status(pool)).building is None


async def test_a_run_during_which_the_index_is_switched_goes_on_with_the_other_embedder(
    pool: Pool, jobs: App, docs: Path
) -> None:
    (docs / "proxy.md").write_text("# Proxy\n\nNever think about the proxy.\n")
    old = Gated(*OLD)
    async with Serving.opened(pool, old, None) as serving, working(jobs, pool, serving):
        (number,) = await request_reindex(pool, jobs, cause="watch")
        await old.reached.wait()
        own = HashingEmbedder(*NEW)
        serving.own = own
        await reindex(pool, own, [])
        old.gate.set()
        await until(partial(finished, pool, number))
        run = (await recent_runs(pool))[0]
        assert (run.seen, run.indexed, run.unchanged) == (3, 1, 2)
        assert "Never think about the proxy." in await texts(pool, serving)
        assert await current(pool) == "new"


@pytest.mark.usefixtures("docs")
async def test_an_embedder_that_is_lost_is_said_and_the_index_built_with_the_one_that_is_set(
    pool: Pool, jobs: App
) -> None:
    serving = Serving(pool, HashingEmbedder(*NEW), lost)
    with pytest.raises(GenerationError, match=r"old is gone.*almanac reindex"):
        await texts(pool, serving)
    altered = Serving(pool, HashingEmbedder(*NEW), lambda name: reopened_with(name, 16))
    with pytest.raises(GenerationError, match="16 numbers now, not of 64"):
        await texts(pool, altered)
    (number,) = await request_reindex(pool, jobs, cause="watch")
    async with working(jobs, pool, serving):
        await until(partial(finished, pool, number))
        assert len(await texts(pool, serving)) == 3


@asynccontextmanager
async def reopened_with(name: str, dimensions: int) -> AsyncIterator[Embedder]:
    yield HashingEmbedder(name, dimensions)
