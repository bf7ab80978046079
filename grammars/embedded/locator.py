"""Where a text states what a schema asks for: MiniLM reads the schema's questions and the text together.

    [CLS] title [SEP] question [SEP] question … [SEP] text [SEP]

All questions are read at once, so that each knows what the others ask (GLiNER: Zaratiana et al. 2023,
arXiv:2311.08526). A question's vector is the mean of its states; its product with each token's says how
likely what is asked begins or ends there, and its product with the first state, that nothing states it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from grammars.embedded.packed import Merged
from grammars.engine.protocol import Located

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import BertModel

    from grammars.embedded.packed import Packed

Span = tuple[int, int]

LONGEST = 512  # tokens that MiniLM has positions for
MOST_ASKED = 300  # tokens of title and questions in one reading
MOST_OF_QUESTION = 40  # tokens
MOST_READINGS = 24  # of a text, some 12,000 tokens, but one of each group of questions
_OVERLAP = 32  # tokens that a text's windows share
_WIDTH = 256
_CLS, _SEP = 101, 102  # MiniLM's ids
_TEXT = -1  # whose a token is that is of the text


class LocatorHead(nn.Module):
    """Scores of the first and the last token of what each question asks for."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.asked = nn.Linear(hidden, 3 * _WIDTH)
        self.first, self.last, self.none = (nn.Linear(hidden, _WIDTH) for _ in range(3))

    def forward(self, states: torch.Tensor, owner: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return scores (B, Q, 1 + T) of where it begins and ends; place 0 stands for nowhere.

        Args:
            states: (B, T, H), of [CLS] first.
            owner: (B, T): the number, from 1, of the question that a token is of; -1: of the text; 0: no.
        """
        numbers = torch.arange(1, int(owner.max()) + 1, device=owner.device)
        members = (owner[:, :, None] == numbers).to(states.dtype)  # (B, T, Q)
        questions = members.transpose(1, 2) @ states / members.sum(1)[:, :, None].clamp(min=1)
        first, last, none = self.asked(questions).chunk(3, dim=-1)
        nowhere = (none * self.none(states[:, :1])).sum(-1, keepdim=True)  # (B, Q, 1)
        outside = (owner != _TEXT)[:, None]
        begins = (first @ self.first(states).transpose(1, 2)).masked_fill(outside, -torch.inf)
        ends = (last @ self.last(states).transpose(1, 2)).masked_fill(outside, -torch.inf)
        scale = _WIDTH**-0.5
        return torch.cat([nowhere, begins], -1) * scale, torch.cat([nowhere, ends], -1) * scale


@dataclass(frozen=True)
class Asking:
    """What is read at once: token ids, whose they are (as `LocatorHead` says), and where the text stands.

    Attributes:
        questions: their numbers in the schema.
        text: the places of the text's tokens here.
        first: the number, in the whole text, of the first of them.
    """

    ids: list[int]
    owner: list[int]
    questions: list[int]
    text: range
    first: int


class Asker:
    """Lays out title, questions and text for the locator, in as many readings as it takes."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def tokens(self, text: str) -> tuple[list[int], list[Span]]:
        """Return a text's token ids, and the characters that each of them is."""
        read = self._tokenizer(
            text,
            add_special_tokens=False,
            split_special_tokens=True,  # a message's own `[SEP]` is text
            return_offsets_mapping=True,
            verbose=False,
        )
        return read["input_ids"], [(start, end) for start, end in read["offset_mapping"]]

    def __call__(self, title: str, questions: Sequence[str], text: Sequence[int]) -> list[Asking]:
        """Return every reading of a text's token ids, for each group of the questions."""
        named = self.tokens(title)[0][:MOST_OF_QUESTION]
        opening = [_CLS, *named, _SEP] if named else [_CLS]
        asked = [[*self.tokens(question)[0][:MOST_OF_QUESTION], _SEP] for question in questions]
        groups = _groups([len(one) for one in asked], MOST_ASKED - len(opening))
        most = max(MOST_READINGS // max(len(groups), 1), 1)
        return [one for group in groups for one in self._readings(opening, asked, group, text)[:most]]

    @staticmethod
    def _readings(
        opening: list[int], asked: Sequence[list[int]], group: list[int], text: Sequence[int]
    ) -> list[Asking]:
        head = [*opening, *(token for number in group for token in asked[number])]
        owner = [0] * len(opening)
        for place, number in enumerate(group, 1):
            owner += [place] * len(asked[number])
        room = LONGEST - len(head) - 1
        starts = range(0, max(len(text) - _OVERLAP, 1), room - _OVERLAP)
        found = []
        for start in starts:
            part = list(text[start : start + room])
            ids, owners = [*head, *part, _SEP], [*owner, *[_TEXT] * len(part), 0]
            found.append(Asking(ids, owners, group, range(len(head), len(head) + len(part)), start))
        return found


def _groups(lengths: Sequence[int], room: int) -> list[list[int]]:
    """Return the numbers of questions of these lengths, in order, as many together as there is room for."""
    groups: list[list[int]] = []
    left = -1
    for number, length in enumerate(lengths):
        if length > left:
            groups.append([])
            left = room
        groups[-1].append(number)
        left -= length
    return groups


def _even(logs: torch.Tensor) -> torch.Tensor:
    """Return log-probabilities (Q, 1 + N), those of what was not read no worse than any other's."""
    return logs.masked_fill(logs.isinf(), -math.log(logs.shape[-1]))


class Locator:
    """The trained locator, ready to read.

    Args:
        minilm: whose embeddings are read.
        layers: its layers, the adapter merged.
        head: trained.
        tokenizer: MiniLM's.
    """

    def __init__(self, minilm: BertModel, layers: Packed, head: LocatorHead, tokenizer: Any) -> None:
        self._minilm, self._layers, self._head = minilm, layers, head.eval()
        self._asker = Asker(tokenizer)

    @classmethod
    def of(cls, adapted: BertModel, head: LocatorHead, tokenizer: Any, dtype: torch.dtype) -> Locator:
        """Return the locator of a MiniLM with an adapter, as it is now; `dtype` is multiplied in."""
        return cls(adapted, Merged(adapted, dtype).chosen(), head, tokenizer)

    def _states(self, readings: Sequence[Asking]) -> tuple[torch.Tensor, ...]:
        """Return the states (T, H) of each reading."""
        lengths = [len(one.ids) for one in readings]
        ids = torch.tensor([token for one in readings for token in one.ids], device=self._minilm.device)
        places = torch.cat([torch.arange(length, device=ids.device) for length in lengths])
        kinds = torch.tensor(
            [int(whose == _TEXT) for one in readings for whose in one.owner], device=ids.device
        )
        embedded = self._minilm.embeddings(
            input_ids=ids[None], position_ids=places[None], token_type_ids=kinds[None]
        )
        return torch.split(self._layers(embedded[0], lengths), lengths)

    @torch.inference_mode()
    def __call__(self, title: str, questions: Sequence[str], text: str) -> Located:
        """Return where a text states what questions ask for."""
        tokens, offsets = self._asker.tokens(text)
        readings = self._asker(title, questions, tokens)
        size = (len(questions), 1 + len(tokens))
        begins, ends = torch.full(size, -torch.inf), torch.full(size, -torch.inf)
        begins[:, 0] = ends[:, 0] = 0.0
        states = self._states(readings) if readings else ()
        for one, its in zip(readings, states, strict=True):
            owner = torch.tensor([one.owner], device=its.device)
            for whole, scores in zip((begins, ends), self._head(its[None], owner), strict=True):
                # over its absence, so that what several windows say can be compared
                over = (scores[0, :, 1:] - scores[0, :, :1])[:, one.text.start : one.text.stop].cpu()
                places = slice(1 + one.first, 1 + one.first + len(one.text))
                rows = torch.tensor(one.questions)
                whole[rows, places] = torch.maximum(whole[rows, places], over)
        begins, ends = (_even(whole.log_softmax(-1)) for whole in (begins, ends))
        return Located(
            np.asarray(offsets, np.int64).reshape(-1, 2),
            begins[:, 1:].numpy(),
            ends[:, 1:].numpy(),
            (begins[:, 0] + ends[:, 0]).numpy(),
        )
