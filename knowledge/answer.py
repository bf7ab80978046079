"""Answer a question: search, write under the grammar, resolve the citations, keep a trace."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from grammars.answer import write_answer
from grammars.engine.errors import EngineError
from grammars.engine.protocol import PassageText
from knowledge.answers import Answer, Citation
from knowledge.embed import Matcher
from knowledge.questions import read_question, search_query
from knowledge.search import search
from knowledge.traces import Trace, save_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from grammars.answer import Draft, Quote
    from grammars.engine.protocol import Engine, Turn
    from knowledge.answers import Retrieved
    from knowledge.audience import Audience
    from knowledge.database import Pool
    from knowledge.embed import Embedder

EMPTY = "There was no question. Ask me something that the documents may answer."


async def answer(
    pool: Pool,
    embedder: Embedder,
    engine: Engine,
    question: str,
    *,
    history: Sequence[Turn] = (),
    k: int = 5,
    max_quotes: int = 3,
    max_tokens: int = 512,
    adapter: str | None = None,
    audience: Audience | None = None,
    on_progress: Callable[[Answer], None] | None = None,
) -> Answer:
    """Answer from the `k` best passages, with verbatim quotes, or say that they do not state the answer.

    Args:
        pool: of the database, where the trace is kept too.
        embedder: the one that the index was built with.
        engine: the model that answers.
        question: as it was asked; cleaned and, where it is too long, cut with a note.
        history: what was said before it, oldest first.
        k: passages that the model reads.
        max_quotes: citations at most.
        max_tokens: the model's budget.
        adapter: the engine's adapter to answer with; None is its current one.
        audience: who will see the answer, as for `search`.
        on_progress: told what stands of the answer, each time that there is more: whole quotes, and what they
            support. An engine that has to begin anew may come to something else.

    Raises:
        EngineError: the model could not answer; the trace says so too.
        EmbeddingError, GenerationError: the question could not be searched for.
    """
    asked, note = read_question(question)
    trace = Trace(str(uuid.uuid4()), asked, search_query(asked, history), tuple(history), audience=audience)
    timed, clock = _TimedEmbedder(embedder), _Clock()
    retrieved = tuple(await search(pool, timed, trace.query, k=k, audience=audience)) if asked else ()
    clock.lap("search", without=timed.ms)
    passages = [PassageText(passage.title, passage.heading, passage.text) for passage in retrieved]

    def tell(so_far: Draft) -> None:
        if on_progress:
            on_progress(_resolved(so_far, trace, retrieved, engine.name))

    limits = {"max_quotes": max_quotes, "max_tokens": max_tokens}
    told = tell if on_progress else None
    try:
        draft = await write_answer(engine, asked, passages, history, adapter=adapter, on_draft=told, **limits)
    except EngineError as error:
        await save_trace(pool, replace(trace, error=str(error)))
        raise
    clock.lap("generate")
    result = replace(
        _resolved(draft, trace, retrieved, engine.name),
        timings_ms={"embed": timed.ms, **clock.laps, "total": clock.total},
        note=(note or draft.generation.extra.get("note")) if asked else EMPTY,
    )
    await save_trace(pool, replace(trace, answer=result, output=draft.generation.text))
    return result


def _resolved(draft: Draft, trace: Trace, retrieved: tuple[Retrieved, ...], model: str) -> Answer:
    """Return the answer whose citations point into the stored documents."""
    generation = draft.generation
    return Answer(
        question=trace.question,
        answerable=draft.answerable,
        answer=draft.answer,
        citations=tuple(
            _citation(marker, quote, retrieved[quote.passage]) for marker, quote in enumerate(draft.quotes, 1)
        ),
        retrieved=retrieved,
        model=model,
        adapter=generation.adapter,
        trace_id=trace.id,
        confidence=draft.confidence,
        truncated=draft.truncated,
        tokens={
            "prompt": generation.prompt_tokens,
            "completion": generation.completion_tokens,
            "forward_passes": generation.forward_passes,
        },
    )


def _citation(marker: int, quote: Quote, passage: Retrieved) -> Citation:
    return Citation(
        marker=marker,
        quote=quote.text,
        source=passage.source,
        uri=passage.uri,
        title=passage.title,
        heading=passage.heading,
        start=passage.start + quote.start,
        end=passage.start + quote.end,
        link=passage.link,
        changed_at=passage.changed_at,
    )


class _Clock:
    """Milliseconds of one answer's stages."""

    def __init__(self) -> None:
        self._began = self._last = time.perf_counter()
        self.laps: dict[str, float] = {}

    @property
    def total(self) -> float:
        return (time.perf_counter() - self._began) * 1000

    def lap(self, stage: str, *, without: float = 0.0) -> None:
        now = time.perf_counter()
        self.laps[stage] = (now - self._last) * 1000 - without
        self._last = now


class _TimedEmbedder:
    """An embedder that says how long it took, which `search` does not."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.name, self.dimensions = embedder.name, embedder.dimensions
        self.ms = 0.0
        if isinstance(embedder, Matcher):
            self.match, self.stage, self.fused_weight = embedder.match, embedder.stage, embedder.fused_weight

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        began = time.perf_counter()
        try:
            return await self._embedder.embed(texts)
        finally:
            self.ms += (time.perf_counter() - began) * 1000
