from __future__ import annotations

from typing import Any

import pytest

from handlers.addressing import addressed
from handlers.thread_reader import metadata, posted_parts, turns
from knowledge.conversations import MessageKey, Question

BOT, MAYA, JONAS = "U0BOT", "U0MAYA", "U0JONAS"
FIRST = Question(1, MessageKey("T", "C", "1.0"), MAYA, "How long?", "mention", "1.0")


def said(ts: str, user: str, text: str, **fields: Any) -> dict[str, Any]:
    return {"ts": ts, "user": user, "text": text, **fields}


def ours(ts: str, *, asks: bool = False) -> dict[str, Any]:
    return said(ts, BOT, "30 days", bot_id="B0", metadata=metadata(FIRST, 1, asks=asks))


def follow_up(user: str, text: str) -> Question:
    return Question(2, MessageKey("T", "C", "9.0"), user, text, "follow_up", "1.0")


ASKED = said("1.0", MAYA, f"<@{BOT}> How long?")
ANSWERED = [ASKED, ours("2.0")]
REMARK = said("3.0", JONAS, "Good to know.")
ASKS_BACK = said("3.0", JONAS, "Which ones do you mean?")
TO_HER = said("3.0", JONAS, f"<@{MAYA}> I looked it up")


@pytest.mark.parametrize(
    ("thread", "user", "text", "expected"),
    [
        (ANSWERED, MAYA, "And traces", True),
        (ANSWERED, JONAS, "And traces?", False),
        ([*ANSWERED, REMARK], MAYA, "And traces?", True),
        ([*ANSWERED, REMARK], MAYA, "how about traces", True),
        ([*ANSWERED, REMARK], MAYA, "Same here", False),
        ([*ANSWERED, ASKS_BACK], MAYA, "What do you think I mean?", False),
        ([*ANSWERED, TO_HER], MAYA, "Where?", False),
        ([*ANSWERED, REMARK, ours("4.0")], MAYA, "traces", True),
        ([ASKED], MAYA, "One more thing: which logs", True),
        ([ASKED, ours("2.0", asks=True)], JONAS, "Where is it", True),
        (ANSWERED, MAYA, "thanks!!", False),
        (ANSWERED, MAYA, "Thank you so much :tada:", False),
        (ANSWERED, MAYA, "ok, got it 👍", False),
        (
            [said("1.0", BOT, "Shared", bot_id="B0", metadata=metadata(FIRST, 1, asks=False))],
            MAYA,
            "And?",
            True,
        ),
        ([], MAYA, "And traces?", False),
    ],
)
def test_who_is_meant(thread: list[dict[str, Any]], user: str, text: str, *, expected: bool) -> None:
    assert addressed(follow_up(user, text), thread, BOT) is expected


def test_what_was_said_later_does_not_count() -> None:
    later = [*ANSWERED, said("10.0", JONAS, "Which ones?")]
    assert addressed(follow_up(MAYA, "And traces"), later, BOT)


def test_history_leaves_other_bots_and_quotes_out() -> None:
    answer = ours("2.0") | {"text": "30 days [1]\n[1] Logs\n&gt; kept for 30 days"}
    other = said("3.0", "U0CI", "Build passed", bot_id="B9")
    spoken = turns([ASKED, answer, other, said("4.0", JONAS, "")], BOT)
    assert [(turn.speaker, turn.text) for turn in spoken] == [
        ("user", "How long?"),
        ("assistant", "30 days [1]"),
    ]


def test_only_our_own_messages_count_as_posted() -> None:
    forged = ours("5.0") | {"user": JONAS}
    found = posted_parts([ASKED, ours("2.0"), forged], FIRST, BOT)
    assert {part: posted.ts for part, posted in found.items()} == {1: "2.0"}
