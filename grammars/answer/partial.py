"""JSON that was cut short, or is still being written: what of it is whole."""

from __future__ import annotations

import json
import re
from typing import Any

_LEXEME = re.compile(
    r'\s+|[{}\[\],:]|"(?:[^"\\\x00-\x1f]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?=[\s,}\]])|true|false|null',
)


def close_json(text: str) -> Any:
    """Return the value that `text` begins, without members and items that were cut; None where none is whole.

    >>> close_json('{"a":[{"b":1},{"b":2')
    {'a': [{'b': 1}]}
    """
    best, position, open_, last = "", 0, "", ""
    while match := _LEXEME.match(text, position):
        lexeme, position = match.group(), match.end()
        if lexeme.isspace():
            continue
        if lexeme in "{[":
            open_ += "}" if lexeme == "{" else "]"
        elif lexeme in "}]":
            open_ = open_[:-1]
        if _completes(lexeme, last, open_):
            best = text[:position] + open_[::-1]
        last = lexeme
    return _loads(best)


def open_string(text: str, key: str) -> str:
    """Return what has been written of a member's string that `text` breaks off in; empty where it does not.

    >>> open_string('{"a":[],"b":"x y', "b")
    'x y'
    """
    match = re.search(rf'"{key}"\s*:\s*"((?:[^"\\\x00-\x1f]|\\.)*)(?:\\u?[0-9a-fA-F]{{0,3}})?$', text)
    try:
        return str(json.loads(f'"{match[1]}"')) if match else ""
    except ValueError:
        return ""  # half of an escape


def _completes(lexeme: str, last: str, open_: str) -> bool:
    """Whether the text, cut after this lexeme, needs only its brackets closed."""
    if lexeme in ",:":
        return False
    is_key = open_.endswith("}") and last in ("{", ",") and lexeme not in "{}[]"
    return not is_key


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
