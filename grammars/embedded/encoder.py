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

from grammars.embedded.evidence import FEATURES, Evidence, Judged, Sentences, Text, compare
from grammars.embedded.glance import Glance
from grammars.embedded.packed import Merged
from grammars.embedded.precision import native_bfloat16

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import BertModel

    from grammars.embedded.packed import Packed

_PAD, _UNKNOWN, _CLS, _SEP = 0, 100, 101, 102  # MiniLM's ids
_LENGTHS = (64, 128, 192, 256, 320, 384, 512)  # segments are padded to these: bfloat16 compiles each shape
_STEP = 16
_GROUP = 8  # more segments than this are filled up to a multiple of it
_OTHER, _IN_QUESTION = 0, 1
_AT_CLS, _AT_SEP, _AT_PAD = -1, -2, -3  # instead of a place in the flat rows


@dataclass
class Source(BaseModelOutput):
    """What the decoder reads.

    Attributes:
        last_hidden_state: (B, N, H) over the flat row; a passage separator's place holds its segment's [CLS].
        source_ids: (B, N), the flat row without the marks around sentences, to point into.
        source_mask: (B, N), 1 where a token was read and may be attended to.
        judged: the sentences' scores.
    """

    last_hidden_state: torch.Tensor | None = None
    source_ids: torch.Tensor | None = None
    source_mask: torch.Tensor | None = None
    judged: Judged | None = None


@dataclass(frozen=True)
class Marks:
    """The ids of the mark around sentences, and of a space that is a token of its own."""

    sentence: int
    space: int


def without_marks(
    ids: torch.Tensor, mask: torch.Tensor, marks: Marks
) -> tuple[torch.Tensor, torch.Tensor, list[list[range]]]:
    """Take the marks around sentences out of flat rows (B, N).

    Returns:
        The rows (B, M) padded on the right, their mask, and the places of each row's sentences.
    """
    lines = [line[real.bool()].tolist() for line, real in zip(ids, mask, strict=True)]
    rows, marked = zip(*(split_marks(line, marks) for line in lines), strict=True)
    width = max([1, *map(len, rows)])
    lengths = torch.tensor([len(row) for row in rows])
    padded = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    real = (torch.arange(width)[None] < lengths[:, None]).to(mask.dtype)
    return padded.to(ids.device), real.to(ids.device), list(marked)


def split_marks(tokens: Sequence[int], marks: Marks) -> tuple[list[int], list[range]]:
    """Return the tokens without the marks, and the places of the sentences among them.

    A space before a sentence, where it is a token of its own, is not of the sentence.
    """
    kept: list[int] = []
    cuts: list[int] = []
    for token in tokens:
        if token == marks.sentence:
            cuts.append(len(kept))
        else:
            kept.append(token)
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    return kept, [range(a + (kept[a] == marks.space and a + 1 < b), b) for a, b in pairs]


def _padded_length(longest: int) -> int:
    """Return how long segments are made: bfloat16 on a CPU wants few lengths, float32 little padding."""
    if native_bfloat16():
        return next((size for size in _LENGTHS if size >= longest), longest)
    return -(-longest // _STEP) * _STEP


def _text(rows: Sequence[Sequence[int]], row: int, places: range) -> Text:
    return Text(row, places.start, tuple(rows[row][places.start : places.stop]))


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
        self,
        minilm: BertModel,
        piece: torch.Tensor,
        form: torch.Tensor,
        *,
        separator: int,
        marks: Marks,
        question_length: int,
    ) -> None:
        super().__init__()
        self.minilm = minilm
        self.separator, self.marks = separator, marks
        self.question_length = question_length
        self.register_buffer("piece", piece, persistent=False)
        self.register_buffer("form", form, persistent=False)
        self.glance = Glance(minilm)
        self._merged: Merged | None = None
        width = minilm.config.hidden_size
        self.evidence = Evidence(width)
        self.evidence_mix = nn.Linear(FEATURES + 1, width)
        self.form_embeddings = nn.Embedding(3, width)
        self.match_embeddings = nn.Embedding(2, width)
        # from nothing: what is added must not drown MiniLM's own
        for added in (self.form_embeddings, self.match_embeddings, self.evidence_mix):
            nn.init.zeros_(added.weight)
        nn.init.zeros_(self.evidence_mix.bias)

    def freeze(self, dtype: torch.dtype) -> None:
        """Read faster from now on: the weights stay as they are, though other adapters may be chosen.

        Segments are no longer padded, adapters are merged, and multiplications are of the type `dtype`.
        """
        self._merged = Merged(self.minilm, dtype)
        self._merged.chosen()

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None, **_: object
    ) -> Source:
        """Encode flat rows (B, N); padding may stand on either side."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        ids, mask, marked = without_marks(input_ids, mask, self.marks)
        rows = zip(ids, mask, strict=True)
        segments = [s for row, (line, real) in enumerate(rows) for s in self._segments(row, line, real)]
        places = self._places(segments, ids.shape[1])
        target = self._targets(segments, places, ids.shape[1], ids.numel())
        target = target.reshape(-1).to(ids.device)
        states = self._encode(ids.reshape(-1), places.to(ids.device), segments)
        flat = states.new_zeros(ids.numel() + 1, states.shape[-1])  # the last row: what has no place
        flat = flat.index_copy(0, target, states.reshape(-1, states.shape[-1]))
        flat = flat[:-1].reshape(*ids.shape, -1)
        judged, sentences = self._judge(flat, ids, segments, marked)
        written = torch.zeros(ids.numel() + 1, dtype=mask.dtype, device=mask.device)
        written[target] = 1
        return Source(
            last_hidden_state=flat + self._spread(judged, sentences, segments, flat),
            source_ids=ids,
            source_mask=mask * written[:-1].reshape(ids.shape),
            judged=judged,
        )

    def _judge(
        self, states: torch.Tensor, ids: torch.Tensor, segments: list[_Segment], marked: list[list[range]]
    ) -> tuple[Judged, Sentences]:
        """Score the sentences that were read."""
        pieces = self.piece[ids]
        rows = pieces.tolist()
        questions = {s.row: _text(rows, s.row, s.question) for s in segments}
        passages = [_text(rows, s.row, s.passage[1:]) for s in segments]
        found = [
            (s.row, number, span.start, span.stop)
            for number, s in enumerate(segments)
            for span in marked[s.row]
            if s.passage.start < span.start and span.stop <= s.passage.stop
        ]
        columns = zip(*found, strict=True) if found else ((), (), (), ())
        sentences = Sentences(*map(list, columns))
        features = compare(self.glance, list(questions.values()), passages, sentences, pieces)
        return self.evidence(states, sentences, features), sentences

    def _spread(
        self, judged: Judged, sentences: Sentences, segments: list[_Segment], states: torch.Tensor
    ) -> torch.Tensor:
        """Return what each place (B, N, H) is told: its sentence's score, a separator its passage's best."""
        width, nothing = states.shape[1], len(sentences)
        teller = [nothing] * (len(states) * width)
        best: dict[int, tuple[float, int]] = {}
        for number, score in enumerate(judged.flat.tolist()):
            row, passage = sentences.row[number], sentences.passage[number]
            for place in range(sentences.first[number], sentences.end[number]):
                teller[row * width + place] = number
            best[passage] = max(best.get(passage, (score, number)), (score, number))
        for passage, (_, number) in best.items():
            teller[segments[passage].row * width + segments[passage].passage.start] = number
        columns = torch.cat([judged.features, judged.flat[:, None]], 1) / 4
        told = nn.functional.pad(columns, (0, 0, 0, 1))[torch.tensor(teller, device=states.device)]
        spread: torch.Tensor = self.evidence_mix(told)
        taught = torch.tensor(teller, device=states.device) != nothing
        return (spread * taught[:, None]).reshape(states.shape)

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
        if len(lines) > _GROUP and native_bfloat16():  # spare segments, a [CLS] alone: so few shapes
            lines += [[_AT_CLS]] * (-len(lines) % _GROUP)
        longest = max(map(len, lines))
        length = _padded_length(longest)
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
        if self._merged is None or torch.is_grad_enabled():
            return self._padded(embeddings, real, second * real)
        return self._packed(self._merged.chosen(), embeddings, real, second * real)

    def _padded(self, embeddings: torch.Tensor, real: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self.minilm(
            inputs_embeds=embeddings, attention_mask=real.long(), token_type_ids=second
        ).last_hidden_state
        return states

    def _packed(
        self, layers: Packed, embeddings: torch.Tensor, real: torch.Tensor, second: torch.Tensor
    ) -> torch.Tensor:
        embedded = self.minilm.embeddings(inputs_embeds=embeddings, token_type_ids=second)
        states = torch.zeros_like(embedded, dtype=torch.float32)
        states[real] = layers(embedded[real], real.sum(1).tolist())
        return states

    @staticmethod
    def _matches(pieces: torch.Tensor, in_question: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Mark the passage tokens whose piece stands in the question (exact match, as in DrQA)."""
        asked = pieces.masked_fill(~in_question, -1)
        found = (pieces[:, :, None] == asked[:, None, :]).any(-1)
        return torch.where(found & second.bool(), _IN_QUESTION, _OTHER)
