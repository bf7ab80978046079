"""The embedded model's sizes and the tokens that mean something to it."""

from __future__ import annotations

from typing import Any, Self

from transformers import PreTrainedConfig


class ReaderConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]  # its __init_subclass__ is untyped
    """The sizes, and what is set after training.

    `answer_scale` and `answer_bias` calibrate the decision to answer: logit' = scale · logit + bias.
    `more_bias` is added to the score of one more quote: to miss one costs a reader more than one too many.
    """

    model_type = "almanac-reader"
    is_encoder_decoder = True

    def __init__(
        self,
        *,
        vocab_size: int = 0,
        hidden_size: int = 384,
        decoder_layers: int = 2,
        decoder_heads: int = 6,
        decoder_inner: int = 1024,
        dropout: float = 0.1,
        question_length: int = 96,
        separator_token_id: int = 0,
        mark_token_id: int = 0,
        space_token_id: int = 0,
        quote_token_id: int = 0,
        cite_token_id: int = 0,
        own_token_ids: list[int] | None = None,
        true_token_id: int = 0,
        false_token_id: int = 0,
        more_token_id: int = 0,
        answer_position: int = 0,
        answer_scale: float = 1.0,
        answer_bias: float = 0.0,
        more_bias: float = 0.0,
        **kwargs: Any,
    ) -> None:
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = self.decoder_layers = decoder_layers
        self.num_attention_heads = self.decoder_heads = decoder_heads
        self.decoder_inner = decoder_inner
        self.dropout = dropout
        self.question_length = question_length
        self.separator_token_id = separator_token_id
        self.mark_token_id = mark_token_id
        self.space_token_id = space_token_id
        self.quote_token_id = quote_token_id
        self.cite_token_id = cite_token_id
        self.own_token_ids = own_token_ids or []
        self.true_token_id = true_token_id
        self.false_token_id = false_token_id
        self.more_token_id = more_token_id
        self.answer_position = answer_position
        self.answer_scale = answer_scale
        self.answer_bias = answer_bias
        self.more_bias = more_bias
        kwargs["is_encoder_decoder"] = True
        super().__init__(**kwargs)

    def get_text_config(self, decoder: bool | None = None, encoder: bool | None = None) -> Self:  # noqa: ARG002 - as transformers has it
        """Return this configuration: it is the decoder's, and a copy of it for each answer takes its time."""
        return self
