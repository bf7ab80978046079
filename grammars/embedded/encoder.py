"""MiniLM reading each passage together with the question (fusion-in-decoder).

A prompt is one flat row of tokens; each passage in it becomes a segment of its own, `[CLS] question [SEP] title text
[SEP]`, so that it stays inside MiniLM's 512 positions and all segments run as one batch. The states are then laid back
over the flat row: the decoder attends to it, and points into it. (Izacard and Grave 2021, arXiv:2007.01282.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from transformers.modeling_outputs import BaseModelOutput

if TYPE_CHECKING:
    from transformers import BertModel

_CLS, _SEP = 101, 102  # MiniLM's ids
_LENGTHS = (
    64,
    128,
    192,
    256,
    320,
    384,
    512,
)  # segments are padded to one of these: bfloat16 compiles each shape
_GROUP = 8  # more segments than this are filled up to a multiple of it
_OTHER, _IN_QUESTION = 0, 1


@dataclass
class Source(BaseModelOutput):
    """What the decoder reads.

    Attributes:
        last_hidden_state: (B, N, H) over the flat row; a passage separator's place holds its segment's [CLS] state.
        source_ids: (B, N), the flat row itself, to point into.
        source_mask: (B, N), 1 where a token was read and may be attended to.
    """

    last_hidden_state: torch.Tensor | None = None
    source_ids: torch.Tensor | None = None
    source_mask: torch.Tensor | None = None


@dataclass(frozen=True)
class _Segment:
    row: int
    question: range  # places of the question in the flat row
    passage: range  # places of the passage, its separator first


class Encoder(nn.Module):
    """The segments' encoder; `minilm` is a BertModel holding the installed weights."""

    main_input_name = "input_ids"

    def __init__(
        self, minilm: BertModel, piece: torch.Tensor, form: torch.Tensor, separator: int, question_length: int
    ) -> None:
        super().__init__()
        self.minilm = minilm
        self.separator = separator
        self.question_length = question_length
        self.register_buffer("piece", piece, persistent=False)
        self.register_buffer("form", form, persistent=False)
        self.form_embeddings = nn.Embedding(3, minilm.config.hidden_size)
        self.match_embeddings = nn.Embedding(2, minilm.config.hidden_size)
        for added in (self.form_embeddings, self.match_embeddings):  # from nothing: they must not drown MiniLM's
            nn.init.zeros_(added.weight)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None, **_: object
    ) -> Source:
        """Encode flat rows (B, N); padding may stand on either side."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        segments = [
            s for row in range(len(input_ids)) for s in self._segments(row, input_ids[row], mask[row])
        ]
        places, length = self._places(segments, input_ids.shape[1])
        states = self._encode(input_ids.reshape(-1), places, segments, length)
        target = self._targets(segments, places, input_ids.shape[1], input_ids.numel())
        flat = states.new_zeros(input_ids.numel() + 1, states.shape[-1])  # the last row: what has no place
        flat = flat.index_copy(0, target.reshape(-1), states.reshape(-1, states.shape[-1]))
        written = torch.zeros(input_ids.numel() + 1, dtype=mask.dtype, device=mask.device)
        written[target.reshape(-1)] = 1
        return Source(
            last_hidden_state=flat[:-1].reshape(*input_ids.shape, -1),
            source_ids=input_ids,
            source_mask=mask * written[:-1].reshape(input_ids.shape),
        )

    @staticmethod
    def _targets(segments: list[_Segment], places: torch.Tensor, width: int, nowhere: int) -> torch.Tensor:
        """Return the place in the flattened rows that each state goes to: the question's from its first segment."""
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
        question = range(
            max(first, cuts[0] - self.question_length), cuts[0]
        )  # the end of it: the question itself
        if len(cuts) == 1:
            return [_Segment(row, question, range(first, first + 1))]
        longest = self.minilm.config.max_position_embeddings - self.question_length - 2
        return [
            _Segment(row, question, range(a, min(b, a + longest)))
            for a, b in zip(cuts, cuts[1:], strict=False)
        ]

    def _places(self, segments: list[_Segment], width: int) -> tuple[torch.Tensor, int]:
        """Return for each segment and position its place in the flattened rows; -1: none, -2: [SEP]."""
        lines = []
        for segment in segments:
            base = segment.row * width
            question = [base + i for i in segment.question]
            lines.append([-1, *question, -2, *(base + i for i in segment.passage[1:]), -2])
        if len(lines) > _GROUP:  # spare segments, a [CLS] alone: bfloat16 compiles each shape
            lines += [[-1]] * (-len(lines) % _GROUP)
        longest = max(map(len, lines))
        length = next((size for size in _LENGTHS if size >= longest), longest)
        places = torch.full((len(lines), length), -3)
        for i, line in enumerate(lines):
            places[i, : len(line)] = torch.tensor(line)
        return places, length

    def _encode(
        self, ids: torch.Tensor, places: torch.Tensor, segments: list[_Segment], length: int
    ) -> torch.Tensor:
        places = places.to(ids.device)
        tokens = ids[places.clamp(min=0)]
        pieces = self.piece[tokens]
        pieces[places == -1] = _CLS
        pieces[places == -2] = _SEP  # noqa: PLR2004 - the marks that _places wrote
        pieces[places == -3] = 0  # noqa: PLR2004 - as above
        position = torch.arange(length, device=ids.device)[None]
        questions = torch.zeros(len(places), 1, dtype=torch.long, device=ids.device)
        questions[: len(segments), 0] = torch.tensor([len(s.question) for s in segments])
        second = (position > questions + 1).long()
        in_question = (position > 0) & (position <= questions)
        embeddings = self.minilm.embeddings.word_embeddings(pieces)
        embeddings = embeddings + self.form_embeddings(self.form[tokens] * (places >= 0))
        embeddings = embeddings + self.match_embeddings(self._matches(pieces, in_question, second))
        return self.minilm(  # type: ignore[no-any-return]  # transformers is untyped here
            inputs_embeds=embeddings,
            attention_mask=(places > -3).long(),  # noqa: PLR2004 - as above
            token_type_ids=second * (places > -3),  # noqa: PLR2004 - as above
        ).last_hidden_state

    @staticmethod
    def _matches(pieces: torch.Tensor, in_question: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Mark the passage tokens whose piece stands in the question (exact match, as in DrQA)."""
        asked = pieces.masked_fill(~in_question, -1)
        found = (pieces[:, :, None] == asked[:, None, :]).any(-1)
        return torch.where(found & second.bool(), _IN_QUESTION, _OTHER)
