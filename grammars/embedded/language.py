"""What the embedded model cannot read: MiniLM's weights and our training data are English."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grammars.engine.protocol import AnswerPrompt

REASON = "The built-in model reads English only; your question seems to be in another language."

_HALF = 0.5
_TELLING = 2  # function words of another language, and none of English, that settle it
_ENGLISH = """
    the a an is are was do does did how what who when where why which can could should would i we you it of
    to in on for with and or not my our this that if from by at be have has there any
"""
_OTHERS = (
    "der die das ist sind wie was wo wer wann warum kann ich wir nicht ein eine und oder für mit den zu",
    "le la les est sont comment quoi où qui quand pourquoi je nous pas un une et ou pour avec des du",
    "el la los las es son cómo como qué quién cuándo dónde por puedo no un una y o para con del en se",
    "il lo gli è sono come cosa chi quando dove perché posso non un una e o per con del della nel si",
    "o os as é são como que quem quando onde porque posso não um uma e ou para com do da no na se",
    "de het is zijn hoe wat wie wanneer waar waarom kan ik wij niet een en of voor met van op te",
)


def unreadable(prompt: AnswerPrompt) -> str | None:
    """Return why the question cannot be read, or None: by its script, else by its function words."""
    letters = [char for char in prompt.question if char.isalpha()]
    latin = sum("LATIN" in unicodedata.name(char, "") for char in letters)
    if letters and latin < _HALF * len(letters):
        return REASON
    words = re.findall(r"[^\W\d_]+", prompt.question.lower())
    if not _known(_ENGLISH).isdisjoint(words):
        return None
    telling = max(sum(word in _known(other) for word in words) for other in _OTHERS)
    return REASON if telling >= _TELLING else None


def _known(words: str) -> set[str]:
    return set(words.split())
