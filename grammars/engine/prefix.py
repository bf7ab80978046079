"""What all prompts of a causal model begin with: read once, and kept for each adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers.cache_utils import DynamicCache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grammars.engine.forward import Forward

SHORTEST = 16  # tokens worth keeping


def common(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """Return the tokens that two prompts begin with."""
    same = 0
    while same < min(len(first), len(second)) and first[same] == second[same]:
        same += 1
    return list(first[:same])


class Prefix:
    """The tokens that prompts begin with, and the cache (of one row) of a model that has read them.

    One adapter's cache is another's nonsense: each has a prefix of its own, and a new one once it is loaded
    anew. Only the thread that runs the model may call it.
    """

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = list(tokens) if len(tokens) >= SHORTEST else []
        self._read: DynamicCache | None = None

    def of(self, prompts: Sequence[Sequence[int]], forward: Forward) -> DynamicCache:
        """Return the cache that all of these prompts can go on from; or an empty one."""
        length = len(self._tokens)
        shared = all(len(prompt) > length and list(prompt[:length]) == self._tokens for prompt in prompts)
        if not length or not shared:
            return DynamicCache()
        if self._read is None:
            cache = DynamicCache()
            ids, mask = forward.padded([self._tokens])
            forward(cache, ids, mask, 1)
            self._read = cache
        return self._read
