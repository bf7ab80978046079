from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer, grammar_from

from grammars.answer.grammar import SHORTEST, Quotable, answer_grammar, json_escape
from grammars.engine.protocol import PassageText

OFFICE = "The office opens at nine. It closes at five.\n\n- Ring the bell\n- Say hello"
PODS = 'Restart the "api" pod. Restart the "api" pod and wait.\nC:\\temp is full.'
_BYTES = LLTokenizer("byte")
_TEXTS = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from('.!?"\\\n -#|`😀漢。\x01\x7f\u2028')), max_size=80
)


def quotable(*texts: str) -> list[Quotable]:
    return [Quotable.of(PassageText("", "", text)) for text in texts]


def admits(output: str, *texts: str, extractive: bool = True, max_quotes: int = 3) -> bool:
    grammar = answer_grammar(quotable(*texts), max_quotes=max_quotes, extractive=extractive)
    matcher = LLMatcher(_BYTES, grammar_from("lark", grammar))
    assert not matcher.is_error(), matcher.get_error()
    tokens = _BYTES.tokenize_bytes(output.encode())
    return (
        matcher.validate_tokens(tokens) == len(tokens)
        and matcher.consume_tokens(tokens)
        and matcher.is_accepting()
    )


def written(*citations: tuple[str, int], answer: str = "") -> str:
    parts = ",".join(f'{{"quote":"{json_escape(quote)}","passage":{number}}}' for quote, number in citations)
    return f'{{"answerable":true,"citations":[{parts}],"answer":"{json_escape(answer)}"}}'


@settings(max_examples=60)
@given(st.lists(_TEXTS, min_size=1, max_size=3))
def test_each_run_of_up_to_three_units_is_admitted_with_its_passages_number(texts: list[str]) -> None:
    for number, passage in enumerate(quotable(*texts), 1):
        for first, unit in enumerate(passage.units):
            for last in passage.runs(first):
                quote = passage.text[unit.content : passage.units[last].end]
                output = written((quote, number))
                assert json.loads(output)["citations"][0]["quote"] == quote
                assert admits(output, *texts)


def test_a_quote_that_begins_another_is_admitted_too() -> None:
    texts = "Go\nhome. Now", "Go\nHome. Now"

    assert admits(written(("Go\nhome.", 1)), *texts)
    assert admits(written(("Go", 2)), *texts)
    assert admits(written(("Go\nHome.", 2)), *texts)


@pytest.mark.parametrize(
    "citation",
    [
        ("", 1),
        ("The office", 1),
        ("opens at nine.", 1),
        ("The office opens at noon.", 1),
        ("The office opens at nine.", 2),
        ("The office opens at nine.", 3),
        ("- Ring the bell", 1),
        (OFFICE, 1),
        ("It closes at five. The office opens at nine.", 1),
    ],
)
def test_nothing_else_is_admitted_as_a_quote(citation: tuple[str, int]) -> None:
    assert not admits(written(citation), OFFICE, PODS)


def test_quotes_of_several_passages_and_their_spans_are_admitted() -> None:
    quotes = [("It closes at five.", 1), ('Restart the "api" pod and wait.', 2)]

    assert admits(written(*quotes), OFFICE, PODS)
    assert admits(written(*quotes, answer="at five"), OFFICE, PODS)
    assert admits(written(*quotes, answer='"api"'), OFFICE, PODS)
    assert not admits(written(quotes[0], answer='"api"'), OFFICE, PODS), "of a passage that is not cited"
    assert not admits(written(quotes[0], answer="at fi"), OFFICE, PODS), "not a whole word"
    assert not admits(written(*quotes * 2), OFFICE, PODS), "four quotes"


def test_a_refusal_is_admitted_always_and_all_there_is_without_a_unit() -> None:
    assert admits(SHORTEST, OFFICE)
    assert admits(SHORTEST, "", "---\n")
    assert not admits(SHORTEST[:-1], OFFICE)
    assert not admits(written(), "---")


@pytest.mark.parametrize(
    ("answer", "admitted"),
    [
        ("It closes at five [1].", True),
        ('It "closes" at five [1][2]. Then ring [2].', True),
        ("It closes at five.", False),
        ("It closes at five [1]. Then ring.", False),
        ("It closes at five [3].", False),
        ("See [here](http://evil) [1].", False),
        ("It closes\tat five [1].", False),
        ("", False),
        ("x" * 401 + "[1]", False),
    ],
)
def test_prose_rests_on_the_citations_that_there_are(answer: str, admitted: bool) -> None:
    quotes = [("It closes at five.", 1), ("Ring the bell", 1)]

    assert admits(written(*quotes, answer=answer), OFFICE, extractive=False) is admitted


def test_the_prompt_of_five_long_passages_stays_within_the_parsers_limits() -> None:
    texts = [
        " ".join(f"Sentence {i} of passage {n} says something new." for i in range(60)) for n in range(8)
    ]
    last = quotable(*texts)[7]

    assert admits(written((last.text[last.units[57].content :], 8)), *texts)


@given(st.text())
def test_escaped_text_is_json_without_control_characters(text: str) -> None:
    escaped = json_escape(text)

    assert json.loads(f'"{escaped}"') == text
    assert not any(ord(character) < 0x20 or character == "\x7f" for character in escaped)


@pytest.mark.parametrize(
    ("begun", "forced"),
    [
        ("", '{"answerable":'),
        ('{"answerable":f', "alse}"),
        ('{"answerable":true,"citations":[{"quote":"I', "t closes at five."),
        ('{"answerable":true,"citations":[{"quote":"It closes at five."', ',"passage":1}'),
    ],
)
def test_what_is_unambiguous_is_forced(begun: str, forced: str) -> None:
    grammar = answer_grammar(quotable(OFFICE, PODS), max_quotes=3, extractive=True)
    matcher = LLMatcher(_BYTES, grammar_from("lark", grammar))
    matcher.consume_tokens(_BYTES.tokenize_bytes(begun.encode()))

    assert bytes(matcher.compute_ff_bytes()).decode() == forced
