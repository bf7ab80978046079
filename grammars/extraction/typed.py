"""Strings of a known shape: addresses, versions, codes, times, found by pattern."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Span = tuple[int, int]

_WORD = r"[A-Za-z0-9]"
# Every repetition is bounded: a text may hold a word of any length.
_SHAPES = {
    "email": r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}",
    "uri": r"\b[a-z][a-z0-9+.-]{1,15}://[^\s<>\"']{0,500}[\w/]",
    "uuid": r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b",
    "ipv4": r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?:/\d\d?)?(?!\.?\d)",
    "ipv6": r"(?<![:\w])(?:[0-9a-fA-F]{1,4}:){2,7}:?[0-9a-fA-F]{0,4}(?![:\w])",
    "phone": r"(?<![\w.])\+?\(?\d[\d ()/-]{6,16}\d(?!\.?\w)",
    "version": r"(?<![\w.])v?\d{1,6}(?:\.\d{1,6}){1,3}(?:[-+]?(?:rc|alpha|beta|b|dev)[\w.-]{0,20})?(?!\.?\w)",
    "time": r"\b(?:[01]?\d|2[0-3])[:.][0-5]\d(?::[0-5]\d)?(?:\s?[ap]\.?m\b\.?)?(?:\s?(?:UTC|GMT|CET|BST)\b)?"
    r"|\b1?\d\s?[ap]\.?m\b\.?|\bnoon\b|\bmidnight\b",
    "file": r"(?<![\w@/.-])(?:[\w-]{1,60}[/.]){0,6}[\w-]{1,60}\.[A-Za-z][A-Za-z0-9]{0,4}(?![\w@]|\.\w)",
    "host": r"(?<![\w@.-])[A-Za-z]\w{0,40}(?:[.-]\w{1,40}){1,5}(?![\w@])",
    "hash": r"\b(?=[a-f]{0,63}\d)[0-9a-f]{7,64}\b",
    "code": rf"(?<![\w@/.])#?(?=[A-Za-z/_-]{{0,40}}\d)(?:{_WORD}{{1,20}}[-_/]){{0,4}}"
    rf"{_WORD}{{1,30}}(?:[-_/.]{_WORD}{{1,20}}){{0,4}}(?![\w@])",
}
_LONG_NUMBER = 4  # digits of a reference that is a number alone
_COMPILED = {name: re.compile(pattern) for name, pattern in _SHAPES.items()}

_FORMATS = {"email": "email", "idn-email": "email", "uri": "uri", "iri": "uri", "uuid": "uuid"}
_FORMATS |= {"ipv4": "ipv4", "ipv6": "ipv6", "hostname": "host", "time": "time"}
_REFERENCE = (
    r"ids?\b|identifiers?\b|references?\b|ref\b|codes?\b|tickets?\b|(?:serial|order|invoice|account|part|model"
    r"|case|purchase order|po|policy|tracking) (?:number|no)\b|numbers?\b|sku\b|keys?\b|plate\b"
)
_HINTS = (
    (r"e-?mails?\b", ("email",)),
    (r"ur[il]s?\b|links?\b|web ?(?:site|page|address)", ("uri",)),
    (r"ips?\b|ip address(?:es)?", ("ipv4", "ipv6")),
    (r"(?:tele)?phone|mobile|call(?:ing)? number", ("phone",)),
    (r"versions?\b|releases? number", ("version",)),
    (r"files?(?: ?names?)?\b|attachments?\b|screenshots?\b", ("file",)),
    (r"hosts?(?: ?names?)?\b|servers?\b|domains?\b", ("host",)),
    (r"hash(?:es)?\b|commits?\b|sha\b", ("hash", "code")),
    (r"(?:start|end|call-?back|finish|opening|closing)?[ -]?times?\b|shift (?:start|end)s?\b", ("time",)),
    (_REFERENCE, ("code",)),
)
_HINTED = [(re.compile(rf"\b(?:{pattern})", re.IGNORECASE), shapes) for pattern, shapes in _HINTS]


def find(shape: str, text: str) -> Iterator[Span]:
    """Yield the spans of a shape, in order."""
    spans = (match.span() for match in _COMPILED[shape].finditer(text))
    return (span for span in spans if shape != "code" or _is_code(text[slice(*span)]))


def _is_code(piece: str) -> bool:
    """Whether it is more than a small figure."""
    digits = sum(char.isdigit() for char in piece)
    return digits >= _LONG_NUMBER or any(char.isalpha() or char in "#-/" for char in piece)


def shapes_of(name: str, description: str, format_: str | None = None) -> tuple[str, ...]:
    """Return the shapes that a string leaf asks for, by its format, else its name, else its description."""
    if format_ in _FORMATS:
        return (_FORMATS[format_],)
    return _hinted(name) or _hinted(description.partition(",")[0].partition(" of ")[0])


def _hinted(words: str) -> tuple[str, ...]:
    """Return the shapes of the last hint: in `ticket file name` it is the file that is asked for."""
    found = [
        (match.end(), -place)
        for place, (pattern, _) in enumerate(_HINTED)
        if (match := pattern.search(words))
    ]
    return _HINTED[-max(found)[1]][1] if found else ()
