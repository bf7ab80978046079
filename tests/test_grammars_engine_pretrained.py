from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
import tiny
import torch
from peft import LoraConfig, get_peft_model

from grammars.engine import open_engine, pretrained
from grammars.engine.errors import EngineError
from grammars.engine.pretrained import load_pretrained
from grammars.engine.protocol import AnswerPrompt, PassageText, Request

if TYPE_CHECKING:
    from pathlib import Path

PROMPT = AnswerPrompt("When does it open?", (PassageText("Guide", "", "The office opens at nine."),))
ASKED = Request(PROMPT, 'start: "[" /[a-z ]{40}/ "]"', {}, max_tokens=100)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small causal model as a folder, in float32, and an adapter of it."""
    where = tmp_path_factory.mktemp("model")
    tiny.causal().save_pretrained(where)
    tiny.tokenizer().save_pretrained(where)
    torch.manual_seed(5)
    adapted = get_peft_model(tiny.causal(), LoraConfig(r=4, init_lora_weights=False))
    adapted.save_pretrained(where / "adapter")
    manifest = {"base": str(where), "data": "made up", "date": "2026-11-22", "metrics": {}}
    (where / "adapter" / "manifest.json").write_text(json.dumps(manifest))
    return where


needs_torchao = pytest.mark.skipif(find_spec("torchao") is None, reason="torchao is the extra int8")


@pytest.mark.parametrize(
    ("dtype", "kept"), [("auto", torch.float32), ("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_weights_are_kept_as_is_said(folder: Path, dtype: str, kept: torch.dtype) -> None:
    assert load_pretrained(str(folder), dtype=dtype).model.dtype == kept


@needs_torchao
def test_int8_keeps_the_linear_weights_as_bytes_and_says_nearly_the_same(folder: Path) -> None:
    whole = load_pretrained(str(folder), dtype="float32").model
    short = load_pretrained(str(folder), dtype="int8").model
    weight = short.model.layers[0].mlp.up_proj.weight
    assert weight.qdata.dtype == torch.int8
    ids = torch.arange(3, 60)[None]
    with torch.inference_mode():
        a, b = whole(ids).logits, short(ids).logits.float()
    assert torch.nn.functional.cosine_similarity(a, b, dim=-1).min() > 0.98


@needs_torchao
async def test_an_int8_model_answers_under_the_grammar_with_and_without_an_adapter(folder: Path) -> None:
    async with open_engine(str(folder), dtype="int8") as engine:
        plain = await engine.generate(ASKED)
    async with open_engine(str(folder), dtype="int8", adapter=str(folder / "adapter")) as engine:
        adapted = await engine.generate(ASKED)
    assert len(plain.text) == len(adapted.text) == 42
    assert adapted.adapter == "adapter"
    assert plain.text != adapted.text


def test_int8_without_torchao_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "find_spec", lambda _name: None)
    with pytest.raises(EngineError, match=r"pip install 'almanac\[int8\]'"):
        load_pretrained(str(folder), dtype="int8")
