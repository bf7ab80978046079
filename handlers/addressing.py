"""Whether a message in a thread, without a mention, is meant for the bot. Pure.

It listens to whoever asked it something in this thread, and to anyone who replies to a question of its own.
Where people talk to each other it keeps quiet: better silent once than in the way.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handlers.events import mentions
from handlers.thread_reader import before, payload_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handlers.thread_reader import Said
    from knowledge.conversations import Question

_THANKS = re.compile(
    r"(?:thanks?(?: you)?(?: (?:so|very) much)?|thx|ty|ok(?:ay)?|great|perfect|nice|cool|got it|will do|done"
    r"|(?::[\w+-]+:)|[\W_])+",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\?|^(?:and|but|so|or|also|then)?\W*(?:who|whose|what|when|where|why|which|how|can|could|do|does|did|is|are"
    r"|was|were|should|would|will)\b",
    re.IGNORECASE,
)


def addressed(question: Question, thread: Sequence[Said], bot_user: str) -> bool:
    """Return whether the follow-up `question` is meant for the bot, given its thread's messages."""
    if _THANKS.fullmatch(question.text):
        return False
    earlier = before(thread, question.key.ts)
    asked_before = question.asker in _askers(earlier, bot_user)
    last = next((one for one in reversed(earlier) if one.get("user") != question.asker), None)
    if last is None or last.get("bot_id"):
        return asked_before or (last is not None and bool(payload_of(last).get("asks")))
    return asked_before and not _is_reply(question, last)


def _askers(messages: Sequence[Said], bot_user: str) -> set[str]:
    """Return who asked the bot something: by mention, or as an answer of ours says."""
    answered = {str(payload_of(message).get("asker")) for message in messages}
    return answered | {str(one.get("user")) for one in messages if mentions(one, bot_user)}


def _is_reply(question: Question, to: Said) -> bool:
    """Whether it answers a person who spoke last: they asked, or spoke to the asker, or it asks nothing."""
    asked = "?" in (to.get("text") or "") or mentions(to, question.asker)
    return asked or not _ASKS.search(question.text)
