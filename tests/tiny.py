"""Small models for the tests: random weights, and a tokenizer trained on the spot."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from grammars.engine.local import Loaded, LocalEngine

if TYPE_CHECKING:
    from grammars.engine.protocol import AnswerPrompt

_CORPUS = (
    "The office in Porto opens at nine. Restart the pod, then check the logs. "
    "An expense over 200 EUR needs approval. "
    '{"answerable":true,"citations":[{"quote":"","passage":1}],"answer":""} '
    '{"answerable":false} Passages, questions and answers. \\n - * # " \\" \\\\ '
) * 4


BYTES = 259  # a vocabulary of the bytes and the special tokens alone


@cache
def tokenizer(size: int = 400) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer of `size` tokens."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    trained.train_from_iterator([_CORPUS], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=trained, pad_token="<pad>", bos_token="<s>", eos_token="</s>", model_max_length=8192
    )


def causal(seed: int = 0, size: int = 400) -> LlamaForCausalLM:
    """Return a Llama of two layers; its weights are wide, so that no two tokens come close."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=8192,
        initializer_range=0.4,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config).eval()


def seq2seq(seed: int = 0, size: int = 400) -> BartForConditionalGeneration:
    """Return a BART of one layer each way."""
    torch.manual_seed(seed)
    config = BartConfig(
        vocab_size=size,
        d_model=48,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=96,
        decoder_ffn_dim=96,
        max_position_embeddings=4096,
        init_std=0.4,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        decoder_start_token_id=2,
        forced_eos_token_id=None,
    )
    return BartForConditionalGeneration(config).eval()


def render(prompt: AnswerPrompt) -> str:
    """Return a prompt without instructions, which a model that was never trained does not miss."""
    return "\n".join([prompt.question, *(passage.text for passage in prompt.passages)])


def engine(model: Any = None, **options: Any) -> LocalEngine:
    """Return an engine over a tiny model, to be opened with `async with`."""
    model = causal() if model is None else model
    torch.set_num_threads(1)  # more only wait for one another
    loaded = Loaded(model, tokenizer(model.config.vocab_size), render)
    return LocalEngine("tiny", lambda: loaded, **options)
