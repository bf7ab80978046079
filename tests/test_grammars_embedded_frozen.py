"""The trained model, frozen as it answers with: what it decides and points at is what training measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from grammars.embedded.layout import render
from grammars.embedded.loading import load
from grammars.engine.protocol import AnswerPrompt, PassageText

if TYPE_CHECKING:
    from collections.abc import Iterator

TRAMS = Path(__file__).parent.parent / "grammars" / "tuning" / "corpus" / "trams"
ASKED = 6
NEAR = {torch.float32: 0.001, torch.bfloat16: 0.02}  # in probability


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def trained() -> tuple[Any, Any]:
    return load()


def prompts() -> Iterator[AnswerPrompt]:
    """Yield questions with the page that answers them, where it does, and another one."""
    rows = [json.loads(line) for line in (TRAMS / "questions.jsonl").read_text().splitlines()]
    pages = [(TRAMS / row["path"]).read_text() for row in rows[::20][:ASKED]]
    for number, row in enumerate(rows[::20][:ASKED]):
        own, other = pages[number], pages[number - 1]
        start = max(0, own.find(row["evidence"][0]) - 200) if row["evidence"] else 0
        passages = (PassageText("Page", "", other[:600]), PassageText("Page", "", own[start : start + 900]))
        yield AnswerPrompt(row["question"], passages)


def judged(trained: tuple[Any, Any], prompt: AnswerPrompt) -> tuple[float, int]:
    """Return the probability of an answer, and the place where a first quote begins."""
    model, tokenizer = trained
    config = model.config
    source = model.encoder(**tokenizer(render(prompt), return_tensors="pt"))
    start = [config.decoder_start_token_id]
    decision = torch.tensor([start + tokenizer('{"answerable":')["input_ids"]])
    quote = torch.tensor([start + tokenizer('{"answerable":true,"citations":[{"quote":"')["input_ids"]])
    logits = model(encoder_outputs=source, decoder_input_ids=decision).logits[0, -1]
    pair = torch.stack([logits[config.true_token_id], logits[config.false_token_id]])
    pointed, _, _ = model.score(source, quote)
    return float(pair.softmax(0)[0]), int(pointed[0, -1].argmax())


@pytest.mark.parametrize("dtype", NEAR)
def test_frozen_the_model_decides_as_it_does_in_training(
    trained: tuple[Any, Any], dtype: torch.dtype
) -> None:
    trained[0].encoder.freeze(dtype)
    probabilities = []
    for prompt in prompts():
        with torch.enable_grad():  # as training reads: padded, the adapter apart; float32 here
            expected, place = judged(trained, prompt)
        with torch.inference_mode():
            probability, pointed = judged(trained, prompt)
        assert probability == pytest.approx(expected, abs=NEAR[dtype])
        assert pointed == place
        probabilities.append(probability)
    assert max(probabilities) - min(probabilities) > 0.1  # nothing that says the same of all
