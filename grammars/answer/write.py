"""Write an answer: ask a model under the grammar, and keep of its output what the passages bear out."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from grammars.answer.citations import Quote, claims, locate, quoted, span
from grammars.answer.grammar import SHORTEST, Quotable, answer_grammar, answer_schema
from grammars.answer.partial import close_json, open_string
from grammars.engine.errors import InvalidOutput
from grammars.engine.protocol import AnswerPrompt, Engine, Generation, PassageText, Request, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RETRY_TEMPERATURE = 0.5  # a greedy retry would repeat itself


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer before its citations are resolved to documents.

    Attributes:
        answerable: whether the passages state the answer; without any valid quote they do not.
        confidence: the model's probability that they do, 0 to 1; None where the engine cannot tell.
        answer: text with `[n]` markers into `quotes`, from 1; empty where not answerable.
        quotes: verbatim, without duplicates, in the model's order.
        truncated: the budget ended first; what was unfinished is left out.
        generation: what the engine returned.
    """

    answerable: bool
    confidence: float | None
    answer: str
    quotes: tuple[Quote, ...]
    truncated: bool
    generation: Generation


async def write_answer(
    engine: Engine,
    question: str,
    passages: Sequence[PassageText],
    history: Sequence[Turn] = (),
    *,
    max_tokens: int = 512,
    max_quotes: int = 3,
    min_quotes: int = 0,
    adapter: str | None = None,
    temperature: float = 0.0,
    on_draft: Callable[[Draft], None] | None = None,
) -> Draft:
    """Answer a question from passages, with verbatim quotes, or say that they do not state the answer.

    With `min_quotes` an answer with at least that many is demanded, whether or not the passages state it.
    `on_draft` is told what stands so far, each time that it changes: quotes that are whole and in their
    passages, and the statements that they support.

    Raises:
        EngineError: the model could not answer; BudgetTooSmall before anything was generated, InvalidOutput
            after a retry, from an engine that does not enforce the grammar.
    """
    quotable = [Quotable.of(passage) for passage in passages]
    if not any(passage.units for passage in quotable):
        return Draft(False, None, "", (), truncated=False, generation=Generation(SHORTEST))
    request = Request(
        prompt=AnswerPrompt(question, tuple(passages), tuple(history)),
        grammar=answer_grammar(
            quotable, max_quotes=max_quotes, min_quotes=min_quotes, extractive=engine.extractive
        ),
        schema=answer_schema(max_quotes),
        max_tokens=max_tokens,
        temperature=temperature,
        adapter=adapter,
        shortest=SHORTEST,
    )
    if on_draft:
        request = replace(
            request, on_text=_Watch(on_draft, quotable, max_quotes, extractive=engine.extractive)
        )
    return await _checked(engine, request, quotable, max_quotes)


async def _checked(engine: Engine, request: Request, passages: Sequence[Quotable], max_quotes: int) -> Draft:
    """Generate; where the engine does not enforce the grammar and its output does not hold, once more."""
    generation = await engine.generate(request)
    output = _parse(generation)
    if not engine.enforces_grammar and not _holds(output, passages):
        generation = await engine.generate(
            replace(request, temperature=max(request.temperature, RETRY_TEMPERATURE))
        )
        output = _parse(generation)
    if output is None:
        raise InvalidOutput(engine.name, "its output is not the JSON object that was asked for")
    quotes = _quotes(output, passages, max_quotes)
    unique = tuple(dict.fromkeys(quotes.values()))
    said = _said(output.get("answer"), quotes, extractive=engine.extractive)
    return Draft(
        answerable=bool(quotes),
        confidence=_confidence(output, generation),
        answer=said or quoted(unique),
        quotes=unique,
        truncated=generation.truncated,
        generation=generation,
    )


class _Watch:
    """Reads an output while it is written, and tells what of it stands."""

    def __init__(
        self,
        on_draft: Callable[[Draft], None],
        passages: Sequence[Quotable],
        max_quotes: int,
        *,
        extractive: bool,
    ) -> None:
        self._tell = on_draft
        self._passages = passages
        self._max_quotes = max_quotes
        self._extractive = extractive
        self._told: Draft | None = None

    def __call__(self, text: str) -> None:
        draft = self._draft(text)
        if draft and (self._told is None or _shown(draft) != _shown(self._told)):
            self._told = draft
            self._tell(draft)

    def _draft(self, text: str) -> Draft | None:
        """Return what stands; None where that is nothing, or the output will be asked for again."""
        generation = Generation(text, truncated=True)
        output = _parse(generation)
        if output is None or not output["answerable"] or not _holds(output, self._passages):
            return None
        quotes = _quotes(output, self._passages, self._max_quotes)
        text = output.get("answer") or ("" if self._extractive else open_string(text, "answer"))
        answer = _said(text, quotes, extractive=self._extractive)
        unique = tuple(dict.fromkeys(quotes.values()))
        return Draft(True, None, answer, unique, truncated=False, generation=generation)


def _shown(draft: Draft) -> tuple[str, tuple[Quote, ...]]:
    return draft.answer, draft.quotes


def _parse(generation: Generation) -> dict[str, Any] | None:
    """Return the object that was written, without what was cut; None where it is not one of ours."""
    try:
        output = close_json(generation.text) if generation.truncated else json.loads(generation.text)
    except ValueError:
        return None
    if generation.truncated and output == {}:
        return {"answerable": False}
    valid = isinstance(output, dict) and isinstance(output.get("answerable"), bool)
    return output if valid else None


def _holds(output: dict[str, Any] | None, passages: Sequence[Quotable]) -> bool:
    """Whether an output needs no correction: it is ours, and every quote is in its passage."""
    if output is None:
        return False
    return not output["answerable"] or (
        bool(citations := _citations(output)) and all(locate(citation, passages) for citation in citations)
    )


def _citations(output: dict[str, Any]) -> list[Any]:
    citations = output.get("citations")
    return citations if output["answerable"] and isinstance(citations, list) else []


def _quotes(output: dict[str, Any], passages: Sequence[Quotable], max_quotes: int) -> dict[int, Quote]:
    """Return the valid quotes, once each, by the number that the model's markers use for them."""
    found: dict[int, Quote] = {}
    for number, citation in enumerate(_citations(output)[:max_quotes], 1):
        quote = locate(citation, passages)
        if quote is not None:
            found[number] = quote
    return found


def _said(text: Any, quotes: dict[int, Quote], *, extractive: bool) -> str:
    """Return what the model said of its own that its quotes support; empty where that is nothing."""
    if not isinstance(text, str):
        return ""
    unique = list(dict.fromkeys(quotes.values()))
    positions = {number: unique.index(quote) + 1 for number, quote in quotes.items()}
    return span(text, unique) if extractive else claims(text, positions)


def _confidence(output: dict[str, Any], generation: Generation) -> float | None:
    """Return the probability of `true` where the model chose between it and `false`: its first choice."""
    if not generation.probabilities:
        return None
    chosen = generation.probabilities[0]
    return chosen if output["answerable"] else 1.0 - chosen
