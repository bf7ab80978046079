"""Reading without padding: it comes to what `transformers` makes of each text alone, adapters and all."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import BertConfig, BertModel

from grammars.embedded.glance import Glance
from grammars.embedded.packed import Merged, Packed
from grammars.embedded.readings import Readings

TEXTS = [(7, 8, 9), (7, 8), (), (5,) * 40, (9, 8, 7), tuple(range(3, 60))]
CLS, SEP = 101, 102


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def bert() -> Any:
    """A small BERT whose weights, norms and biases are all drawn at random."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=200,
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=96,
        max_position_embeddings=512,
    )
    model = BertModel(config, add_pooling_layer=False).train(mode=False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


def alone(model: Any, text: tuple[int, ...]) -> torch.Tensor:
    with torch.no_grad():
        states: torch.Tensor = model(input_ids=torch.tensor([[CLS, *text, SEP]])).last_hidden_state[0]
    return states


def packed(model: Any, layers: Packed) -> list[torch.Tensor]:
    lines = [[CLS, *text, SEP] for text in TEXTS]
    with torch.no_grad():
        embedded = [model.embeddings(input_ids=torch.tensor([line]))[0] for line in lines]
    return list(torch.split(layers(torch.cat(embedded), list(map(len, lines))), list(map(len, lines))))


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)])
def test_packed_texts_are_read_as_each_alone(bert: Any, dtype: torch.dtype, error: float) -> None:
    for states, text in zip(packed(bert, Packed(bert.encoder, dtype)), TEXTS, strict=True):
        assert states.dtype == torch.float32
        torch.testing.assert_close(states, alone(bert, text), atol=error, rtol=0)


def test_what_is_too_much_for_one_batch_is_read_in_several(
    bert: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = Packed(bert.encoder, torch.float32)
    whole = packed(bert, layers)
    monkeypatch.setattr("grammars.embedded.packed._BATCH", 45)  # less than the longest text has
    for one, other in zip(packed(bert, layers), whole, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_what_is_read_follows_the_chosen_adapter(bert: Any) -> None:
    plain = [alone(bert, text) for text in TEXTS]
    targets = r"encoder\.layer.*\.(query|key|value|dense)"
    config = LoraConfig(r=4, lora_alpha=16, target_modules=targets, init_lora_weights=False)
    adapted = get_peft_model(bert, config, "first")
    adapted.add_adapter("second", config)
    adapted.eval()
    merged, read = Merged(bert, torch.float32), {}
    for name in ("first", "second", "first"):
        adapted.set_adapter(name)
        read[name] = packed(bert, merged.chosen())
        for states, text in zip(read[name], TEXTS, strict=True):
            torch.testing.assert_close(states, alone(bert, text), atol=1e-4, rtol=0)
    with adapted.disable_adapter():
        for states, expected in zip(packed(bert, merged.chosen()), plain, strict=True):
            torch.testing.assert_close(states, expected, atol=1e-4, rtol=0)
    for one, other, bare in zip(read["first"], read["second"], plain, strict=True):
        assert (one - other).abs().max() > 0.1
        assert (one - bare).abs().max() > 0.1


def test_a_glance_reads_a_text_as_alone_whatever_it_is_read_with(bert: Any) -> None:
    glance, single = Glance(bert), Glance(bert)
    for text, read in zip(TEXTS, glance.read(TEXTS), strict=True):
        expected = alone(bert, text)
        torch.testing.assert_close(read.whole.norm(), torch.tensor(1.0))
        assert torch.cosine_similarity(read.whole, expected.mean(0), dim=0) > 0.999
        assert read.states.shape == (len(text), 48)
        if text:
            assert torch.cosine_similarity(read.states, expected[1:-1], dim=1).min() > 0.999
        (other,) = single.read([text])
        torch.testing.assert_close(other.states, read.states, atol=0.02, rtol=0.01)
        assert torch.equal(glance.read([text])[0].states, read.states)


def test_of_a_text_beyond_minilms_positions_the_beginning_is_read(bert: Any) -> None:
    long = tuple(3 + n % 190 for n in range(700))
    (read,) = Glance(bert).read([long])
    (cut,) = Glance(bert).read([long[:510]])
    assert read.states.shape == (510, 48)
    torch.testing.assert_close(read.states, cut.states, atol=0.01, rtol=0)


def test_readings_forget_what_was_not_read_for_long(bert: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    glance, read = Glance(bert), []
    glance.readings = Readings(2)
    states = glance._states
    monkeypatch.setattr(glance, "_states", lambda lines: read.append(lines) or states(lines))
    for number in (0, 1, 0, 2, 0, 1):
        glance.read([TEXTS[number]])
    assert [lines[0][1:-1] for lines in read] == [TEXTS[0], TEXTS[1], TEXTS[2], TEXTS[1]]
