"""Strings that a pattern matches, made from the pattern itself."""

from __future__ import annotations

import re
import string
from itertools import islice
from re import _constants as codes  # type: ignore[attr-defined]  # the standard library's parser has no other name
from re import _parser as parser  # type: ignore[attr-defined]  # as above
from typing import TYPE_CHECKING, Any

from grammars.extraction.patterns import is_pattern, search, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_LONGEST = 10_000  # characters
_TIMES = (*range(33), 64, 128, 256)  # how often what may repeat does
_VARIANTS = 12  # of each: other characters where there is a choice
_CHARACTERS = string.ascii_lowercase + string.digits + string.ascii_uppercase + string.punctuation + " \t\n"
_NEAR = 100  # characters of a near miss: enough for what grows exponentially, little for what does not
_NEAR_SECONDS = 0.25
_NOT = (codes.NEGATE, None)
_NAMED = (codes.LITERAL, codes.RANGE)
_CATEGORIES: dict[Any, Callable[[str], bool]] = {
    codes.CATEGORY_SPACE: str.isspace,
    codes.CATEGORY_NOT_SPACE: lambda one: not one.isspace(),
    codes.CATEGORY_DIGIT: str.isdecimal,
    codes.CATEGORY_NOT_DIGIT: lambda one: not one.isdecimal(),
    codes.CATEGORY_WORD: lambda one: one.isalnum() or one == "_",
    codes.CATEGORY_NOT_WORD: lambda one: not (one.isalnum() or one == "_"),
}


def examples(pattern: str, *lengths: int) -> Iterator[str]:
    """Yield strings, short ones first, that a pattern mostly matches; none, where Python cannot parse it.

    What looks ahead or back is passed over: the caller compares. `lengths` are those that would be welcome.
    """
    try:
        parsed = parser.parse(translated(pattern))
    except (re.error, RecursionError, OverflowError):
        return
    seen = set[str]()
    for variant in range(_VARIANTS):
        for times in (*_TIMES, *lengths):
            if (text := _text(parsed, times, variant)) not in seen:
                seen.add(text)
                yield text


def catastrophic(pattern: str) -> bool:
    """Whether a pattern takes too long on near misses of what it matches."""
    if not is_pattern(pattern):
        return False
    for text in islice(examples(pattern), len(_TIMES)):
        for near in (text[:_NEAR], text[:-1][:_NEAR]):
            try:
                search(pattern, near + "\0", _NEAR_SECONDS)
            except TimeoutError:
                return True
    return False


def _text(parsed: Iterable[tuple[Any, Any]], times: int, variant: int) -> str:
    return "".join(_WRITTEN[code](told, times, variant) for code, told in parsed if code in _WRITTEN)


def _repeated(told: tuple[int, int, Any], times: int, variant: int) -> str:
    least, most, part = told
    text = _text(part, times, variant)
    return text * min(max(least, times), most, _LONGEST // max(len(text), 1))


def _branch(told: tuple[Any, list[Any]], times: int, variant: int) -> str:
    return min((_text(branch, times, variant) for branch in told[1]), key=len)


def _character(members: list[tuple[Any, Any]], variant: int) -> str:
    """Return a character of a class: one of those that it begins with, else any that it holds."""
    negated = members[0][0] is codes.NEGATE
    told = members[1:] if negated else members
    own = [chr(what if code is codes.LITERAL else what[0]) for code, what in told if code in _NAMED]
    held = [one for one in [*own, *_CHARACTERS] if any(_holds(member, one) for member in told) != negated]
    return list(dict.fromkeys(held))[variant % len(set(held))] if held else ""


def _holds(member: tuple[Any, Any], one: str) -> bool:
    code, told = member
    if code is codes.LITERAL:
        return bool(ord(one) == told)
    if code is codes.RANGE:
        return bool(told[0] <= ord(one) <= told[1])
    return told in _CATEGORIES and _CATEGORIES[told](one)


_WRITTEN: dict[Any, Callable[[Any, int, int], str]] = {
    codes.LITERAL: lambda told, *_: chr(told),
    codes.ANY: lambda _, __, variant: _CHARACTERS[variant],
    codes.NOT_LITERAL: lambda told, _, variant: _character([_NOT, (codes.LITERAL, told)], variant),
    codes.IN: lambda told, _, variant: _character(told, variant),
    codes.MAX_REPEAT: _repeated,
    codes.MIN_REPEAT: _repeated,
    codes.POSSESSIVE_REPEAT: _repeated,
    codes.BRANCH: _branch,
    codes.SUBPATTERN: lambda told, times, variant: _text(told[-1], times, variant),
    codes.ATOMIC_GROUP: _text,
}
