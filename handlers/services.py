"""What handlers may do: a frozen set of callables, which tests and the composition root fill in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from decimal import Decimal

    from grammars.engine.protocol import Turn
    from knowledge.answers import Answer
    from knowledge.audience import Audience, Place
    from knowledge.conversations import Asked, Conversations, MessageKey, Question


class AnswerQuestion(Protocol):
    """Answers a question.

    `history` is what was said before it, oldest first. `on_progress` is told what stands of the answer, each
    time that there is more.
    """

    async def __call__(
        self,
        question: str,
        *,
        history: Sequence[Turn],
        audience: Audience | None,
        on_progress: Callable[[Answer], None] | None = None,
    ) -> Answer: ...


class GiveFeedback(Protocol):
    """Keeps a person's verdict on an answer; False where there is no such answer."""

    async def __call__(self, question_id: int, person: str, *, helpful: bool) -> bool: ...


@dataclass(frozen=True, slots=True)
class Known:
    """One source, as the App Home shows it; `updated` is its last run, in seconds since the epoch."""

    name: str
    documents: int
    updated: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """Who may read what; `knowledge.audience` says what each does.

    Attributes:
        known: what there is for an audience, for the App Home.
    """

    listed_readers: Callable[[], Awaitable[frozenset[str]]]
    membership_versions: Callable[[Collection[str]], Awaitable[Mapping[str, int]]]
    note_membership: Callable[[str], Awaitable[None]]
    readable_documents: Callable[[Audience | None, Collection[Place]], Awaitable[frozenset[Place]]]
    known: Callable[[Audience], Awaitable[Sequence[Known]]]


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a listener or a delivery may ask for; `knowledge.conversations` says what each does."""

    record_question: Callable[[Asked], Awaitable[bool]]
    edit_question: Callable[[MessageKey, str, Decimal], Awaitable[bool]]
    retract_question: Callable[[MessageKey], Awaitable[bool]]
    ask_again: Callable[[int], Awaitable[bool]]
    find_question: Callable[[int], Awaitable[Question | None]]
    holding: Callable[[int], AbstractAsyncContextManager[None]]
    begin_posting: Callable[[Question, Answer | None], Awaitable[bool]]
    record_reply: Callable[[int, int, str], Awaitable[None]]
    forget_reply: Callable[[int, int], Awaitable[None]]
    settle_question: Callable[[Question], Awaitable[None]]
    ignore_question: Callable[[Question], Awaitable[None]]
    claim_share: Callable[[int], Awaitable[bool]]
    release_share: Callable[[int], Awaitable[None]]
    give_feedback: GiveFeedback
    answer: AnswerQuestion
    reading: Reading


def over(conversations: Conversations, answer: AnswerQuestion, reading: Reading) -> Services:
    """Return the services that remember in `conversations`.

    Args:
        conversations: Where questions, replies and feedback are kept.
        answer: Answers one question.
        reading: Tells who may read what.
    """
    return Services(
        record_question=conversations.record,
        edit_question=conversations.edit,
        retract_question=conversations.retract,
        ask_again=conversations.ask_again,
        find_question=conversations.find,
        holding=conversations.holding,
        begin_posting=conversations.begin_posting,
        record_reply=conversations.record_reply,
        forget_reply=conversations.forget_reply,
        settle_question=conversations.settle,
        ignore_question=conversations.ignore,
        claim_share=conversations.claim_share,
        release_share=conversations.release_share,
        give_feedback=conversations.give_feedback,
        answer=answer,
        reading=reading,
    )
