"""Embeddings from any server that speaks OpenAI's `/embeddings`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp
import numpy as np
import stamina

from knowledge.embed import EmbeddingError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from numpy.typing import NDArray

BATCH_TEXTS = 64
TIMEOUT_SECONDS = 60
ATTEMPTS = 5


class _TemporaryError(Exception):
    """The server asked to be tried again later."""


@dataclass(frozen=True, slots=True)
class RemoteEmbedder:
    """A model behind `POST {url}/embeddings`; connections are kept between calls."""

    name: str
    dimensions: int
    _url: str
    _model: str
    _session: aiohttp.ClientSession

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, model: str, *, api_key: str | None) -> AsyncIterator[RemoteEmbedder]:
        """Connect, and learn the vectors' length from one embedding.

        Raises:
            EmbeddingError: the server cannot be reached or refuses.
        """
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        endpoint = f"{url.rstrip('/')}/embeddings"
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            probe = await _request(session, endpoint, model, ["dimensions"])
            yield cls(f"openai:{url}#{model}", probe.shape[1], endpoint, model, session)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one L2-normalised row a text: shape (len(texts), dimensions)."""
        batches = [texts[first : first + BATCH_TEXTS] for first in range(0, len(texts), BATCH_TEXTS)]
        empty = np.empty((0, self.dimensions), dtype=np.float32)
        rows = [await _request(self._session, self._url, self._model, batch) for batch in batches]
        return np.concatenate([empty, *rows])


async def _request(
    session: aiohttp.ClientSession, url: str, model: str, texts: Sequence[str]
) -> NDArray[np.float32]:
    """Ask once, and again with growing waits where the server is busy or unreachable."""
    try:
        async for attempt in stamina.retry_context(
            on=(TimeoutError, _TemporaryError, aiohttp.ClientConnectionError), attempts=ATTEMPTS
        ):
            with attempt:
                return await _post(session, url, {"model": model, "input": list(texts)}, len(texts))
    except (TimeoutError, _TemporaryError, aiohttp.ClientError) as error:
        raise EmbeddingError(
            f"The embedding server at {url} failed: {error or type(error).__name__}"
        ) from error
    raise AssertionError  # pragma: no cover - the loop returns or raises


async def _post(
    session: aiohttp.ClientSession, url: str, body: dict[str, Any], count: int
) -> NDArray[np.float32]:
    async with session.post(url, json=body) as response:
        if (
            response.status == HTTPStatus.TOO_MANY_REQUESTS
            or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        ):
            raise _TemporaryError(f"HTTP {response.status}")
        if response.status != HTTPStatus.OK:
            said = (await response.text())[:200]
            raise EmbeddingError(f"The embedding server at {url} refused (HTTP {response.status}): {said}")
        return _unit_rows(await response.json(content_type=None), url, count)


def _unit_rows(answer: Any, url: str, count: int) -> NDArray[np.float32]:
    try:
        data = sorted(answer["data"], key=lambda item: item["index"])
        rows = np.array([item["embedding"] for item in data], dtype=np.float32).reshape(count, -1)
    except (KeyError, TypeError, ValueError) as error:
        raise EmbeddingError(f"The server at {url} answered, but not with {count} embeddings.") from error
    unit: NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit
