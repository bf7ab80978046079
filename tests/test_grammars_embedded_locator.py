from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from grammars.embedded import locator as module
from grammars.embedded.loading import load_locator, minilm, minilm_folder
from grammars.embedded.locator import LONGEST, MOST_READINGS, Asker, Locator, LocatorHead

QUESTIONS = ("service. Service affected", "started at. When it began", "cause. What caused it, if known")
TEXT = "checkout-api has been down since 14:02 UTC. Likely cause: an expired certificate.\nAna"


@cache
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(minilm_folder())


@cache
def untrained() -> tuple[Any, LocatorHead]:
    torch.manual_seed(0)
    return minilm().eval(), LocatorHead(384).eval()


@cache
def locator() -> Locator:
    model, head = untrained()
    return Locator.of(model, head, tokenizer(), torch.float32)


@given(
    title=st.sampled_from(["", "Incident report", "word " * 100]),
    lengths=st.lists(st.integers(0, 60), max_size=40),
    size=st.integers(0, 3_000),
)
def test_every_question_meets_every_token_of_a_text_that_is_not_endless(
    title: str, lengths: list[int], size: int
) -> None:
    asker, text = Asker(tokenizer()), list(range(2_000, 2_000 + size))
    readings = asker(title, ["word " * length for length in lengths], text)
    met: dict[int, set[int]] = {number: set() for number in range(len(lengths))}
    for one in readings:
        assert len(one.ids) == len(one.owner) <= LONGEST
        assert [one.ids[place] for place in one.text] == text[one.first : one.first + len(one.text)]
        assert {place for place, whose in enumerate(one.owner) if whose == -1} == set(one.text)
        assert {whose for whose in one.owner if whose > 0} == set(range(1, len(one.questions) + 1))
        for number in one.questions:
            met[number] |= set(range(one.first, one.first + len(one.text)))
    groups = max(len({tuple(one.questions) for one in readings}), 1)
    assert len(readings) <= max(MOST_READINGS, groups)
    within = max(MOST_READINGS // groups, 1) * 150  # what so many windows hold, whatever stands before them
    assert all(places >= set(range(min(size, within))) for places in met.values())


def test_reading_without_padding_gives_what_the_model_gives() -> None:
    model, head = untrained()
    asker = Asker(tokenizer())
    (one,) = asker("Incident report", QUESTIONS, asker.tokens(TEXT)[0])
    owner = torch.tensor([one.owner])
    with torch.inference_mode():
        states = model(
            input_ids=torch.tensor([one.ids]), token_type_ids=(owner == -1).long()
        ).last_hidden_state
        begins, ends = (scores[0].log_softmax(-1) for scores in head(states, owner))
    found = locator()("Incident report", QUESTIONS, TEXT)
    places = [1 + place for place in one.text]
    np.testing.assert_allclose(found.begins, begins[:, places], atol=1e-4)
    np.testing.assert_allclose(found.ends, ends[:, places], atol=1e-4)
    np.testing.assert_allclose(found.absent, begins[:, 0] + ends[:, 0], atol=1e-4)


def test_a_long_text_is_read_in_windows_and_every_question_shares_out_one() -> None:
    text = " ".join(f"Line {number}: the pump stopped at {number % 24}:00." for number in range(120))
    found = locator()("", [f"{name} number {n}" for n in range(30) for name in QUESTIONS], text)
    assert [text[start:end] for start, end in found.offsets[:3]] == ["Line", "0", ":"]
    nowhere = np.exp(found.absent / 2)  # begins and ends are nowhere alike only where both say so
    assert found.begins.shape == found.ends.shape == (90, len(found.offsets))
    assert np.isfinite(found.begins).all()
    assert (np.exp(found.begins).sum(1) <= 1 + 1e-4).all()
    assert ((np.exp(found.begins).sum(1) < 1) & (nowhere > 0)).all()


@pytest.mark.parametrize(("questions", "text"), [((), TEXT), (QUESTIONS, ""), (QUESTIONS, "\u200b \n")])
def test_nothing_asked_or_nothing_to_read(questions: tuple[str, ...], text: str) -> None:
    found = locator()("Incident report", questions, text)
    assert found.begins.shape == (len(questions), len(found.offsets))
    assert np.allclose(np.exp(found.absent) if not len(found.offsets) else 1.0, 1.0)


def test_what_ships_finds_what_a_message_states() -> None:
    model, _ = untrained()
    found = load_locator(model)("Incident report", QUESTIONS, TEXT)
    firsts = [TEXT[found.offsets[row][0] :].split(maxsplit=1)[0] for row in found.begins.argmax(1)]
    assert firsts[0] == "checkout-api"
    assert firsts[2] in ("expired", "an")


def test_weights_that_are_missing_are_named(tmp_path: Any) -> None:
    with pytest.raises(FileNotFoundError, match="No trained locator"):
        load_locator(untrained()[0], tmp_path)


def test_the_base_weights_stay_as_they_are() -> None:
    model = minilm()
    before = {name: part.clone() for name, part in model.state_dict().items()}
    load_locator(model)
    assert all(torch.equal(part, before[name]) for name, part in model.state_dict().items())
    assert module.LocatorHead(8)(torch.zeros(1, 3, 8), torch.zeros(1, 3, dtype=torch.long))[0].shape[1] == 0


def test_what_was_not_read_is_no_less_likely_than_anything_else() -> None:
    text = "word " * 3_000
    found = locator()("", [f"{'field ' * 30}{number}" for number in range(80)], text)
    assert np.isfinite(found.begins).all()
    assert np.allclose(found.begins[:, -1], -np.log(1 + len(found.offsets)))


def test_a_messages_own_marks_are_text() -> None:
    tokens, offsets = Asker(tokenizer()).tokens("ask [SEP] Ana [CLS]")
    assert not {101, 102} & set(tokens)
    assert "".join("ask [SEP] Ana [CLS]"[start:end] for start, end in offsets) == "ask[SEP]Ana[CLS]"
