"""What bench/frameworks.py runs where the frameworks are: `frameworks_child.py ASKED TOLD`, files of JSON.

Each gets what its documentation advises: a full-text column, an HNSW index with our settings, and as many
candidates as we take. The embedder is ours, and sees all passages at once, so that batches fill.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.embeddings import Embeddings
from langchain_postgres import PGEngine, PGVectorStore
from langchain_postgres.v2.hybrid_search_config import (
    HybridSearchConfig,
    reciprocal_rank_fusion,
    weighted_sum_ranking,
)
from langchain_postgres.v2.indexes import HNSWIndex, HNSWQueryOptions
from llama_index.core import VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.llms import MockLLM
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import TextNode
from llama_index.vector_stores.postgres import PGVectorStore as LlamaStore
from sqlalchemy import URL

from knowledge.embed import open_embedder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from knowledge.embed import Embedder

    Search = Callable[[str], Awaitable[Sequence[Any]]]

LINKS, BUILD_CANDIDATES, EF_SEARCH = 16, 64, 400  # as in knowledge.generations and knowledge.search
CANDIDATES = 50  # of each leg, as in knowledge.search
K = 10
MOST_AT_ONCE = 2048  # texts that LlamaIndex hands to an embedder


async def main(asked: Path, told: Path) -> None:
    job = json.loads(await asyncio.to_thread(asked.read_text))
    url = _url(job["server"])
    async with open_embedder("embedded") as embedder:
        await embedder.embed(job["passages"][:MOST_AT_ONCE])  # warm: the first batch of a shape compiles
        rows = [await measure(embedder, url, job) for measure in (langchain, llama_index)]
    await asyncio.to_thread(told.write_text, json.dumps(rows))


async def langchain(embedder: Embedder, url: URL, job: dict[str, Any]) -> dict[str, Any]:
    """Measure langchain-postgres: `PGVectorStore` with its hybrid search."""
    engine = PGEngine.from_connection_string(url)
    service = _LangChainEmbeddings(embedder)
    await engine.ainit_vectorstore_table(
        "langchain", embedder.dimensions, hybrid_search_config=_hybrid(weighted_sum_ranking)
    )

    async def store(hybrid: HybridSearchConfig | None) -> PGVectorStore:
        return await PGVectorStore.create(
            engine, service, "langchain", hybrid_search_config=hybrid,
            index_query_options=HNSWQueryOptions(ef_search=EF_SEARCH),
        )  # fmt: skip

    whole = await store(_hybrid(weighted_sum_ranking))
    ids = [str(uuid.UUID(int=place)) for place in range(len(job["passages"]))]
    began = time.perf_counter()
    await whole.aadd_texts(job["passages"], ids=ids)
    await whole.aapply_vector_index(HNSWIndex(m=LINKS, ef_construction=BUILD_CANDIDATES))
    await whole.aapply_hybrid_search_index()
    seconds = time.perf_counter() - began
    ways = {
        "dense": await store(None),
        "hybrid, weighted": whole,
        "hybrid, ranks": await store(_hybrid(reciprocal_rank_fusion)),
    }
    rankings = {way: [await _langchain_search(by, q) for q in job["questions"]] for way, by in ways.items()}
    return _row("langchain-postgres", seconds, rankings)


async def _langchain_search(store: PGVectorStore, question: str) -> list[int]:
    return [uuid.UUID(found.id).int for found in await store.asimilarity_search(question, k=K)]


def _hybrid(fusion: Any) -> HybridSearchConfig:
    return HybridSearchConfig(
        tsv_column="content_tsv",
        fusion_function=fusion,
        fusion_function_parameters={"fetch_top_k": K},
        primary_top_k=CANDIDATES,
        secondary_top_k=CANDIDATES,
    )


async def llama_index(embedder: Embedder, url: URL, job: dict[str, Any]) -> dict[str, Any]:
    """Measure llama-index-vector-stores-postgres: its hybrid mode, and the fusion advised for it."""
    names = {"hnsw_m": LINKS, "hnsw_ef_construction": BUILD_CANDIDATES, "hnsw_ef_search": EF_SEARCH}
    store = LlamaStore(
        connection_string=url.set(drivername="postgresql+psycopg"),
        async_connection_string=url.set(drivername="postgresql+psycopg"),
        table_name="llama",
        schema_name="public",
        embed_dim=embedder.dimensions,
        hybrid_search=True,
        text_search_config="english",
        hnsw_kwargs={**names, "hnsw_dist_method": "vector_cosine_ops"},
    )
    service = _LlamaEmbedding(embed_batch_size=MOST_AT_ONCE)
    service._embedder = embedder  # noqa: SLF001 a pydantic model keeps what is no setting so
    index = VectorStoreIndex.from_vector_store(store, embed_model=service)
    nodes = [TextNode(id_=str(place), text=text) for place, text in enumerate(job["passages"])]
    began = time.perf_counter()
    await index.ainsert_nodes(nodes)
    seconds = time.perf_counter() - began
    dense, sparse, hybrid = (_retriever(index, mode) for mode in ("default", "sparse", "hybrid"))
    fusion = QueryFusionRetriever(
        [dense, sparse], llm=MockLLM(), similarity_top_k=K, num_queries=1, mode="relative_score"
    )
    ways = {"dense": dense, "hybrid": hybrid, "hybrid, fused": fusion}
    rankings = {way: [await _llama_search(by, q) for q in job["questions"]] for way, by in ways.items()}
    return _row("llama-index-vector-stores-postgres", seconds, rankings)


def _retriever(index: VectorStoreIndex, mode: str) -> Any:
    return index.as_retriever(
        vector_store_query_mode=mode, similarity_top_k=CANDIDATES, sparse_top_k=CANDIDATES
    )


async def _llama_search(retriever: Any, question: str) -> list[int]:
    found = await retriever.aretrieve(question)
    return [int(hit.node.node_id) for hit in found[:K]]


class _LangChainEmbeddings(Embeddings):
    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return (await self._embedder.embed(texts)).tolist()

    async def aembed_query(self, text: str) -> list[float]:
        return (await self.aembed_documents([text]))[0]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise NotImplementedError

    def embed_query(self, text: str) -> list[float]:
        raise NotImplementedError


class _LlamaEmbedding(BaseEmbedding):
    _embedder: Any = None

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return (await self._embedder.embed(texts)).tolist()

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return (await self._aget_text_embeddings([query]))[0]

    def _get_text_embedding(self, text: str) -> list[float]:
        raise NotImplementedError

    def _get_query_embedding(self, query: str) -> list[float]:
        raise NotImplementedError


def _row(name: str, seconds: float, rankings: dict[str, list[list[int]]]) -> dict[str, Any]:
    return {"name": f"{name} {version(name)}", "seconds": seconds, "rankings": rankings}


def _url(server: dict[str, Any]) -> URL:
    """Return the server's address as SQLAlchemy wants it; a socket's folder is its host."""
    return URL.create(
        "postgresql+psycopg", server["user"], database=server["dbname"], query={"host": server["host"]}
    )


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
