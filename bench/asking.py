"""One leaf asked of a text as a question: the engine answers with one sentence and words of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grammars.answer.grammar import SHORTEST, answer_schema, json_escape
from grammars.answer.sentences import units
from grammars.engine.protocol import AnswerPrompt, PassageText, Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from grammars.engine.protocol import Engine, Generation

Span = tuple[int, int]

MAX_TOKENS = 400
_OPENING = '{"answerable":'
_YES = 'true,"citations":[{"quote":"'
_PASSAGE = '","passage":1}],"answer":"'
_END = '"}'


@dataclass(frozen=True, slots=True)
class Reply:
    """What the engine says a leaf's value is: a span, the sentence around it, and how sure it is."""

    span: Span | None
    sentence: Span | None
    confidence: float  # that the text states it, 0 to 1


async def ask(engine: Engine, question: str, text: str) -> Reply:
    """Ask a text a question whose answer is any words of one sentence.

    Raises:
        EngineError: the model could not answer.
    """
    sentences = [(unit.content, unit.end) for unit in units(text) if not unit.blank]
    grammar = "\n".join(_grammar(text, sentences)) + "\n"
    request = Request(
        prompt=AnswerPrompt(question, (PassageText("", "", text),)),
        grammar=grammar,
        schema=answer_schema(1),
        max_tokens=MAX_TOKENS,
        shortest=SHORTEST,
    )
    return _reply(await engine.generate(request), text, sentences)


def _grammar(text: str, sentences: Sequence[Span]) -> Iterator[str]:
    """Yield the Lark rules: a refusal, or one sentence and a span of it.

    A sentence and what follows it are one terminal: one sentence may begin another.
    """
    options = []
    for number, sentence in enumerate(sentences):
        options.append(f"s{number}")
        quote = json.dumps(json_escape(text[slice(*sentence)]) + _PASSAGE)
        yield f"s{number}: {quote} A{number} {json.dumps(_END)}"
        chunks = [json_escape(word) for word in re.findall(r"\w+|\W", text[slice(*sentence)])]
        yield f"A{number}: %regex {json.dumps({'substring_chunks': chunks})}"
    yes = f"{json.dumps(_YES)} ({' | '.join(options)}) | " if options else ""
    yield f"start: {json.dumps(_OPENING)} ({yes}{json.dumps('false}')})"


def _reply(generation: Generation, text: str, sentences: Sequence[Span]) -> Reply:
    """Return what was written as offsets; what is not of the text counts as nothing."""
    output = _parse(generation.text)
    chosen = generation.probabilities[0] if generation.probabilities else 1.0
    if output is None:
        return Reply(None, None, 0.0)
    quote, answer = output
    if quote is None:
        return Reply(None, None, 1.0 - chosen if generation.probabilities else 0.0)
    sentence = next((s for s in sentences if text[slice(*s)] == quote), None)
    if sentence is None:
        return Reply(None, None, 0.0)
    return Reply(_locate(answer or "", text, sentence), sentence, chosen)


def _locate(answer: str, text: str, sentence: Span) -> Span | None:
    begun = text.find(answer, *sentence) if answer.strip() else -1
    return (begun, begun + len(answer)) if begun >= 0 else None


def _parse(written: str) -> tuple[str | None, str | None] | None:
    """Return the quote and the answer, Nones where the text does not say; None where it makes no sense."""
    try:
        output: Any = json.loads(written)
        if not output["answerable"]:
            return None, None
        return output["citations"][0]["quote"], output.get("answer")
    except (ValueError, KeyError, IndexError, TypeError):
        return None
