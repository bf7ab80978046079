"""Examples as tensors: the flat prompt, the JSON to write, and the decisions in it.

Most of what is written is forced by the grammar. The loss ranges over the decisions that are not, each with
the candidates that the grammar would admit there: answer or abstain; where a quote starts; whether it ends or
goes on; another quote or none; where a short answer starts and ends. A small share of the loss is the plain
next-token one.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from grammars.answer.grammar import json_escape
from grammars.answer.sentences import statements
from grammars.embedded.encoder import Marks, split_marks
from grammars.embedded.layout import render
from grammars.embedded.tokenizer import PASSAGE, SENTENCE
from grammars.engine.protocol import AnswerPrompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from grammars.tuning.examples import Example

Span = tuple[int, int]

QUOTES = 3
RUN = 3  # units of one quote
FREE = 0.01  # weight of the plain next-token loss at each token
EVERYTHING = [-1]  # instead of candidates: all places and all own tokens


@dataclass
class Decision:
    """At decoder step `step`: the candidate places and own tokens, and which of them are right."""

    step: int
    places: list[int]
    own: list[int]
    right_places: list[int]
    right_own: list[int]
    weight: float = 1.0
    name: str = ""


@dataclass
class Features:
    """One example: prompt ids, the same without marks, decoder input ids (teacher forcing), decisions.

    `gold` holds the first places of the sentences that are evidence. All places are those without marks.
    """

    prompt: list[int]
    source: list[int]
    target: list[int] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    segments: int = 0
    longest: int = 0
    gold: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class _Unit:
    """A sentence as places of the source: its first token, and the one past its last; and its text."""

    first: int
    end: int
    passage: int
    text: str
    offset: int


class Featurizer:
    """Turns examples into features, with the model's tokenizer and its list of own tokens.

    `decoys` is the share of the answers that begin with a wrong quote, itself not learned: few rows have
    evidence in several places, and from these the model learns that a quote was not enough, and where to
    point next.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, own_ids: list[int], decoys: float = 0.0) -> None:
        self.tokenizer = tokenizer
        self.decoys = decoys
        self.rng = random.Random(0)  # noqa: S311 - sampling, not secrets
        self.own = {token: i for i, token in enumerate(own_ids)}
        self.separator, sentence, space = (self._ids(mark)[0] for mark in (PASSAGE, SENTENCE, " "))
        self.marks = Marks(sentence, space)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text)["input_ids"]
        return ids

    def _own(self, text: str) -> int:
        (token,) = self._ids(text)
        return self.own[token]

    def __call__(self, example: Example) -> Features:
        """Return the features of one example."""
        prompt = AnswerPrompt(example.question, example.passages, example.history)
        marked = self._ids(render(prompt))
        source, ranges = split_marks(marked, self.marks)
        found = self._units(ranges, example)
        features = Features(marked, source)
        cuts = [i for i, token in enumerate(source) if token == self.separator]
        features.segments = len(cuts)
        ends = [*cuts[1:], len(source)]
        features.longest = max(e - c for c, e in zip(cuts, ends, strict=True)) + min(cuts[0], 96) + 3
        features.gold = {unit.first for unit in found if _is_gold(unit, example)}
        runs = self._gold_runs(example, found)
        writer = _Writer(self, features, found)
        writer.write('{"answerable":')
        writer.decide_own("true" if runs else "false", ("true", "false"), "answerable", 1.5)
        if runs:
            self._write_answer(writer, example, runs)
        writer.write("}")
        return features

    def _write_answer(self, writer: _Writer, example: Example, runs: list[list[_Unit]]) -> None:
        writer.write(',"citations":[')
        decoys = self._decoys(writer.found, runs)
        for decoy in decoys:
            writer.citation([decoy], None)
            writer.decide_own(",", (",", "]"), "more")
        runs = runs[: QUOTES - len(decoys)]
        for i, run in enumerate(runs):
            writer.citation(run, [r[0] for r in runs[i:]])
            if i + 1 + len(decoys) < QUOTES:
                writer.decide_own("," if i + 1 < len(runs) else "]", (",", "]"), "more")
            else:
                writer.write("]")
        writer.write(',"answer":"')
        writer.span(self._span(example, runs))
        # the closing quotation mark is part of the span's decisions

    def _decoys(self, found: list[_Unit], runs: list[list[_Unit]]) -> list[_Unit]:
        gold = {unit.first for run in runs for unit in run}
        others = [unit for unit in found if unit.first not in gold]
        if not others or self.rng.random() >= self.decoys:
            return []
        near = [unit for unit in others if unit.passage == runs[0][0].passage] or others
        chosen = [self.rng.choice(near if self.rng.random() < 0.6 else others)]  # noqa: PLR2004 - mostly beside it
        return chosen + ([self.rng.choice(others)] if self.rng.random() < 0.3 else [])  # noqa: PLR2004 - seldom two

    @staticmethod
    def _units(ranges: list[range], example: Example) -> list[_Unit]:
        """Return each sentence with its places, in order."""
        told = [(number, p.text, u) for number, p in enumerate(example.passages) for u in statements(p.text)]
        return [
            _Unit(places.start, places.stop, number, text[unit.content : unit.end], unit.content)
            for places, (number, text, unit) in zip(ranges, told, strict=True)
        ]

    @staticmethod
    def _gold_runs(example: Example, found: list[_Unit]) -> list[list[_Unit]]:
        """Return the quotes to make: neighbouring gold units joined, at most RUN in one, QUOTES in all."""
        runs: list[list[_Unit]] = []
        previous = -2
        for i, unit in enumerate(found):
            if _is_gold(unit, example):
                joined = runs and i == previous + 1 and runs[-1][-1].passage == unit.passage
                if joined and len(runs[-1]) < RUN:
                    runs[-1].append(unit)
                else:
                    runs.append([unit])
                previous = i
        return runs[:QUOTES]

    def _span(self, example: Example, runs: list[list[_Unit]]) -> Span | None:
        """Return the places of the short answer's tokens, where it lies in one sentence of a quote."""
        if example.span is None:
            return None
        number, a, b = example.span
        units = (unit for run in runs for unit in run if unit.passage == number)
        unit = next((u for u in units if u.offset <= a and b <= u.offset + len(u.text)), None)
        if unit is None:
            return None
        places = _Tokens(self.tokenizer, unit.text).covering(a - unit.offset, b - unit.offset)
        return unit.first + places.start, unit.first + places.stop


def _is_gold(unit: _Unit, example: Example) -> bool:
    spans = example.gold[unit.passage]
    return any(a < unit.offset + len(unit.text) and b > unit.offset for a, b in spans)


class _Tokens:
    """The tokens of a text's escaped form, found by the text's own offsets."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, text: str) -> None:
        offsets = tokenizer(json_escape(text), return_offsets_mapping=True)["offset_mapping"]
        self.starts, self.ends = [a for a, _ in offsets], [b for _, b in offsets]
        self.escaped = [0, *accumulate(len(json_escape(char)) for char in text)]

    def covering(self, start: int, end: int) -> range:
        """Return the tokens that hold the characters from start to end, at least one."""
        first = bisect_right(self.ends, self.escaped[start])
        return range(first, max(bisect_left(self.starts, self.escaped[end]), first + 1))


class _Writer:
    """Writes the target and notes the decisions; the decoder's input t predicts token t of the target."""

    def __init__(self, make: Featurizer, features: Features, found: list[_Unit]) -> None:
        self.make, self.features, self.found = make, features, found
        self.quoted: list[int] = []

    @property
    def step(self) -> int:
        return len(self.features.target)

    def write(self, text: str) -> None:
        for token in self.make._ids(text):  # noqa: SLF001 - the featurizer's other half
            self._free([], [self.make.own[token]])
            self.features.target.append(token)

    def decide_own(self, right: str, options: tuple[str, ...], name: str, weight: float = 1.0) -> None:
        own = [self.make._own(option) for option in options]  # noqa: SLF001 - as above
        chosen = self.make._own(right)  # noqa: SLF001 - as above
        self.features.decisions.append(Decision(self.step, [], own, [], [chosen], weight, name))
        self.write(right)

    def citation(self, run: list[_Unit], right: list[_Unit] | None) -> None:
        """Write a quote and its passage's number; without right choices it is a decoy, not to be learned."""
        self.write('{"quote":"')
        self.quoted += [place for unit in run for place in range(unit.first, unit.end)]
        if right is None:
            for unit in run:
                self._copy(range(unit.first, unit.end), begins=True)
            self.write('"')
        else:
            starts = [unit.first for unit in self.found]
            firsts = [unit.first for unit in right]
            self.features.decisions.append(Decision(self.step, starts, [], firsts, [], 1.0, "start"))
            self._quote(run)
        self.write(f',"passage":{run[0].passage + 1}}}')

    def _quote(self, run: list[_Unit]) -> None:
        """Write a quote's text and its closing mark; whether it ends is a decision at each unit's end."""
        mark = self.make._own('"')  # noqa: SLF001 - as above
        for number, unit in enumerate(run):
            self._copy(range(unit.first, unit.end), begins=number == 0)
            following = min(unit.end, len(self.features.source) - 1)
            last = number + 1 == len(run)
            if number + 1 < RUN:
                right = ([], [mark]) if last else ([following], [])
                self.features.decisions.append(Decision(self.step, [following], [mark], *right, 0.5, "end"))
            if not last:
                self._copy(range(unit.end, run[number + 1].first), begins=False)
        self.write('"')

    def span(self, places: Span | None) -> None:
        """Write the short answer, or none, and the closing mark."""
        mark = self.make._own('"')  # noqa: SLF001 - as above
        quoted = self.quoted
        if places is None:
            self.features.decisions.append(Decision(self.step, quoted, [mark], [], [mark], 1.0, "span start"))
            self.write('"')
            return
        start, end = places
        self.features.decisions.append(
            Decision(self.step, sorted({*quoted, start}), [mark], [start], [], 1.0, "span start")
        )
        for place in range(start, end):
            self._copy(range(place, place + 1), begins=place == start)
            following = min(place + 1, len(self.features.source) - 1)
            right = ([following], []) if place + 1 < end else ([], [mark])
            self.features.decisions.append(Decision(self.step, [following], [mark], *right, 0.5, "span end"))
        self.write('"')

    def _copy(self, places: range, *, begins: bool) -> None:
        for place in places:
            token = self.features.source[place]
            self._free([place], [])
            self.features.target.append(self._bare(token) if begins and place == places[0] else token)

    def _bare(self, token: int) -> int:
        tokenizer: Any = self.make.tokenizer  # one token in, one out: its types do not say so
        bare = tokenizer.convert_ids_to_tokens(token).removeprefix("Ġ")
        return int(tokenizer.convert_tokens_to_ids(bare)) if bare else token

    def _free(self, places: list[int], own: list[int]) -> None:
        self.features.decisions.append(Decision(self.step, EVERYTHING, EVERYTHING, places, own, FREE, "free"))
