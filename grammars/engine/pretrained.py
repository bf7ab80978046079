"""Models by hub name or local path, their prompts laid out for chat where they have a template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from outlines.inputs import Chat
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from grammars.answer.prompt import messages, plain
from grammars.engine.errors import EngineError
from grammars.engine.generator import Loaded

if TYPE_CHECKING:
    from grammars.engine.protocol import AnswerPrompt

_DTYPES = {"auto": "auto", "float32": torch.float32, "bfloat16": torch.bfloat16}


def load_pretrained(name: str, *, dtype: str = "auto") -> Loaded:
    """Load a causal or an encoder-decoder model; on the GPU where there is one.

    Args:
        name: a hub name, or the path of a folder.
        dtype: `auto` (the checkpoint's), `float32` or `bfloat16`.

    Raises:
        EngineError: there is no such model, or it cannot be loaded.
    """
    try:
        config = AutoConfig.from_pretrained(name)
        kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        model = kind.from_pretrained(name, dtype=_DTYPES[dtype])
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
