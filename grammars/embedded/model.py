"""The embedded model: MiniLM reads, a small decoder writes JSON and points at what it quotes.

At each step the decoder scores two kinds of next token: places of the source (the pointer; only inside a JSON
string) and a short list of tokens of its own (the JSON's, single bytes). A token's logit is the best of its
scores. Under the answer grammar only quotes are pointed at and only JSON is written, so the model learns no
language, only decisions: whether to answer, which sentence, where it ends, which words of it. (Vinyals et al.
2015, arXiv:1506.03134.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import DynamicCache, EncoderDecoderCache, GenerationMixin, PreTrainedModel
from transformers.utils.generic import ModelOutput

from grammars.embedded.config import ReaderConfig
from grammars.embedded.decoder import Decoder, View
from grammars.embedded.encoder import Encoder, Marks, Source
from grammars.embedded.evidence import NOTHING, SUMMARY
from grammars.embedded.pointer import Trail, follow

if TYPE_CHECKING:
    from transformers import BertModel

    from grammars.embedded.evidence import Judged
    from grammars.embedded.pointer import Followed
    from grammars.embedded.tokenizer import Vocabulary

_ELSEWHERE = -30.0  # to the score of a place where no quote may begin, or one began before
_NEVER = -1e4  # a logit that no mask will let through, finite so that a softmax over it stays defined


@dataclass
class ReaderOutput(ModelOutput):
    """The logits (B, T, V) of the next token after each token, and the cache."""

    logits: torch.Tensor | None = None
    cache: EncoderDecoderCache | None = None
    encoder_last_hidden_state: torch.Tensor | None = None


@dataclass
class _Copying:
    """What a cache holds beside keys and values: the pointer's keys (B, N, H) and its trail."""

    keys: torch.Tensor
    trail: Trail


class Reader(PreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]  # its __init_subclass__ is untyped
    """The whole model, over `minilm` with the installed weights and the vocabulary made of its pieces.

    The cache holds the trail of each row's copy, which transformers cannot reorder: greedy decoding and
    sampling work, beam search does not.
    """

    config_class = ReaderConfig
    bare: torch.Tensor
    own_ids: torch.Tensor
    base_model_prefix = "reader"
    main_input_name = "input_ids"
    _supports_cache_class = True
    _supports_sdpa = True

    def __init__(self, config: ReaderConfig, minilm: BertModel, vocabulary: Vocabulary) -> None:
        super().__init__(config)
        width = config.hidden_size
        self.encoder = Encoder(
            minilm,
            torch.tensor(vocabulary.piece),
            torch.tensor(vocabulary.form),
            separator=config.separator_token_id,
            marks=Marks(config.mark_token_id, config.space_token_id),
            question_length=config.question_length,
        )
        self.decoder = Decoder(
            width, config.decoder_layers, config.decoder_heads, config.decoder_inner, config.dropout
        )
        self.point_query, self.point_key = nn.Linear(width, width), nn.Linear(width, width)
        # how much the sentences' scores count at this step, for what begins and for what goes on; and how
        # much the best that is not quoted yet counts for another quote
        self.trust, self.another = nn.Linear(width, 2), nn.Linear(width, 1)
        self.verdict, self.sense = nn.Linear(SUMMARY, 1), nn.Linear(width, 1)
        for added in (self.trust, self.another, self.verdict, self.sense):
            nn.init.zeros_(added.weight)
            nn.init.zeros_(added.bias)
        nn.init.ones_(self.trust.bias)
        with torch.no_grad():
            self.verdict.weight[0, 0] = 1.0  # the best sentence's score, before training
        self.reuse = nn.Linear(width, 1)  # how much a place already copied counts at this step
        self.own = nn.Linear(width, len(config.own_token_ids))
        self.register_buffer("bare", torch.tensor(vocabulary.bare), persistent=False)
        self.register_buffer("own_ids", torch.tensor(config.own_token_ids), persistent=False)
        self.post_init()  # type: ignore[no-untyped-call]  # transformers leaves it untyped

    def get_encoder(self, modality: str | None = None) -> nn.Module:  # noqa: ARG002 - transformers' signature
        """Return the part that generation runs once a prompt."""
        return self.encoder

    def get_input_embeddings(self) -> nn.Module:
        """Return MiniLM's word pieces; tokens map to them through `encoder.piece`."""
        return self.encoder.minilm.embeddings.word_embeddings

    def _init_weights(self, module: nn.Module) -> None:
        """Weights are loaded, or drawn by the training script."""

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        *,
        encoder_outputs: Source | None = None,
        decoder_input_ids: torch.Tensor | None = None,
        decoder_attention_mask: torch.Tensor | None = None,
        decoder_position_ids: torch.Tensor | None = None,
        cache: EncoderDecoderCache | None = None,
        use_cache: bool | None = None,
        **_: Any,
    ) -> ReaderOutput:
        """Score the next token after each decoder token.

        Args:
            input_ids: (B, N) prompts, unless `encoder_outputs` holds them encoded.
            attention_mask: (B, N).
            encoder_outputs: what the encoder returned.
            decoder_input_ids: (B, T) tokens not yet in the cache; several at once are fine.
            decoder_attention_mask: (B, cached + T), 0 where a row has a hole.
            decoder_position_ids: (B, T); default: the places in the attention mask.
            cache: what was read before; the pointer's trail is kept on it.
            use_cache: make a cache where none is given.
        """
        source = encoder_outputs if encoder_outputs is not None else self.encoder(input_ids, attention_mask)
        assert decoder_input_ids is not None
        if cache is None and use_cache:
            cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        mask, positions = _placed(decoder_input_ids, decoder_attention_mask, decoder_position_ids, cache)
        pointed, own, inside = self.score(source, decoder_input_ids, mask, positions, cache)
        own = self._calibrate(own, positions)
        logits = self._token_logits(source, pointed.masked_fill(~inside[..., None], _NEVER), own)
        return ReaderOutput(
            logits=logits,
            cache=cache,
            encoder_last_hidden_state=source.last_hidden_state,
        )

    def score(
        self,
        source: Source,
        tokens: torch.Tensor,
        mask: torch.Tensor | None = None,
        positions: torch.Tensor | None = None,
        cache: EncoderDecoderCache | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Score what may be written after each token (B, T), before the calibration.

        Args:
            source: what the encoder returned.
            tokens: (B, T), those not yet in the cache.
            mask: (B, cached + T), 0 where a row has a hole; default: no holes.
            positions: (B, T); default: the places in the mask.
            cache: the earlier tokens; None where there are none.

        Returns:
            The places' scores (B, T, N), the own tokens' (B, T, O), and (B, T) whether inside a string.
        """
        assert source.source_ids is not None
        assert source.source_mask is not None
        assert source.judged is not None
        mask, positions = _placed(tokens, mask, positions, cache)
        states = self._decode(source, tokens, mask, positions, cache)
        copying = self._copying(source, cache)
        keys = copying.keys
        fresh = (self.point_query(states) @ keys.transpose(1, 2)).float() * keys.shape[-1] ** -0.5
        trust, judged = self.trust(states).float(), source.judged
        fresh = fresh + trust[..., :1] * judged.begins[:, None] + trust[..., 1:] * judged.follows[:, None]
        fresh = fresh.masked_fill(~source.source_mask[:, None].bool(), _NEVER)
        real = mask[:, -tokens.shape[1] :].bool()
        followed = follow(copying.trail, tokens, fresh, real=real, quote=self.config.quote_token_id)
        pointed = fresh + followed.carry + followed.used * self.reuse(states).float()
        pointed = pointed + self._opening(judged, followed)
        own = self._decide(self.own(states).float(), judged, states, followed, positions)
        return pointed, own, followed.inside

    def _opening(self, judged: Judged, followed: Followed) -> torch.Tensor:
        """Return (B, T, N) what has a quote begin where a sentence does that is not quoted yet."""
        there = (judged.scores > NOTHING).float()
        firsts = torch.zeros_like(judged.begins).scatter_reduce(1, judged.firsts, there, "amax")
        opened = followed.inside & (followed.latest == self.config.cite_token_id)
        free = firsts[:, None] * (1 - followed.used)
        barred: torch.Tensor = _ELSEWHERE * opened[..., None] * (1 - free)
        return barred

    def _decide(
        self,
        own: torch.Tensor,
        judged: Judged,
        states: torch.Tensor,
        followed: Followed,
        positions: torch.Tensor,
    ) -> torch.Tensor:
        """Add what the sentences' scores say: to `true` where it is decided, to the comma before a quote."""
        own = own.clone()
        verdict = self.verdict(judged.summary) + self.sense(judged.states)
        own[..., self._own(self.config.true_token_id)] += verdict * (positions == self.config.answer_position)
        steps = own.shape[1]
        used = followed.used.gather(2, judged.firsts[:, None].expand(-1, steps, -1)).bool()
        left = judged.scores[:, None].expand(-1, steps, -1).masked_fill(used, NOTHING).amax(2)
        another = self.another(states).float()[..., 0] * left + self.config.more_bias
        own[..., self._own(self.config.more_token_id)] += another
        return own

    def _own(self, token: int) -> int:
        """Return the place of a token among the model's own."""
        place: int = self.config.own_token_ids.index(token)
        return place

    def _embed(self, tokens: torch.Tensor) -> torch.Tensor:
        words: torch.Tensor = self.get_input_embeddings()(self.encoder.piece[tokens])
        forms: torch.Tensor = self.encoder.form_embeddings(self.encoder.form[tokens])
        return words + forms

    def _decode(
        self,
        source: Source,
        tokens: torch.Tensor,
        mask: torch.Tensor,
        positions: torch.Tensor,
        cache: EncoderDecoderCache | None,
    ) -> torch.Tensor:
        assert source.last_hidden_state is not None
        assert source.source_mask is not None
        count, seen = tokens.shape[1], mask.shape[1]
        causal = torch.ones(count, seen, dtype=torch.bool, device=tokens.device).tril(seen - count)
        # a hole sees itself alone, so that no row of the softmax is empty
        itself = torch.eye(count, seen, dtype=torch.bool, device=tokens.device).roll(seen - count, 1)
        own_mask = (causal & mask[:, None].bool()) | itself
        source_mask = source.source_mask[:, None, None].bool()
        view = View(source.last_hidden_state, source_mask, own_mask[:, None], cache)
        states: torch.Tensor = self.decoder(self._embed(tokens), positions, view)
        return states

    def _copying(self, source: Source, cache: EncoderDecoderCache | None) -> _Copying:
        """Return the pointer's keys and trail, begun once a prompt."""
        copying: _Copying | None = getattr(cache, "copying", None)
        if copying is None:
            ids = source.source_ids
            assert ids is not None
            copying = _Copying(self.point_key(source.last_hidden_state), Trail.begin(ids, self.bare[ids]))
            if cache is not None:
                cache.copying = copying  # type: ignore[attr-defined]  # generation carries nothing else along
        return copying

    def _calibrate(self, own: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Apply the calibration to the decision to answer, which is taken at one known position."""
        deciding = positions == self.config.answer_position
        if not deciding.any():
            return own
        true, false = self._own(self.config.true_token_id), self._own(self.config.false_token_id)
        difference = own[..., true] - own[..., false]
        calibrated = own[..., false] + self.config.answer_scale * difference + self.config.answer_bias
        own = own.clone()
        own[..., true] = torch.where(deciding, calibrated, own[..., true])
        return own

    def _token_logits(self, source: Source, pointed: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        """Return logits (B, T, V): for each token the best of its places and of itself as an own token."""
        assert source.source_ids is not None
        logits = pointed.new_full((*own.shape[:2], self.config.vocab_size), _NEVER)
        logits[..., self.own_ids] = own
        for places in (self.bare[source.source_ids], source.source_ids):
            logits.scatter_reduce_(2, places[:, None].expand_as(pointed), pointed, "amax")
        return logits

    def prepare_inputs_for_generation(
        self, input_ids: torch.Tensor, *_: Any, cache: Any = None, **inputs: Any
    ) -> dict[str, Any]:
        """Return what `forward` needs for the next step of transformers' own generation."""
        past = cache.get_seq_length() if cache is not None else 0
        return {
            "encoder_outputs": inputs.get("encoder_outputs"),
            "attention_mask": inputs.get("attention_mask"),
            "decoder_input_ids": input_ids[:, past:],
            "cache": cache,
            "use_cache": True,
        }


def _placed(
    tokens: torch.Tensor,
    mask: torch.Tensor | None,
    positions: torch.Tensor | None,
    cache: EncoderDecoderCache | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mask (B, cached + T) and the positions (B, T) of tokens not yet in the cache."""
    past = cache.get_seq_length() if cache is not None else 0
    if mask is None:
        mask = tokens.new_ones(len(tokens), past + tokens.shape[1])
    if positions is None:
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, past:]
    return mask, positions
