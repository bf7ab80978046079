"""Where sentences end."""

from __future__ import annotations

import re

# After . ! ? and what may close them, before white space and something that may open a sentence; an
# ideographic full stop needs no white space. Abbreviations before a capital are left together.
_ABBREVIATIONS = "".join(
    rf"(?<!\b{word}\.)" for word in (r"e\.g", r"i\.e", "vs", "etc", "Mr", "Mrs", "Ms", "Dr")
)
_CLOSING, _OPENING = r"[\"'\u201d\u2019)\]*_]", r"[\"'\u201c\u2018(\[*_`]"
_END = re.compile(
    rf"{_ABBREVIATIONS}(?:(?<=[.!?])|(?<=[.!?]{_CLOSING}))\s+(?={_OPENING}*[^\W_a-z])"
    r"|(?<=[\u3002\uff01\uff1f])\s*(?=\S)"
    r"|\n[ \t]*\n\s*"
)


def sentence_starts(text: str) -> list[int]:
    """Return the offset of each sentence's first character, 0 included."""
    return [0, *(found.end() for found in _END.finditer(text) if 0 < found.end() < len(text))]
