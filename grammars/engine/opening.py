"""The choice of engine by its setting."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from grammars.engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from grammars.embedded.readings import Readings
    from grammars.engine.generator import Loaded
    from grammars.engine.local import LocalEngine
    from grammars.engine.protocol import Engine

EMBEDDED = "embedded"
_REMOTE = ("vllm", "openai")


@asynccontextmanager
async def open_engine(
    spec: str,
    *,
    adapter: str | None = None,
    api_key: str | None = None,
    dtype: str = "auto",
    readings: Readings | None = None,
    seconds: float = 120.0,
) -> AsyncIterator[Engine]:
    """Open the model that `spec` names.

    Args:
        spec: `embedded`, a hub name or local path, `vllm:URL#MODEL` or `openai:URL#MODEL`.
        adapter: the folder of an adapter to answer with; local models only.
        api_key: a model server's.
        dtype: how a hub model's weights are kept, as `load_pretrained` says.
        readings: of passages, which `embedded` shares with the search.
        seconds: a request takes at most this long.

    Raises:
        EngineError: there is no such model, or the adapter is not one of it.
    """
    kind, _, rest = spec.partition(":")
    if kind in _REMOTE and "://" in rest:
        url, _, model = rest.partition("#")
        if not model or adapter:
            raise EngineError(
                f"A model server is named as {kind}:URL#MODEL, and takes no adapter: got {spec!r}."
            )
        from grammars.engine.remote import RemoteEngine

        async with RemoteEngine(kind, url, model, api_key=api_key, seconds=seconds) as remote:
            yield remote
        return
    async with _local(spec, dtype, readings, seconds) as local:
        if adapter:
            name = Path(adapter).name
            await local.load_adapter(name, Path(adapter))
            local.use_adapter(name)
        yield local


def _local(spec: str, dtype: str, readings: Readings | None, seconds: float) -> LocalEngine:
    from grammars.engine.local import LocalEngine

    if spec == EMBEDDED:
        return LocalEngine(EMBEDDED, lambda: load_embedded(readings), extractive=True, seconds=seconds)
    from grammars.engine.pretrained import load_pretrained

    return LocalEngine(spec, lambda: load_pretrained(spec, dtype=dtype), seconds=seconds)


def load_embedded(readings: Readings | None = None) -> Loaded:
    """Load the model that ships with us."""
    from grammars.embedded.language import unreadable
    from grammars.embedded.layout import render
    from grammars.embedded.loading import load, load_locator
    from grammars.engine.generator import Loaded

    model, tokenizer = load(readings=readings)
    locate = load_locator(model.encoder.glance.minilm)
    return Loaded(model, tokenizer, render, unable=unreadable, locate=locate)
