from __future__ import annotations

import json
from functools import cache
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st

from grammars.answer.sentences import statements
from grammars.embedded.loading import minilm_folder
from grammars.embedded.tokenizer import END, START, build_tokenizer, build_vocabulary
from grammars.engine.protocol import PassageText
from grammars.tuning.examples import Example
from grammars.tuning.features import QUOTES, Decision, Features, Featurizer
from grammars.tuning.loss import Batch, collate, correct, decision_losses

SENTENCES = (
    "The office in Porto opens at nine.",
    'Is "prod\\eu" down?',
    "- restart the pod\n- then ask Ana",
    "Le café est fermé… \U0001f469\u200d\U0001f680!",
    "\u4eca\u65e5\u306f\u4f11\u307f\u3067\u3059\u3002",
    "| host | port |\n| --- | --- |\n| a.b | 5432 |",
    "See the guide.\x07",
)


@cache
def tools() -> tuple[Any, list[int]]:
    vocabulary = build_vocabulary(minilm_folder())
    tokenizer = build_tokenizer(vocabulary)
    text = '{"answerable":true,"citations":[{"quote":"","passage":1,2,3}],"answer":""}false'
    own = sorted(
        {*tokenizer(text)["input_ids"], *(vocabulary.ids[c] for c in '{}[],:"'), vocabulary.ids[END]}
    )
    return tokenizer, own


def made(example: Example, decoys: float = 0.0) -> Features:
    return Featurizer(*tools(), decoys=decoys)(example)


def output(features: Features) -> Any:
    return json.loads(tools()[0].decode(features.target))


@st.composite
def examples(draw: Any) -> Example:
    """Passages of hostile sentences, of which some units are gold, and perhaps words of one the answer."""
    chosen = draw(
        st.lists(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=5), min_size=1, max_size=3)
    )
    passages = tuple(PassageText("T", "", " ".join(lines)) for lines in chosen)
    gold: list[tuple[tuple[int, int], ...]] = []
    for passage in passages:
        found = [(unit.content, unit.end) for unit in statements(passage.text)]
        picked = draw(st.lists(st.sampled_from(found), max_size=3, unique=True)) if found else []
        gold.append(tuple(sorted(picked)))
    return Example("When?", passages, tuple(gold))


@given(examples(), st.sampled_from((0.0, 1.0)))
def test_the_target_is_the_json_that_the_grammar_admits(example: Example, decoys: float) -> None:
    written = output(made(example, decoys))
    assert written["answerable"] is example.answerable
    if not example.answerable:
        assert written == {"answerable": False}
        return
    assert list(written) == ["answerable", "citations", "answer"]
    assert 1 <= len(written["citations"]) <= QUOTES
    for citation in written["citations"]:
        text = example.passages[citation["passage"] - 1].text
        found = statements(text)
        runs = [text[a.content : b.end] for i, a in enumerate(found) for b in found[i : i + 3]]
        assert citation["quote"] in runs


def test_a_decoy_is_a_wrong_quote_that_is_not_learned() -> None:
    text = "The lift is locked. The office opens at nine."
    start = text.index("The office")
    example = Example("When does it open?", (PassageText("T", "", text),), (((start, len(text)),),))
    features = made(example, decoys=1.0)
    quotes = [citation["quote"] for citation in output(features)["citations"]]
    assert quotes[-1] == "The office opens at nine."
    assert set(quotes[:-1]) == {"The lift is locked."}
    starts = [decision for decision in features.decisions if decision.name == "start"]
    assert len(starts) == 1
    assert tools()[0].decode(features.target[starts[0].step :]).startswith("The office opens")


def test_neighbouring_evidence_is_one_quote() -> None:
    text = "One is first. Two comes next. Three is last. Four is not meant."
    example = Example("Q?", (PassageText("T", "", text),), (((0, text.index(" Four")),),))
    (citation,) = output(made(example))["citations"]
    assert citation["quote"] == "One is first. Two comes next. Three is last."


def test_the_short_answer_is_copied_whole_to_its_last_byte() -> None:
    text = 'So it is. The "Minié" was named after Claude-Étienne Minié.'
    for answer in ("Minié", "Claude-Étienne Minié"):
        start = text.rindex(answer)
        span = (start, start + len(answer))
        example = Example("Who?", (PassageText("T", "", text),), ((span,),), (0, *span))
        assert output(made(example))["answer"] == answer


def decisions(name: str, features: Features) -> list[Decision]:
    return [decision for decision in features.decisions if decision.name == name]


def test_each_decision_stands_where_its_token_is_chosen() -> None:
    tokenizer, own = tools()
    text = "The lift is locked. The office opens at nine. Ask Ana."
    start = text.index("The office")
    span = (text.index("nine"), text.index("nine") + 4)
    example = Example("When?", (PassageText("T", "", text),), (((start, span[1]),),), (0, *span))
    features = made(example)
    (answerable,), (begin,) = decisions("answerable", features), decisions("start", features)
    assert tokenizer.decode(features.target[answerable.step]) == "true"
    assert own[answerable.right_own[0]] == features.target[answerable.step]
    assert [tokenizer.decode(features.source[place]).strip() for place in begin.places] == [
        "The",
        "The",
        "Ask",
    ]
    assert begin.right_places == [begin.places[1]]
    (word,) = decisions("span start", features)
    assert [tokenizer.decode(features.source[place]) for place in word.right_places] == [" nine"]
    assert tokenizer.decode(features.target[word.step]) == "nine"


def scored(batch: Batch, owns: int, *, right: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores that are high for every right candidate, or for every other one."""
    high, low = (9.0, -9.0) if right else (-9.0, 9.0)
    pointed = torch.full((*batch.target.shape, batch.source.shape[1]), low)
    own = torch.full((*batch.target.shape, owns), low)
    for number, place in batch.right.places.tolist():
        pointed[batch.rows[number], batch.steps[number], place] = high
    for number, token in batch.right.own.tolist():
        own[batch.rows[number], batch.steps[number], token] = high
    return pointed, own


def test_the_loss_is_small_where_the_right_candidates_win_and_large_where_they_lose() -> None:
    text = "The lift is locked. The office opens at nine."
    first = Example("When?", (PassageText("T", "", text),), (((20, len(text)),),))
    second = Example("Who?", (PassageText("T", "", text), PassageText("U", "", "Ask Ana.")), ((), ()))
    tokenizer, own = tools()
    pad, start = tokenizer.pad_token_id, tokenizer.convert_tokens_to_ids(START)
    batch = collate([made(first), made(second)], pad=pad, start=start)
    decided = torch.tensor([name != "free" for name in batch.names])
    good, bad = (scored(batch, len(own), right=right) for right in (True, False))
    assert decision_losses(batch, *good).max() < 1e-3
    assert correct(batch, *good).all()
    assert decision_losses(batch, *bad)[decided].min() > 5
    assert not correct(batch, *bad)[decided].any()
