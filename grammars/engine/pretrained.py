"""Models by hub name or local path, their prompts laid out for chat where they have a template."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from outlines.inputs import Chat
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from grammars.answer.prompt import messages, plain
from grammars.engine.errors import EngineError
from grammars.engine.generator import Loaded

if TYPE_CHECKING:
    from grammars.engine.protocol import AnswerPrompt

_NO_TORCHAO = "int8 needs torchao: pip install 'almanac[int8]', or set another ALMANAC_MODEL_DTYPE."


def load_pretrained(name: str, *, dtype: str = "auto") -> Loaded:
    """Load a causal or an encoder-decoder model; on the GPU where there is one.

    Args:
        name: a hub name, or the path of a folder.
        dtype: `auto` (the checkpoint's), `float32`, `bfloat16`, or `int8`: the linear layers' weights as
            bytes with a scale a row, by torchao, the rest bfloat16. LoRA adapters work with all of them.

    Raises:
        EngineError: there is no such model, or it cannot be loaded; or int8 without torchao.
    """
    kept = _kept(dtype)
    try:
        config = AutoConfig.from_pretrained(name)
        kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        model = kind.from_pretrained(name, **kept)
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(
            f"The model {name!r} could not be loaded. Check that it is a hub name, or a folder with a "
            f"transformers model, and that it is downloaded or can be: {str(error).splitlines()[0]}"
        ) from error
    if torch.cuda.is_available():
        model.to("cuda")  # type: ignore[arg-type]  # its decorator hides the method's type
    return Loaded(
        model.eval(),
        tokenizer,
        _chat(tokenizer) if tokenizer.chat_template else plain,
        getattr(config, "max_position_embeddings", None),
    )


def _kept(dtype: str) -> dict[str, Any]:
    """Return how `from_pretrained` is told to keep the weights."""
    if dtype != "int8":
        return {"dtype": dtype if dtype == "auto" else getattr(torch, dtype)}
    if find_spec("torchao") is None:
        raise EngineError(_NO_TORCHAO)
    from torchao.quantization import Int8WeightOnlyConfig
    from transformers import TorchAoConfig

    return {"dtype": torch.bfloat16, "quantization_config": TorchAoConfig(Int8WeightOnlyConfig())}


def _chat(tokenizer: Any) -> Any:
    """Return the rendering for a chat template; some templates know no system's part."""
    try:
        tokenizer.apply_chat_template([{"role": "system", "content": ""}, {"role": "user", "content": ""}])
    except Exception:  # noqa: BLE001 - a template raises what it likes
        return _without_system
    return lambda prompt: Chat(messages(prompt))


def _without_system(prompt: AnswerPrompt) -> Chat:
    system, first, *others = messages(prompt)
    joined = {"role": "user", "content": f"{system['content']}\n\n{first['content']}"}
    return Chat([joined, *others])
