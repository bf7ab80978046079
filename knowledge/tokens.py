"""Where the tokens of a text start: the measure that passages are cut by."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from knowledge.embed import embedded_model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SLICE = 50_000  # characters at a time: a tokenizer's own bookkeeping is many times its text


def load_ruler() -> Callable[[str], Sequence[int]]:
    """Return what gives the offset of each MiniLM token of a text, ascending."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(embedded_model() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def token_starts(text: str) -> Sequence[int]:
        starts = array("L")
        for first in range(0, len(text), SLICE):
            encoding = tokenizer.encode(text[first : first + SLICE], add_special_tokens=False)
            starts.extend(sorted(first + start for start, _ in encoding.offsets))
        return starts

    return token_starts
