"""MiniLM reading each passage together with the question (fusion-in-decoder).

A prompt is one flat row of tokens; each passage in it becomes a segment of its own, `[CLS] question [SEP]
title text [SEP]`, so that it stays inside MiniLM's 512 positions and all segments run as one batch. The
states are then laid back over the flat row: the decoder attends to it, and points into it. (Izacard and
Grave 2021, arXiv:2007.01282.)
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn
from transformers.modeling_outputs import BaseModelOutput

from grammars.embedded.glance import FEATURES, Glance, lines

if TYPE_CHECKING:
    from transformers import BertModel

_PAD, _UNKNOWN, _CLS, _SEP = 0, 100, 101, 102  # MiniLM's ids
_LENGTHS = (64, 128, 192, 256, 320, 384, 512)  # segments are padded to these: bfloat16 compiles each shape
_GROUP = 8  # more segments than this are filled up to a multiple of it
_QUESTION_LENGTHS = (32, 64, 128)
_OTHER, _IN_QUESTION = 0, 1
_WEIGHTS = (8.0, 2.0, 2.0, 2.0, 2.0)  # of the first glance, before training: about MiniLM's own temperature
_AT_CLS, _AT_SEP, _AT_PAD = -1, -2, -3  # instead of a place in the flat rows


@dataclass
class Source(BaseModelOutput):
    """What the decoder reads.

    Attributes:
        last_hidden_state: (B, N, H) over the flat row; a passage separator's place holds its segment's [CLS].
        source_ids: (B, N), the flat row itself, to point into.
        source_mask: (B, N), 1 where a token was read and may be attended to.
        glance: (B, N), how near each place is to the question at first glance.
    """

    last_hidden_state: torch.Tensor | None = None
    source_ids: torch.Tensor | None = None
    source_mask: torch.Tensor | None = None
    glance: torch.Tensor | None = None


@dataclass(frozen=True)
class _Segment:
    row: int
    question: range  # places of the question in the flat row
    passage: range  # places of the passage, its separator first


class Encoder(nn.Module):
    """The segments' encoder; `minilm` is a BertModel holding the installed weights."""

    main_input_name = "input_ids"
    piece: torch.Tensor
    form: torch.Tensor

    def __init__(
        self, minilm: BertModel, piece: torch.Tensor, form: torch.Tensor, separator: int, question_length: int
    ) -> None:
        super().__init__()
        self.minilm = minilm
        self.separator = separator
        self.question_length = question_length
        self.register_buffer("piece", piece, persistent=False)
        self.register_buffer("form", form, persistent=False)
        self.glance = Glance(minilm)
        self.glance_mix = nn.Linear(FEATURES, minilm.config.hidden_size)
        self.glance_weigh = nn.Linear(FEATURES, 1, bias=False)
        self.glance_weigh.weight = nn.Parameter(torch.tensor([_WEIGHTS]))
        self.form_embeddings = nn.Embedding(3, minilm.config.hidden_size)
        self.match_embeddings = nn.Embedding(2, minilm.config.hidden_size)
        # from nothing: what is added must not drown MiniLM's own
        for added in (self.form_embeddings, self.match_embeddings, self.glance_mix):
            nn.init.zeros_(added.weight)
        nn.init.zeros_(self.glance_mix.bias)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None, **_: object
    ) -> Source:
        """Encode flat rows (B, N); padding may stand on either side."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        rows = zip(input_ids, mask, strict=True)
        segments = [s for row, (ids, real) in enumerate(rows) for s in self._segments(row, ids, real)]
        places = self._places(segments, input_ids.shape[1])
        target = self._targets(segments, places, input_ids.shape[1], input_ids.numel())
        target = target.reshape(-1).to(input_ids.device)
        states = self._encode(input_ids.reshape(-1), places.to(input_ids.device), segments)
        flat = states.new_zeros(input_ids.numel() + 1, states.shape[-1])  # the last row: what has no place
        flat = flat.index_copy(0, target, states.reshape(-1, states.shape[-1]))
        glance = self._glance(input_ids, segments)
        flat = flat[:-1] + self.glance_mix(glance)
        written = torch.zeros(input_ids.numel() + 1, dtype=mask.dtype, device=mask.device)
        written[target] = 1
        return Source(
            last_hidden_state=flat.reshape(*input_ids.shape, -1),
            source_ids=input_ids,
            source_mask=mask * written[:-1].reshape(input_ids.shape),
            glance=self.glance_weigh(glance).reshape(input_ids.shape),
        )

    def _glance(self, input_ids: torch.Tensor, segments: list[_Segment]) -> torch.Tensor:
        """Return the first glance's features over the flattened rows; a separator has its passage's best."""
        width = input_ids.shape[1]
        pieces = self.piece[input_ids.reshape(-1)]
        questions = {s.row: pieces[[s.row * width + i for i in s.question]] for s in segments}
        asked = lines([words[words != _UNKNOWN] for words in questions.values()], _QUESTION_LENGTHS, _GROUP)
        texts = [pieces[[s.row * width + i for i in s.passage[1:]]] for s in segments]
        read = lines(texts, _LENGTHS, _GROUP)
        numbers = {row: number for number, row in enumerate(questions)}
        asks = torch.tensor([numbers[s.row] for s in segments] + [0] * (len(read) - len(segments)))
        found = self.glance(asked, read, asks.to(pieces.device))
        features: torch.Tensor = found.new_zeros(len(pieces), found.shape[-1])
        for segment, text, line in zip(segments, texts, found, strict=False):
            start = segment.row * width + segment.passage.start
            features[start + 1 : start + 1 + len(text)] = line[1 : len(text) + 1]
            features[start] = line[1 : len(text) + 1].amax(0) if len(text) else 0
        return features

    @staticmethod
    def _targets(segments: list[_Segment], places: torch.Tensor, width: int, nowhere: int) -> torch.Tensor:
        """Return where in the flattened rows each state goes: the question's from its first segment."""
        target = places.where(places >= 0, torch.full_like(places, nowhere))
        asked = set()
        for i, segment in enumerate(segments):
            if segment.row in asked:
                target[i, 1 : len(segment.question) + 1] = nowhere
            asked.add(segment.row)
            target[i, 0] = segment.row * width + segment.passage.start
        return target

    def _segments(self, row: int, ids: torch.Tensor, mask: torch.Tensor) -> list[_Segment]:
        real = mask.nonzero()[:, 0]
        first, last = int(real[0]), int(real[-1]) + 1
        cuts = [*((ids == self.separator) & mask.bool()).nonzero()[:, 0].tolist(), last]
        # of what is too long the end is read: the question itself, after the history
        question = range(max(first, cuts[0] - self.question_length), cuts[0])
        if len(cuts) == 1:
            return [_Segment(row, question, range(first, first + 1))]
        longest = self.minilm.config.max_position_embeddings - self.question_length - 2
        return [_Segment(row, question, range(a, min(b, a + longest))) for a, b in pairwise(cuts)]

    @staticmethod
    def _places(segments: list[_Segment], width: int) -> torch.Tensor:
        """Return for each segment and position (S, L) its place in the flattened rows, or a mark."""
        lines = []
        for segment in segments:
            base = segment.row * width
            question = [base + i for i in segment.question]
            passage = [base + i for i in segment.passage[1:]]
            lines.append([_AT_CLS, *question, _AT_SEP, *passage, _AT_SEP])
        if len(lines) > _GROUP:  # spare segments, a [CLS] alone: bfloat16 compiles each shape
            lines += [[_AT_CLS]] * (-len(lines) % _GROUP)
        longest = max(map(len, lines))
        length = next((size for size in _LENGTHS if size >= longest), longest)
        places = torch.full((len(lines), length), _AT_PAD)
        for i, line in enumerate(lines):
            places[i, : len(line)] = torch.tensor(line)
        return places

    def _encode(self, ids: torch.Tensor, places: torch.Tensor, segments: list[_Segment]) -> torch.Tensor:
        """Return the states (S, L, H) of the segments that `places` (S, L) lays out."""
        tokens = ids[places.clamp(min=0)]
        pieces = self.piece[tokens]
        for mark, piece in ((_AT_CLS, _CLS), (_AT_SEP, _SEP), (_AT_PAD, _PAD)):
            pieces[places == mark] = piece
        real = places != _AT_PAD
        position = torch.arange(places.shape[1], device=ids.device)[None]
        questions = torch.zeros(len(places), 1, dtype=torch.long, device=ids.device)
        questions[: len(segments), 0] = torch.tensor([len(s.question) for s in segments], device=ids.device)
        second = (position > questions + 1).long()
        in_question = (position > 0) & (position <= questions)
        embeddings = self.minilm.embeddings.word_embeddings(pieces)
        embeddings = embeddings + self.form_embeddings(self.form[tokens] * (places >= 0))
        embeddings = embeddings + self.match_embeddings(self._matches(pieces, in_question, second))
        states: torch.Tensor = self.minilm(
            inputs_embeds=embeddings, attention_mask=real.long(), token_type_ids=second * real
        ).last_hidden_state
        return states

    @staticmethod
    def _matches(pieces: torch.Tensor, in_question: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Mark the passage tokens whose piece stands in the question (exact match, as in DrQA)."""
        asked = pieces.masked_fill(~in_question, -1)
        found = (pieces[:, :, None] == asked[:, None, :]).any(-1)
        return torch.where(found & second.bool(), _IN_QUESTION, _OTHER)
