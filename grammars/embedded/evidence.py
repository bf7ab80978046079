"""How well each sentence answers the question: what the pointer, and the decision to answer, rest on.

A sentence is judged by what it says beside the question (the mean of its states after both were read
together), by how near it is to the question when its passage and the question are read alone, as a whole and
word by word, and by the question's words in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grammars.embedded.glance import Glance, Pieces
    from grammars.embedded.readings import Reading

FEATURES = 11
SUMMARY = 6
NOTHING = -20.0  # the score of a sentence that is not there
# What the features are multiplied by, so that each is spread by about one over documentation.
_SCALE = (6.0, 6.0, 8.0, 4.0, 4.0, 6.0, 8.0, 4.0, 4.0, 3.0, 3.0)
# The scaled features' weights before training: the words read in context, then the cosine.
_BEGIN = (0.4, 0.1, 0.8, 0.1, 0.0, 0.2, 0.6, 0.1, 0.0, -0.1, 0.0)
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

    def of(self, number: int, start: int) -> range:
        """Return the places of a sentence, counted from `start`."""
        return range(self.first[number] - start, self.end[number] - start)


@dataclass(frozen=True)
class Text:
    """What is compared at first glance: a question or a passage, its places from `start` on, as pieces."""

    row: int
    start: int
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
        scores = features @ self.weigh + self.base
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
    most = features[:, [0, 2, 3]].amax(0)
    return torch.cat([best[:1], scores.logsumexp(0)[None], best.mean()[None], most])


def compare(
    glance: Glance,
    questions: Sequence[Text],
    passages: Sequence[Text],
    sentences: Sentences,
    ids: torch.Tensor,
) -> torch.Tensor:
    """Return the sentences' features (T, FEATURES).

    Of the sentence, its words read in their passage: the cosine of their mean with the question; how well
    they match the question's words (late interaction: Khattab and Zaharia 2020, arXiv:2004.12832, the rarer
    ones weighing more); the share of the question's words that it holds; how far it is behind the prompt's
    best in each of the three; its length; its place in its passage. Of its passage: the cosine, the share of
    the words, the rank.

    Args:
        glance: what reads the texts.
        questions: one a row, in order.
        passages: of the whole batch, as `sentences.passage` counts them.
        sentences: where they stand.
        ids: (B, N), MiniLM's pieces of the flat rows.
    """
    if not len(sentences):
        return torch.zeros(0, FEATURES, device=ids.device)
    rows = ids.tolist()
    places = zip(sentences.row, sentences.first, sentences.end, strict=True)
    texts = [tuple(rows[row][first:end]) for row, first, end in places]
    words = [_Words(question.pieces) for question in questions]
    held = torch.tensor([words[r].held(text) for r, text in zip(sentences.row, texts, strict=True)])
    shares = [words[text.row].held(text.pieces) for text in passages]
    about = torch.tensor([shares[number] for number in sentences.passage])
    near, around, match = _read_alone(glance, questions, passages, sentences, words)
    row = torch.tensor(sentences.row, device=ids.device)
    behind = [
        column - _most(column, row, len(questions))[row] for column in (near, match, held.to(ids.device))
    ]
    told = [*_counted(sentences, passages, texts)]
    columns = [near, around, match, held, about, *behind, *told]
    found = torch.stack([column.to(ids.device) for column in columns], 1)
    return found * torch.tensor(_SCALE, device=ids.device)


def _read_alone(
    glance: Glance,
    questions: Sequence[Text],
    passages: Sequence[Text],
    sentences: Sentences,
    words: Sequence[_Words],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return what the readings alone say of the sentences: three columns (T,).

    The question's cosine with the sentence's mean state, that with the passage's embedding, and the mean over
    the question's words of the best match among the sentence's.
    """
    asked = glance.read([question.pieces for question in questions])
    read = glance.read([passage.pieces for passage in passages])
    columns = []
    for number, mine in groupby(range(len(sentences)), key=sentences.passage.__getitem__):
        places = [sentences.of(i, passages[number].start) for i in mine]
        question = passages[number].row
        columns.append(_beside(asked[question], read[number], places, words[question].shares))
    near, around, match = map(torch.cat, zip(*columns, strict=True))
    return near, around, match


def _beside(
    asked: Reading, read: Reading, places: Sequence[range], shares: Sequence[float]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the three columns (S,) of one passage's sentences, at these places of its pieces."""
    device = read.states.device
    first, end = torch.tensor([[span.start, span.stop] for span in places], device=device).T[..., None]
    place = torch.arange(len(read.states), device=device)
    within = (first <= place) & (place < end)
    means = nn.functional.normalize(within.float() @ read.states, dim=-1)
    units = nn.functional.normalize(read.states, dim=-1)
    grid = nn.functional.normalize(asked.states, dim=-1) @ units.T
    best = grid[None].expand(len(places), -1, -1).masked_fill(~within[:, None], -1.0).amax(2)
    match = best @ torch.tensor(shares, device=device)
    return means @ asked.whole, (read.whole @ asked.whole).expand(len(places)), match


def _most(column: torch.Tensor, row: torch.Tensor, rows: int) -> torch.Tensor:
    """Return each prompt's highest value (B,) of a column (T,)."""
    return column.new_full((rows,), -1.0).scatter_reduce(0, row, column, "amax")


def _counted(
    sentences: Sentences, passages: Sequence[Text], texts: Sequence[Pieces]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return each sentence's length, its passage's rank and its place in the passage (T,), all about one."""
    first = {passage.row: number for number, passage in reversed(list(enumerate(passages)))}
    begins: dict[int, int] = {}
    for number, passage in enumerate(sentences.passage):
        begins.setdefault(passage, number)
    lengths = [math.log(len(text) + 1) / 4 for text in texts]
    ranks = [(p - first[r]) / 4 for r, p in zip(sentences.row, sentences.passage, strict=True)]
    places = [(number - begins[p]) / 10 for number, p in enumerate(sentences.passage)]
    return torch.tensor(lengths), torch.tensor(ranks), torch.tensor(places)


def _known(pieces: Sequence[int]) -> Pieces:
    return tuple(piece for piece in pieces if piece not in {0, _UNKNOWN})


class _Words:
    """A question's words and what each weighs: the rarer, the more, as their places in MiniLM's list say."""

    def __init__(self, pieces: Pieces) -> None:
        self.weights = {piece: _rarity(piece) for piece in _known(pieces)}
        self.total = sum(self.weights.values()) or 1.0
        every = [_rarity(piece) for piece in pieces]
        self.shares = [weight / (sum(every) or 1.0) for weight in every]

    def held(self, text: Pieces) -> float:
        """Return the share of the question's words that the text holds, by weight."""
        return sum(self.weights[piece] for piece in self.weights.keys() & set(text)) / self.total


def _rarity(piece: int) -> float:
    rank = max(piece - _FIRST_WORD, 0)
    return math.log1p(rank) / math.log1p(_WORDS)
