"""Strings of a known shape: addresses, versions, codes, times, found by pattern."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Span = tuple[int, int]

_WORD = r"[A-Za-z0-9]"
_SHAPES = {
    "email": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    "uri": r"\b[a-z][a-z0-9+.-]*://[^\s<>\"']*[\w/]",
    "uuid": r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b",
    "ipv4": r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?:/\d\d?)?(?![\d.]*\d)",
    "ipv6": r"(?<![:\w])(?:[0-9a-fA-F]{1,4}:){2,7}:?[0-9a-fA-F]{0,4}(?![:\w])",
    "phone": r"(?<![\w.])\+?\(?\d[\d ()/-]{6,16}\d(?![\w.]\d)",
    "version": r"(?<![\w.])v?\d+(?:\.\d+){1,3}(?:[-+]?(?:rc|alpha|beta|b|build|dev)[\w.-]*)?(?![\w.]*\w)",
    "time": r"\b(?:[01]?\d|2[0-3])[:.][0-5]\d(?::[0-5]\d)?(?:\s*[ap]\.?m\b\.?)?(?:\s*(?:UTC|GMT|CEST|CET|BST)\b)?"
    r"|\b1?\d\s*[ap]\.?m\b\.?|\bnoon\b|\bmidnight\b",
    "file": r"(?<![\w@/.-])[\w-]+(?:[\w./-]*[\w-])?\.[A-Za-z][A-Za-z0-9]{0,4}(?![\w@]|\.\w)",
    "host": r"(?<![\w@.-])(?=[\w.-]*[.\d-])[A-Za-z][\w]*(?:[.-][\w]+)+(?![\w@])",
    "hash": r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,64}\b",
    "code": rf"(?<![\w@/.])#?(?=[\w/-]*\d)(?:{_WORD}+[-_/])*{_WORD}*[A-Za-z]{_WORD}*(?:[-_/.]{_WORD}+)*(?![\w@])"
    rf"|#\d+\b|(?<![\w.,/:€£$-])\d{{4,}}(?:[-/]\d+)*(?![\w.,:]*\d)",
}
_COMPILED = {name: re.compile(pattern) for name, pattern in _SHAPES.items()}

_FORMATS = {"email": "email", "idn-email": "email", "uri": "uri", "iri": "uri", "uuid": "uuid"}
_FORMATS |= {"ipv4": "ipv4", "ipv6": "ipv6", "hostname": "host", "time": "time"}
_HINTS = (
    (r"e-?mails?\b", ("email",)),
    (r"ur[il]s?\b|links?\b|web ?(?:site|page|address)", ("uri",)),
    (r"ips?\b|ip address(?:es)?", ("ipv4", "ipv6")),
    (r"(?:tele)?phone|mobile|call(?:ing)? number", ("phone",)),
    (r"versions?\b|releases? number", ("version",)),
    (r"files?(?: ?names?)?\b|attachments?\b|screenshots?\b", ("file",)),
    (r"hosts?(?: ?names?)?\b|servers?\b|domains?\b", ("host",)),
    (r"hash(?:es)?\b|commits?\b|sha\b", ("hash", "code")),
    (
        r"ids?\b|identifiers?\b|references?\b|ref\b|codes?\b|tickets?\b|(?:serial|order|invoice|account|part|model"
        r"|case|purchase order|po|policy|tracking) (?:number|no)\b|numbers?\b|sku\b|keys?\b|plate\b",
        ("code",),
    ),
)
_HINTED = [(re.compile(rf"\b(?:{pattern})", re.IGNORECASE), shapes) for pattern, shapes in _HINTS]


def find(shape: str, text: str) -> Iterator[Span]:
    """Yield the spans of a shape, in order."""
    return (match.span() for match in _COMPILED[shape].finditer(text))


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
