"""A question as it is searched for: cleaned, cut where it is too long, and joined with what it refers to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grammars.engine.protocol import Turn

LONGEST = 1000  # characters; what a person types is shorter, and what they paste begins with the point
CUT = f"The question was long; I read its first {LONGEST} characters."

_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_REFERRING = re.compile(
    r"\b(?:it|its|that|this|those|these|they|them|their|he|she|him|her|the same|instead)\b", re.IGNORECASE
)
_JOINING = re.compile(r"^(?:and|but|or|so|also|what about|how about)\b", re.IGNORECASE)
_SHORT = 8  # words; what a longer question refers to, it mostly says itself
_BARE = 3  # words; too few to stand alone: "Why?", "Since when?"


def read_question(text: str) -> tuple[str, str | None]:
    """Return a question without control characters, at most `LONGEST` long, and a note where it was cut."""
    question = _UNREADABLE.sub(" ", text).strip()
    if len(question) <= LONGEST:
        return question, None
    return question[:LONGEST].rsplit(maxsplit=1)[0], CUT


def search_query(question: str, history: Sequence[Turn]) -> str:
    """Return what to search for: the question, after the previous one where it seems to refer to that."""
    earlier = [turn.text for turn in history if turn.speaker == "user"]
    if not earlier or not _refers(question):
        return question
    return f"{read_question(earlier[-1])[0]} {question}"


def _refers(question: str) -> bool:
    words = len(question.split())
    referring = words <= _SHORT and _REFERRING.search(question) is not None
    return words <= _BARE or referring or _JOINING.search(question) is not None
