"""Patterns as JSON Schema means them (ECMA-262), judged in bounded time."""

from __future__ import annotations

import re
from functools import lru_cache

import regex

SECONDS = 0.5  # one pattern on one string
_WORD = "A-Za-z0-9_"
_PART = re.compile(r"\\.|\[\^?(?:\\.|[^\]\\])*\]|\(\?<(?=[A-Za-z_])|\$", re.DOTALL)
_OUTSIDE = {"$": r"\Z", "(?<": "(?P<"}
_OUTSIDE |= {r"\d": "[0-9]", r"\D": "[^0-9]", r"\w": f"[{_WORD}]", r"\W": f"[^{_WORD}]"}
_IN_CLASS = re.compile(r"(?P<before>-?)(?P<escape>\\.)(?P<after>-?)|(?<!^)[\[&|~]", re.DOTALL)
_INSIDE = {r"\d": "0-9", r"\w": _WORD}


@lru_cache(maxsize=1_000)
def translated(pattern: str) -> str:
    r"""Return a pattern as Python says it: `$` is the very end, `\d` and `\w` are ASCII, groups are `?P<`."""
    return _PART.sub(_part, pattern)


def _part(match: re.Match[str]) -> str:
    part = match[0]
    return _IN_CLASS.sub(_inside, part) if part.startswith("[") else _OUTSIDE.get(part, part)


def _inside(match: re.Match[str]) -> str:
    r"""Return what stands in brackets: a dash beside `\d` or `\w` is a dash, and no set is in a set."""
    if match["escape"] is None:
        return "\\" + match[0]
    if (said := _INSIDE.get(match["escape"])) is None:
        return match[0]
    return "".join([match["before"] and r"\-", said, match["after"] and r"\-"])


def is_pattern(pattern: str) -> bool:
    """Whether it is one."""
    try:
        regex.compile(translated(pattern), regex.V0)
    except (regex.error, RecursionError, OverflowError):
        return False
    return True


def matches(pattern: str, text: str, seconds: float = SECONDS) -> bool:
    """Whether a pattern is found in a text; not, where that takes too long or it is no pattern."""
    try:
        return search(pattern, text, seconds)
    except (TimeoutError, regex.error):
        return False


def search(pattern: str, text: str, seconds: float) -> bool:
    """Whether a pattern is found in a text.

    Raises:
        TimeoutError: it takes too long.
        regex.error: it is no pattern.
    """
    return regex.search(translated(pattern), text, regex.V0, timeout=seconds) is not None
