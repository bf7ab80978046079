"""The best passages read once more: by a local embedder word by word, or by a cross-encoder.

Word by word is late interaction (Khattab and Zaharia 2020, arXiv:2004.12832) with an encoder that was not
trained for it. A vector says what a passage is about as a whole; this finds the passage in which each word is
answered to. Figures: docs/decisions/retrieval.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from grammars.engine.protocol import PassageText

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knowledge.answers import Retrieved
    from knowledge.embed import Matcher

REREAD = 10  # passages; what more of them would bring is not worth their time


async def reread(matcher: Matcher, query: str, found: Sequence[Retrieved]) -> list[Retrieved]:
    """Return the passages with the first `REREAD` in a new order; these have one more score, the matcher's.

    Raises:
        EmbeddingError: the embedder failed.
    """
    best = found[:REREAD]
    passages = [PassageText(passage.title, passage.heading, passage.text) for passage in best]
    matches = (await matcher.match(query, passages)).tolist() if best else []
    read = [
        replace(passage, scores={**passage.scores, matcher.stage: round(match, 4)})
        for passage, match in zip(best, matches, strict=True)
    ]
    read.sort(
        key=lambda passage: -passage.scores[matcher.stage] - matcher.fused_weight * passage.scores["fused"]
    )
    return [*read, *found[REREAD:]]
