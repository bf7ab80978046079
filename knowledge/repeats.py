"""Repeats: the same page in two sources, a copy of a section, a mirror.

Each would take the place of something else among the few passages that a model reads. Two passages are one
where they have the same words in the same order, whatever their white space, their case, their list and
heading marks and the punctuation around words. Every word counts, function words too, in a passage of any
length: *not*, *off*, *staging* for *production*, or one number for another may be all that two pages differ
in, and which of them holds is for the reader to see. To show something twice costs a place; to hide it,
perhaps the answer.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knowledge.answers import Retrieved

MARKS = re.compile(r"^[ \t]*(?:[-*+\u2022]|#+)[ \t]+", re.MULTILINE)
# What may stand around a word; not what changes it: `-5`, `!ready`, `<3`, `C#`, `5%`.
OPENING = "'\"`*_#|([{\u201c\u2018\u201e\u00ab\u2026"
CLOSING = ".,;:?!'\"`*_|)]}\u201d\u2019\u00bb\u2026"


def without_repeats(ranked: Sequence[Retrieved]) -> list[Retrieved]:
    """Return the passages without those that repeat a better one."""
    first: dict[tuple[str, ...], Retrieved] = {}
    for passage in ranked:
        first.setdefault(_words(passage.text), passage)
    return list(first.values())


def _words(text: str) -> tuple[str, ...]:
    """Return the words in order, without what may differ."""
    plain = MARKS.sub("", unicodedata.normalize("NFKC", text).casefold())
    words = (word.lstrip(OPENING).rstrip(CLOSING) for word in plain.split())
    return tuple(word for word in words if word)
