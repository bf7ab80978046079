"""The grammar of an answer: what a model may write, given the passages it may quote."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from grammars.answer.sentences import Unit, statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from grammars.engine.protocol import PassageText

SHORTEST = '{"answerable":false}'
LONGEST_RUN = 3  # units of one quote
LONGEST_GAP = 200  # characters between two units of one quote
_LONGEST_CLAIM = 400  # characters of free text before its marker
_MOST_CLAIMS = 6

_SURROGATE = re.compile("[\ud800-\udfff]")
_WORD_OR_CHARACTER = re.compile(r"\w+|\W")


@dataclass(frozen=True, slots=True)
class Quotable:
    """A passage and its units that can be quoted: a heading alone is no evidence."""

    text: str
    units: tuple[Unit, ...]

    @classmethod
    def of(cls, passage: PassageText) -> Quotable:
        """Segment a passage."""
        return cls(passage.text, statements(passage.text))

    def runs(self, first: int) -> range:
        """Return which units may end a quote that the unit `first` starts."""
        last = first
        while last + 1 < len(self.units) and last - first + 1 < LONGEST_RUN:
            following = self.units[last + 1]
            apart = following.start != self.units[last].end
            if apart or following.content - following.start > LONGEST_GAP:
                break
            last += 1
        return range(first, last + 1)


def json_escape(text: str) -> str:
    """Return `text` as it stands between the quotes of a JSON string, escaped only where JSON must."""
    escaped = json.dumps(text, ensure_ascii=False)[1:-1].replace("\x7f", "\\u007f")
    return _SURROGATE.sub(lambda match: f"\\u{ord(match.group()):04x}", escaped)


def answer_grammar(
    passages: Sequence[Quotable], *, max_quotes: int, extractive: bool, min_quotes: int = 0
) -> str:
    """Return the llguidance Lark grammar of an answer over numbered passages.

    It admits `{"answerable":false}`, unless `min_quotes` are demanded, and compact objects with at least one
    and `min_quotes`, at most `max_quotes` citations, each a run of at most `LONGEST_RUN` units of the passage
    that its number names. The answer's text is, for an extractive model, empty or a word-aligned span of a
    passage that it cites; otherwise prose in which every claim ends in a marker.
    """
    grammar = _Grammar(passages, max_quotes, extractive, min_quotes)
    return "\n".join(grammar.rules()) + "\n"


def answer_schema(max_quotes: int) -> dict[str, Any]:
    """Return the JSON Schema of the same shape, within what servers accept in their strict mode."""
    citation = _closed(quote={"type": "string"}, passage={"type": "integer"})
    return _closed(
        answerable={"type": "boolean"},
        citations={"type": "array", "items": citation, "maxItems": max_quotes},
        answer={"type": "string"},
    )


def _closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _literal(text: str) -> str:
    """Return a Lark string; its escapes are JSON's."""
    return json.dumps(text)


_OPENING = _literal('{"answerable":')
_ANSWERABLE = _literal('true,"citations":[')
_REFUSAL = _literal("false}")
_QUOTE = _literal('{"quote":"')
_NEXT = _literal(",")
_ANSWER = _literal('],"answer":"')
_CLOSING = _literal('"}')


State = tuple[int, frozenset[int]]  # how many citations there are, and of which passages (extractive only)


@dataclass
class _Grammar:
    passages: Sequence[Quotable]
    max_quotes: int
    extractive: bool
    min_quotes: int
    states: set[State] = field(default_factory=set)

    def rules(self) -> Iterator[str]:
        quotable = [number for number, passage in enumerate(self.passages) if passage.units]
        if not quotable or not self.max_quotes:
            yield f"start: {_OPENING} {_REFUSAL}"
            return
        refusal = "" if self.min_quotes else f" | {_REFUSAL}"
        yield f"start: {_OPENING} ({_ANSWERABLE} {_name((0, frozenset()))}{refusal})"
        for number in quotable:
            yield from self._passage(number)
        yield from self._state((0, frozenset()), quotable)
        if not self.extractive:
            yield from (f"A{count}: {_prose(count)}" for count in range(1, self.max_quotes + 1))

    def _passage(self, number: int) -> Iterator[str]:
        """Yield the rules that tie a passage's quotes to its number.

        All its quotes are one terminal: one may begin another, and the lexer must not prefer the longer.
        """
        passage = self.passages[number]
        runs = (self._run(number, passage.runs(first)) for first in range(len(passage.units)))
        yield f"Q{number}: {' | '.join(runs)}"
        ending = _literal(f'","passage":{number + 1}}}')
        yield f"c{number}: {_QUOTE} Q{number} {ending}"
        if self.extractive:
            words = [json_escape(word) for word in _WORD_OR_CHARACTER.findall(passage.text)]
            yield f"A{number}: %regex {json.dumps({'substring_chunks': words})}"

    def _run(self, number: int, run: range) -> str:
        """Return the literal of a unit, and the following ones as nested options."""
        passage = self.passages[number]
        following = ""
        for index in reversed(run[1:]):
            unit = passage.units[index]
            following = f" ({_literal(json_escape(passage.text[unit.start : unit.end]))}{following})?"
        unit = passage.units[run[0]]
        return _literal(json_escape(passage.text[unit.content : unit.end])) + following

    def _state(self, state: State, quotable: Sequence[int]) -> Iterator[str]:
        """Yield the rules of what follows a number of citations: one more, or the answer's text."""
        self.states.add(state)
        count, cited = state
        options = [self._answer(state)] if count >= max(self.min_quotes, 1) else []
        following = []
        if count < self.max_quotes:
            separator = f"{_NEXT} " if count else ""
            for number in quotable:
                successor = (count + 1, cited | {number} if self.extractive else cited)
                options.append(f"{separator}c{number} {_name(successor)}")
                following.append(successor)
        yield f"{_name(state)}: {' | '.join(options)}"
        for successor in following:
            if successor not in self.states:
                yield from self._state(successor, quotable)

    def _answer(self, state: State) -> str:
        count, cited = state
        text = (
            f"({' | '.join(f'A{number}' for number in sorted(cited))})?" if self.extractive else f"A{count}"
        )
        return f"{_ANSWER} {text} {_CLOSING}"


def _name(state: State) -> str:
    count, cited = state
    return "_".join(["s", str(count), *map(str, sorted(cited))])


def _prose(count: int) -> str:
    """Return the regex of claims, each ending in markers of the `count` citations; no other brackets."""
    character = r'([^"\\\[\]\x00-\x1f\x7f]|\\["\\n])'
    markers = rf"(\[({'|'.join(map(str, range(1, count + 1)))})\])+"
    return rf"/({character}{{1,{_LONGEST_CLAIM}}}{markers}[.!?]?){{1,{_MOST_CLAIMS}}}/"
