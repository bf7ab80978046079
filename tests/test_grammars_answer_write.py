from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from grammars.answer import Quote, write_answer
from grammars.engine.errors import BudgetTooSmall, InvalidOutput
from grammars.engine.protocol import Engine, Generation, PassageText, Turn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grammars.engine.local import LocalEngine
    from grammars.engine.protocol import Request

OFFICE = PassageText("Guide", "Hours", "The office opens at nine.\nIt closes at five.")
PODS = PassageText("Pods", "", "Restart the pod.  Then wait.")


class Scripted:
    """An engine that says what it is told, one output a request."""

    name = "scripted"

    def __init__(self, *outputs: str, extractive: bool = False, enforces_grammar: bool = False) -> None:
        self.extractive, self.enforces_grammar = extractive, enforces_grammar
        self.outputs = deque(Generation(output) for output in outputs)
        self.requests: list[Request] = []

    async def generate(self, request: Request) -> Generation:
        self.requests.append(request)
        return self.outputs.popleft()


def written(*citations: tuple[str, object], answer: str = "") -> str:
    return json.dumps(
        {
            "answerable": True,
            "citations": [{"quote": quote, "passage": passage} for quote, passage in citations],
            "answer": answer,
        }
    )


@pytest.fixture(scope="module", params=["llama", "bart"])
def generative(request: pytest.FixtureRequest) -> Iterator[tuple[asyncio.Runner, LocalEngine]]:
    with asyncio.Runner() as runner:
        engine = tiny.engine(tiny.causal(1) if request.param == "llama" else tiny.seq2seq(4))
        runner.run(engine.__aenter__())
        yield runner, engine
        runner.run(engine.__aexit__(None, None, None))


_WILD = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from('"\\\n\t\r.!?{}[]<>@|#`-*😀漢。\x00\x01\x1f\x7f\u2028\u202e'),
    ),
    max_size=120,
)
_PASSAGES = st.lists(st.builds(PassageText, _WILD, _WILD, _WILD), max_size=4)
_HISTORY = st.lists(st.builds(Turn, st.sampled_from(["user", "assistant"]), _WILD), max_size=2)


_CASES = st.fixed_dictionaries(
    {
        "question": _WILD,
        "passages": _PASSAGES,
        "history": _HISTORY,
        "max_tokens": st.integers(8, 512),
        "max_quotes": st.integers(1, 3),
        "temperature": st.sampled_from([0.0, 1.0, 3.0]),
    }
)


@settings(max_examples=120)
@given(case=_CASES, extractive=st.booleans())
def test_whatever_is_asked_the_answer_is_valid_and_its_quotes_are_verbatim(
    generative: tuple[asyncio.Runner, LocalEngine], case: dict[str, Any], extractive: bool
) -> None:
    runner, engine = generative
    engine.extractive = extractive
    try:
        draft = runner.run(write_answer(engine, **case))
    except BudgetTooSmall:
        assert case["max_tokens"] < 20
        return
    if not draft.truncated:
        json.loads(draft.generation.text)
    assert draft.answerable == bool(draft.quotes) == bool(draft.answer)
    assert len(draft.quotes) == len(set(draft.quotes)) <= case["max_quotes"]
    assert draft.generation.completion_tokens <= case["max_tokens"]
    for quote in draft.quotes:
        assert quote.text == case["passages"][quote.passage].text[quote.start : quote.end]
        assert any(character.isalnum() for character in quote.text)
    if draft.answerable and not extractive:
        assert draft.answer.rstrip(".!?").endswith("]")


async def test_quotes_are_located_and_markers_follow_them() -> None:
    output = written(
        ("It closes at five.", 1),
        ("Restart the pod.", 2),
        ("It closes at five.", 1),
        answer="It closes at five [1], or [3]. Restart it [2].",
    )

    draft = await write_answer(Scripted(output), "When?", [OFFICE, PODS])

    assert draft.quotes == (Quote(0, "It closes at five.", 26, 44), Quote(1, "Restart the pod.", 0, 16))
    assert draft.answer == "It closes at five [1], or [1]. Restart it [2]."


async def test_a_span_is_marked_with_the_quote_that_holds_it() -> None:
    output = written(("It closes at five.", 1), ("Restart the pod.", 2), answer=" the pod")

    draft = await write_answer(Scripted(output, extractive=True), "What?", [OFFICE, PODS])

    assert draft.answer == "the pod [2]"


@pytest.mark.parametrize("span", ["", " ", "wait"])
async def test_without_a_span_in_a_quote_the_quotes_are_the_answer(span: str) -> None:
    output = written(("It closes at five.", 1), ("Restart the pod.", 2), answer=span)

    draft = await write_answer(Scripted(output, extractive=True), "What?", [OFFICE, PODS])

    assert draft.answer == "It closes at five. [1]\nRestart the pod. [2]"


async def test_what_no_citation_supports_is_not_said() -> None:
    output = written(("It closes at five.", 1), ("Never said.", 1), answer="True [1]. Made up [2]. Unmarked.")
    engine = Scripted(output, output)

    draft = await write_answer(engine, "When?", [OFFICE])

    assert draft.answer == "True [1]."
    assert len(engine.requests) == 2, "an engine that does not enforce the grammar is asked again"
    assert engine.requests[1].temperature > engine.requests[0].temperature


async def test_an_answer_without_a_valid_quote_is_none() -> None:
    output = written(("Never said.", 1), answer="Made up [1].")

    draft = await write_answer(Scripted(output, output), "When?", [OFFICE])

    assert (draft.answerable, draft.answer, draft.quotes) == (False, "", ())


@pytest.mark.parametrize(
    ("quote", "passage"),
    [("It closes\n at five.", 1), ("It closes at five.", 2), ("It closes at five.", "one")],
    ids=["white space", "number", "no number"],
)
async def test_a_quote_slightly_off_is_put_right(quote: str, passage: object) -> None:
    output = written((quote, passage), answer="At five [1].")

    draft = await write_answer(Scripted(output), "When?", [OFFICE, PODS])

    assert draft.quotes == (Quote(0, "It closes at five.", 26, 44),)


async def test_a_second_output_that_holds_replaces_the_first() -> None:
    engine = Scripted("I think it is five.", written(("It closes at five.", 1), answer="At five [1]."))

    assert (await write_answer(engine, "When?", [OFFICE])).answer == "At five [1]."


@pytest.mark.parametrize("output", ["", "five", "[]", "{}", '{"answerable":"yes"}', '{"answerable":true'])
async def test_an_output_that_is_no_answer_twice_is_an_error(output: str) -> None:
    with pytest.raises(InvalidOutput, match="scripted"):
        await write_answer(Scripted(output, output), "When?", [OFFICE])


@pytest.mark.parametrize(
    "citations", [None, "x", [None], [{}], [{"quote": 1}], [{"quote": "", "passage": 1}]]
)
async def test_malformed_citations_are_none(citations: object) -> None:
    output = json.dumps({"answerable": True, "citations": citations, "answer": 7})

    assert not (await write_answer(Scripted(output, output), "When?", [OFFICE])).answerable


async def test_nothing_is_generated_where_nothing_can_be_quoted() -> None:
    engine = Scripted()

    draft = await write_answer(engine, "When?", [PassageText("", "", "---\n")])

    assert not draft.answerable
    assert not engine.requests


async def test_a_cut_answer_keeps_what_is_whole() -> None:
    output = written(("It closes at five.", 1), ("Restart the pod.", 2), answer="Restart")[:-40]
    engine = Scripted(enforces_grammar=True)
    engine.outputs.append(Generation(output, truncated=True))

    draft = await write_answer(engine, "When?", [OFFICE, PODS])

    assert draft.truncated
    assert [quote.text for quote in draft.quotes] == ["It closes at five."]
    assert draft.answer == "It closes at five. [1]"


@pytest.mark.parametrize(
    ("output", "confidence"), [(written(("It closes at five.", 1)), 0.9), ('{"answerable":false}', 0.1)]
)
async def test_the_confidence_is_the_probability_of_answering(output: str, confidence: float) -> None:
    engine = Scripted(enforces_grammar=True)
    engine.outputs.append(Generation(output, probabilities=(0.9, 0.5)))

    draft = await write_answer(engine, "When?", [OFFICE])

    assert draft.confidence == pytest.approx(confidence)


async def test_a_budget_below_the_shortest_answer_is_refused() -> None:
    async with tiny.engine() as engine:
        with pytest.raises(BudgetTooSmall, match="Raise max_tokens"):
            await write_answer(engine, "When?", [OFFICE], max_tokens=2)


def test_the_engines_are_engines() -> None:
    assert isinstance(tiny.engine(), Engine)
    assert isinstance(Scripted(), Engine)
