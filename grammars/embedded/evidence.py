"""How well each sentence answers the question: what the pointer, and the decision to answer, rest on.

A sentence is judged by what it says beside the question (the mean of its states after both were read
together), by how near it is to the question when each is read alone, and by the question's words in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grammars.embedded.glance import Glance, Pieces

FEATURES = 8
SUMMARY = 6
NOTHING = -20.0  # the score of a sentence that is not there
_SHARP = 10.0  # the features' weights learn at this multiple of the learning rate
# The features' weights before training, in units of _SHARP: about MiniLM's own temperature for a cosine.
_BEGIN = (0.8, 0.2, 0.2, 0.4, 0.2, 0.1, 0.0, 0.0)
_BASE = -3.0  # the score of a sentence, before training: one in twenty is evidence
_INNER = 128
_UNKNOWN = 100  # MiniLM's ids
_FIRST_WORD = 1996  # MiniLM's words, "the" first, stand in the order of their frequency; below are characters
_WORDS = 28_526


@dataclass(frozen=True)
class Sentences:
    """The sentences of a batch's prompts, as places of the flat rows; each list has one entry a sentence."""

    row: list[int]
    passage: list[int]  # counted over the whole batch
    first: list[int]
    end: list[int]

    def __len__(self) -> int:
        """Return how many there are, over all prompts."""
        return len(self.row)


@dataclass(frozen=True)
class Text:
    """What is compared at first glance: a passage, or a question, as MiniLM's pieces."""

    row: int
    pieces: Pieces


@dataclass
class Judged:
    """The scores of a batch's sentences.

    Attributes:
        begins: (B, N), each sentence's score at its first place, 0 elsewhere.
        follows: (B, N), at the place behind a sentence the score of the next one in its passage.
        scores: (B, S), the sentences' scores, `NOTHING` where a row has fewer.
        firsts: (B, S), their first places.
        summary: (B, SUMMARY), what the scores say of the whole prompt.
        states: (B, H), the states of the sentences, weighed by their scores.
        features: (T, FEATURES), of all sentences.
        flat: (T,), the scores of all sentences.
    """

    begins: torch.Tensor
    follows: torch.Tensor
    scores: torch.Tensor
    firsts: torch.Tensor
    summary: torch.Tensor
    states: torch.Tensor
    features: torch.Tensor
    flat: torch.Tensor


class Evidence(nn.Module):
    """Scores sentences; `width` is that of the encoder's states."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weigh = nn.Parameter(torch.tensor(_BEGIN))
        self.base = nn.Parameter(torch.tensor(_BASE))
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Sequential(
            nn.Linear(width + FEATURES, _INNER), nn.GELU(), nn.Dropout(0.1), nn.Linear(_INNER, 1)
        )
        last = self.inner[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, states: torch.Tensor, sentences: Sentences, features: torch.Tensor) -> Judged:
        """Judge the sentences.

        Args:
            states: (B, N, H) over the flat rows.
            sentences: where they stand.
            features: (T, FEATURES), as `compare` returns them.
        """
        with torch.autocast(states.device.type, enabled=False):
            return self._judge(states.float(), sentences, features.float())

    def _judge(self, states: torch.Tensor, sentences: Sentences, features: torch.Tensor) -> Judged:
        rows = torch.tensor(sentences.row, device=states.device, dtype=torch.long)
        firsts = torch.tensor(sentences.first, device=states.device, dtype=torch.long)
        ends = torch.tensor(sentences.end, device=states.device, dtype=torch.long)
        pooled = self.norm(_means(states, rows, firsts, ends))
        scores = _SHARP * (features @ self.weigh) + self.base
        scores = scores + self.inner(torch.cat([pooled, features], 1))[:, 0]
        return _lay_out(states, sentences, scores, pooled, features)


def _means(
    states: torch.Tensor, rows: torch.Tensor, firsts: torch.Tensor, ends: torch.Tensor
) -> torch.Tensor:
    """Return the mean (T, H) of the states from `firsts` to `ends` (T,)."""
    sums = nn.functional.pad(states.cumsum(1), (0, 0, 1, 0))
    return (sums[rows, ends] - sums[rows, firsts]) / (ends - firsts)[:, None]


def _lay_out(
    states: torch.Tensor,
    sentences: Sentences,
    scores: torch.Tensor,
    pooled: torch.Tensor,
    features: torch.Tensor,
) -> Judged:
    batch, width = states.shape[:2]
    begins, follows = scores.new_zeros(batch, width + 1), scores.new_zeros(batch, width + 1)
    counts = [sentences.row.count(row) for row in range(batch)]
    table = scores.new_full((batch, max([1, *counts])), NOTHING)
    firsts = torch.zeros(table.shape, dtype=torch.long, device=states.device)
    mixed, summary = states.new_zeros(batch, states.shape[2]), scores.new_zeros(batch, SUMMARY)
    row = torch.tensor(sentences.row, device=states.device, dtype=torch.long)
    first = torch.tensor(sentences.first, device=states.device, dtype=torch.long)
    if len(sentences):
        begins[row, first] = scores
        pairs = [i for i in range(len(sentences) - 1) if sentences.passage[i] == sentences.passage[i + 1]]
        behind = torch.tensor([sentences.end[i] for i in pairs], device=states.device, dtype=torch.long)
        follows[row[pairs], behind] = scores[[i + 1 for i in pairs]]
    at = 0
    for number, count in enumerate(counts):
        mine = slice(at, at + count)
        at += count
        if count:
            table[number, :count], firsts[number, :count] = scores[mine], first[mine]
            mixed[number] = scores[mine].softmax(0) @ pooled[mine]
            summary[number] = _summary(scores[mine], features[mine])
    return Judged(begins[:, :-1], follows[:, :-1], table, firsts, summary, mixed, features, scores)


def _summary(scores: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """Return what a prompt's scores (S,) and features (S, FEATURES) say of it as a whole (SUMMARY,)."""
    best = scores.topk(min(3, len(scores))).values
    most = features[:, [0, 1, 4]].amax(0)
    return torch.cat([best[:1], scores.logsumexp(0)[None], best.mean()[None], most])


def compare(
    glance: Glance,
    questions: Sequence[Text],
    passages: Sequence[Text],
    sentences: Sentences,
    ids: torch.Tensor,
) -> torch.Tensor:
    """Return the sentences' features (T, FEATURES).

    The cosines with the question of the sentence and of its passage; how far the sentence is behind its
    passage's best, and behind the prompt's best; the share of the question's words that stand in the
    sentence, and in its passage; the sentence's length; whether it is the best of the prompt.

    Args:
        glance: what embeds the texts.
        questions: one a row, in order.
        passages: of the whole batch, as `sentences.passage` counts them.
        sentences: where they stand.
        ids: (B, N), MiniLM's pieces of the flat rows.
    """
    if not len(sentences):
        return torch.zeros(0, FEATURES, device=ids.device)
    rows = ids.tolist()
    places = zip(sentences.row, sentences.first, sentences.end, strict=True)
    texts = [_known(rows[row][first:end]) for row, first, end in places]
    vectors = glance([*(q.pieces for q in questions), *(p.pieces for p in passages), *texts])
    asked, read, said = vectors.split([len(questions), len(passages), len(texts)])
    row = torch.tensor(sentences.row, device=ids.device)
    passage = torch.tensor(sentences.passage, device=ids.device)
    near = (said * asked[row]).sum(1)
    around = (read[passage] * asked[row]).sum(1)
    best = near.new_full((len(passages),), -1.0).scatter_reduce(0, passage, near, "amax")[passage]
    most = near.new_full((len(questions),), -1.0).scatter_reduce(0, row, near, "amax")[row]
    words = [_Words(question.pieces) for question in questions]
    held = [words[r].held(text) for r, text in zip(sentences.row, texts, strict=True)]
    about = [words[passages[p].row].held(passages[p].pieces) for p in sentences.passage]
    lengths = [math.log(len(text) + 1) / 4 for text in texts]
    columns = [near, around, near - best, near - most]
    columns += [torch.tensor(column, device=ids.device) for column in (held, about, lengths)]
    return torch.stack([*columns, (near == most).float()], 1)


def _known(pieces: Sequence[int]) -> Pieces:
    return tuple(piece for piece in pieces if piece not in {0, _UNKNOWN})


class _Words:
    """A question's words and what each weighs: the rarer, the more, as their places in MiniLM's list say."""

    def __init__(self, pieces: Pieces) -> None:
        self.weights = {piece: _rarity(piece) for piece in pieces}
        self.total = sum(self.weights.values()) or 1.0

    def held(self, text: Pieces) -> float:
        """Return the share of the question's words that the text holds, by weight."""
        return sum(self.weights[piece] for piece in self.weights.keys() & set(text)) / self.total


def _rarity(piece: int) -> float:
    rank = max(piece - _FIRST_WORD, 0)
    return math.log1p(rank) / math.log1p(_WORDS)
