from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import torch
from transformers import DynamicCache, EncoderDecoderCache

from grammars.embedded.layout import render
from grammars.embedded.loading import build
from grammars.engine.protocol import AnswerPrompt, PassageText, Turn

if TYPE_CHECKING:
    from collections.abc import Iterator

DOOR = PassageText("Office", "Doors", 'The door opens at nine. The door on the left is "locked"\n- ask Ana.')
LIFT = PassageText("Office", "", "The lift was repaired in May.")
SHORT = AnswerPrompt("When does the door open?", (DOOR,))
LONG = AnswerPrompt("And the lift, since when does it run?", (DOOR, LIFT), (Turn("user", "Which doors?"),))
WRITTEN = '{"answerable":true,"citations":[{"quote":"The door on the left","passage":1}'


@cache
def built() -> tuple[Any, Any]:
    """The untrained model, with something in the tables that begin at zero."""
    torch.manual_seed(0)
    model, tokenizer = build()
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.05)
    return model.eval(), tokenizer


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def encoded(*prompts: AnswerPrompt) -> Any:
    model, tokenizer = built()
    batch = tokenizer([render(prompt) for prompt in prompts], padding=True, return_tensors="pt")
    return model.encoder(batch["input_ids"], batch["attention_mask"])


def written(text: str = WRITTEN) -> torch.Tensor:
    model, tokenizer = built()
    return torch.tensor([[model.config.decoder_start_token_id, *tokenizer(text)["input_ids"]]])


def dense(source: Any, tokens: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = built()[0](encoder_outputs=source, decoder_input_ids=tokens).logits
    return logits


def fed(source: Any, pieces: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Feed tokens and their masks piece by piece through a cache; return all logits (B, T, V)."""
    cache, mask, found = EncoderDecoderCache(DynamicCache(), DynamicCache()), torch.empty(0), []
    for tokens, real in pieces:
        mask = real if not len(mask) else torch.cat([mask, real], 1)
        output = built()[0](
            encoder_outputs=source,
            decoder_input_ids=tokens,
            decoder_attention_mask=mask,
            cache=cache,
        )
        found.append(output.logits)
    return torch.cat(found, 1)


@pytest.mark.parametrize("size", [1, 6])
def test_tokens_fed_through_the_cache_score_as_without_it(size: int) -> None:
    source, tokens = encoded(LONG), written()
    pieces = [(piece, torch.ones_like(piece)) for piece in tokens.split(size, 1)]
    torch.testing.assert_close(fed(source, pieces), dense(source, tokens), atol=1e-4, rtol=0)


def test_a_row_padded_on_the_left_scores_as_alone() -> None:
    tokens = written()
    together = dense(encoded(SHORT, LONG), tokens.expand(2, -1))
    for row, prompt in enumerate((SHORT, LONG)):
        torch.testing.assert_close(together[row], dense(encoded(prompt), tokens)[0], atol=1e-3, rtol=0)


def test_a_row_with_holes_scores_as_a_dense_one() -> None:
    source, tokens = encoded(SHORT, LONG), written()
    pieces, taken = [], [0, 0]
    for counts in ((4, 4), (1, 5), (6, 1), (0, 3), (3, 1)):
        width = max(counts)
        piece, real = torch.zeros(2, width, dtype=torch.long), torch.zeros(2, width, dtype=torch.long)
        for row, count in enumerate(counts):
            piece[row, :count] = tokens[0, taken[row] : taken[row] + count]
            real[row, :count] = 1
            taken[row] += count
        pieces.append((piece, real))
    ragged, places = fed(source, pieces), torch.cat([real for _, real in pieces], 1)
    whole = dense(source, tokens.expand(2, -1))
    for row in range(2):
        kept = ragged[row][places[row].bool()]
        torch.testing.assert_close(kept, whole[row, : taken[row]], atol=1e-4, rtol=0)


def test_transformers_generation_takes_the_best_token_each_time() -> None:
    model, tokenizer = built()
    batch = tokenizer([render(SHORT), render(LONG)], padding=True, return_tensors="pt")
    made = model.generate(**batch, max_new_tokens=10, do_sample=False)
    tokens = torch.full((2, 1), model.config.decoder_start_token_id)
    for _ in range(made.shape[1] - 1):
        best = dense(encoded(SHORT, LONG), tokens)[:, -1].argmax(-1, keepdim=True)
        tokens = torch.cat([tokens, best], 1)
    assert made[0].tolist() == tokens[0].tolist()
    assert made[1].tolist() == tokens[1].tolist()


def test_the_bias_for_another_quote_moves_its_score_alone(monkeypatch: Any) -> None:
    model, _ = built()
    source, tokens = encoded(SHORT), written()
    plain = dense(source, tokens)
    monkeypatch.setattr(model.config, "more_bias", 0.75)
    moved = dense(source, tokens)
    more = model.config.more_token_id
    torch.testing.assert_close(moved[0, :, more] - plain[0, :, more], torch.full((len(plain[0]),), 0.75))
    moved[..., more] = plain[..., more]
    assert torch.equal(moved, plain)


def test_the_calibration_moves_the_decision_to_answer_and_nothing_else(monkeypatch: Any) -> None:
    model, _ = built()
    source, tokens = encoded(SHORT), written()
    place, true, false = (
        model.config.answer_position,
        model.config.true_token_id,
        model.config.false_token_id,
    )
    assert tokens[0, place + 1] == true
    plain = dense(source, tokens)
    monkeypatch.setattr(model.config, "answer_scale", 2.0)
    monkeypatch.setattr(model.config, "answer_bias", 0.5)
    pieces = [  # a hole before the decision
        (tokens[:, :3], torch.ones(1, 3)),
        (torch.zeros(1, 2, dtype=torch.long), torch.zeros(1, 2)),
        (tokens[:, 3:], torch.ones(1, tokens.shape[1] - 3)),
    ]
    moved = fed(source, pieces)[:, [0, 1, 2, *range(5, tokens.shape[1] + 2)]]
    before = plain[0, place, true] - plain[0, place, false]
    after = moved[0, place, true] - moved[0, place, false]
    torch.testing.assert_close(after, 2 * before + 0.5, atol=1e-4, rtol=0)
    moved[0, place, true] = plain[0, place, true]
    torch.testing.assert_close(moved, plain, atol=1e-4, rtol=0)


def test_what_was_too_long_to_read_is_not_pointed_at() -> None:
    model, tokenizer = built()
    prompt = AnswerPrompt("Why? " * 200, (PassageText("T", "", "one two three. " * 200), LIFT))
    source = encoded(prompt)
    unread = source.source_mask[0] == 0
    (separator,) = tokenizer("\x1e")["input_ids"]
    first, second = (source.source_ids[0] == separator).nonzero().flatten().tolist()
    assert unread[: first - model.config.question_length].all()
    assert not unread[first - model.config.question_length : first + 1].any()
    assert unread[second - 1]
    assert not unread[second:].any()
    pointed, _, _ = model.score(source, written())
    assert (pointed[..., unread] < -5_000).all()
    assert (pointed[..., ~unread] > -5_000).all()


@pytest.mark.parametrize("prompt", [AnswerPrompt("", ()), AnswerPrompt("Anyone there?", ())])
def test_a_prompt_without_passages_is_read(prompt: AnswerPrompt) -> None:
    assert dense(encoded(prompt), written()).isfinite().all()


def test_untrained_the_encoder_reads_as_minilm_does() -> None:
    """What is added to MiniLM's embeddings begins at nothing, or else all that MiniLM knows would be lost."""
    model, _ = build()
    for table in (model.encoder.form_embeddings, model.encoder.match_embeddings):
        assert not table.weight.any()
