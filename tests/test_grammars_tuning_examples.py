from __future__ import annotations

import random
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from grammars.answer.sentences import units
from grammars.engine.protocol import PassageText
from grammars.tuning.examples import WINDOW, Example, as_typed, cloze, from_row, near_miss, relayout
from grammars.tuning.mixture import Pool, among, answer_of, epoch

SENTENCES = (
    "The office in Porto opens at nine.",
    "Ana Silva restarts the pod when the queue is full!",
    "Expenses over 200 EUR need approval.",
    'When "prod\\eu" is down, page Ana Silva.',
    "The café on 5 Main Street serves lunch\tfrom noon.",
    "Since 2019 the lift in Porto has been locked at night.",
    "See the guide.",
)
SEEDS = st.integers(0, 10_000)


@st.composite
def examples(draw: Any) -> Example:
    """A question whose evidence is one sentence, or a phrase in it, of one of the passages."""
    chosen = draw(
        st.lists(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=5), min_size=1, max_size=3)
    )
    passages = tuple(PassageText(f"T{i}", "", " ".join(lines)) for i, lines in enumerate(chosen))
    number = draw(st.integers(0, len(chosen) - 1))
    sentence = draw(st.sampled_from(chosen[number]))
    words = sentence.split()
    phrase = draw(st.sampled_from((sentence, " ".join(words[1:3]), words[-2])))
    start = passages[number].text.index(sentence) + sentence.index(phrase)
    span = (start, start + len(phrase))
    gold = tuple((span,) if i == number else () for i in range(len(passages)))
    short = None if phrase == sentence else (number, *span)
    return Example("Which?", passages, gold, short, (), "span" if short else "longform")


@given(examples())
def test_a_near_miss_has_lost_every_trace_of_the_answer(example: Example) -> None:
    missed = near_miss(example, (PassageText("", "", "Ask Ana Silva in Porto."),))
    assume(missed is not None)
    assert missed is not None
    assert not missed.answerable
    assert missed.span is None
    assert len(missed.gold) == len(missed.passages)
    answer = answer_of(example)
    if answer:
        assert all(answer not in passage.text.lower() for passage in missed.passages)
    for passage in missed.passages:
        if passage.title:
            original = next(p.text for p in example.passages if p.title == passage.title)
            assert all(passage.text[unit.content : unit.end] in original for unit in units(passage.text))


def test_a_near_miss_keeps_the_rest_of_the_passage() -> None:
    text = "The lift was locked. The office in Porto opens at nine. Ana has the key."
    start = text.index("nine")
    example = Example("When?", (PassageText("T", "", text),), (((start, start + 4),),), (0, start, start + 4))
    missed = near_miss(example, ())
    assert missed is not None
    assert missed.passages[0].text == "The lift was locked. Ana has the key."


def test_there_is_no_near_miss_where_nothing_would_stay() -> None:
    example = Example("When?", (PassageText("T", "", "At nine."),), (((0, 8),),))
    assert near_miss(example, ()) is None


@given(examples(), SEEDS)
def test_another_layout_keeps_gold_and_answer_in_their_places(example: Example, seed: int) -> None:
    other = relayout(example, random.Random(seed))
    for before, after, spans, moved in zip(
        example.passages, other.passages, example.gold, other.gold, strict=True
    ):
        for (a, b), (c, d) in zip(spans, moved, strict=True):
            assert after.text[c:d].split() == before.text[a:b].split()
            assert len(after.text[c:d]) == b - a
    if example.span and other.span:
        number, start, end = other.span
        assert (start, end) == other.gold[number][0]


@settings(max_examples=30)
@given(st.lists(st.sampled_from(SENTENCES), min_size=40, max_size=60), st.integers(0, 39), SEEDS)
def test_a_long_passage_is_cut_around_its_evidence(lines: list[str], number: int, seed: int) -> None:
    text = " ".join(lines)
    start = len(" ".join(lines[:number])) + (number > 0)
    evidence = {"passage": 0, "start": start, "end": start + len(lines[number])}
    row = {
        "question": "Q?",
        "kind": "longform",
        "answerable": True,
        "evidence": [evidence],
        "passages": [{"title": "T", "text": text}],
    }
    example = from_row(row, random.Random(seed))
    assert example is not None
    ((span,),) = example.gold
    passage = example.passages[0].text
    assert passage[slice(*span)] == lines[number]
    assert len(passage) <= WINDOW * 1.3
    assert passage in text


@given(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=4), SEEDS)
def test_a_cloze_question_asks_for_a_phrase_that_it_does_not_hold(lines: list[str], seed: int) -> None:
    made = cloze(PassageText("T", "", " ".join(lines)), random.Random(seed))
    assume(made is not None)
    assert made is not None
    assert made.span is not None
    number, start, end = made.span
    assert made.gold[number] == ((start, end),)
    assert made.passages[number].text[start:end] not in made.question


def test_distractors_do_not_hold_the_answer() -> None:
    text = "The office opens at nine."
    start = text.index("nine")
    example = Example("When?", (PassageText("T", "", text),), (((start, start + 4),),), (0, start, start + 4))
    others = [PassageText(f"O{i}", "", f"Number {i}: the bar opens at {i} or nine.") for i in range(5)]
    fine = [PassageText(f"F{i}", "", f"Number {i}: the bar is closed.") for i in range(5)]
    pool = Pool([], [*others, *fine], [list(range(10))])
    mixed = among(example, pool, 0, random.Random(3), answer=answer_of(example), count=4)
    assert len(mixed.passages) == 4
    assert sum("nine" in passage.text for passage in mixed.passages) == 1
    assert mixed.span is not None
    assert mixed.passages[mixed.span[0]].text == text
    assert mixed.gold[mixed.span[0]] == ((start, start + 4),)


def test_an_epoch_is_the_same_for_the_same_seed_and_only_then() -> None:
    rows = [
        {
            "question": f"What is number {i}?",
            "kind": "span",
            "answerable": True,
            "evidence": [{"passage": 0, "start": 0, "end": 8}],
            "passages": [{"title": "T", "text": f"Number {i} it is. The next one is called {i + 1}."}],
        }
        for i in range(6)
    ]
    passages = [PassageText("T", "", row["passages"][0]["text"]) for row in rows]  # type: ignore[index]  # a row
    pool = Pool(rows, passages, [[(i + 1) % 6, (i + 2) % 6] for i in range(6)])
    assert list(epoch(pool, 1)) == list(epoch(pool, 1))
    assert list(epoch(pool, 1)) != list(epoch(pool, 2))


def test_a_question_as_typed_keeps_its_words() -> None:
    rng = random.Random(0)
    for _ in range(50):
        assert "office open" in as_typed("When does the Office open?", rng).lower()
