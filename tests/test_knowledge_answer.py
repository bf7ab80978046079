from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock

import pytest
from quoting import QuotingEngine, WordEmbedder

from grammars.engine.errors import RemoteError
from grammars.engine.protocol import Generation, Request, Turn
from knowledge.answer import EMPTY, answer
from knowledge.answers import Answer
from knowledge.index import reindex
from knowledge.questions import CUT, LONGEST, read_question, search_query
from knowledge.sources import add_source
from knowledge.traces import find_trace

if TYPE_CHECKING:
    from pathlib import Path

    from knowledge.database import Pool

OFFICE = "# Office\n\nIt opens at nine.\n\n## Bell\n\nRing the “bell” twice: 😀. Then wait."


@pytest.fixture
async def indexed(pool: Pool, tmp_path: Path) -> Pool:
    (tmp_path / "office.md").write_text(OFFICE)
    (tmp_path / "leave.md").write_text("# Leave\n\nAsk your manager for leave.")
    await add_source(pool, str(tmp_path), name="docs", link_base="https://docs.example/x")
    await reindex(pool, WordEmbedder())
    return pool


async def asked(pool: Pool, question: str, **options: Any) -> Answer:
    return await answer(pool, WordEmbedder(), options.pop("engine", QuotingEngine()), question, **options)


async def test_citations_point_into_the_stored_document(indexed: Pool, tmp_path: Path) -> None:
    result = await asked(indexed, "How often do I ring the bell?")

    citation = result.citations[0]
    assert result.answerable
    assert OFFICE[citation.start : citation.end] == citation.quote
    assert citation.uri == (tmp_path / "office.md").as_uri()
    assert citation.link == "https://docs.example/x/office.md"
    assert result.answer == f"{citation.quote} [1]"
    assert result.retrieved[0].scores


async def test_what_the_documents_do_not_say_has_no_citations_but_the_nearest(indexed: Pool) -> None:
    result = await asked(indexed, "zzzz")

    assert (result.answerable, result.answer, result.citations) == (False, "", ())
    assert result.confidence == pytest.approx(0.1)
    assert len(result.retrieved) <= 5


async def test_what_stands_is_told_with_its_place_in_the_document(indexed: Pool) -> None:
    told: list[Answer] = []
    engine = QuotingEngine()

    async def generate(request: Request) -> Generation:
        whole = await QuotingEngine().generate(request)
        assert request.on_text is not None
        for end in range(0, len(whole.text), 5):
            request.on_text(whole.text[:end])
        return whole

    engine.generate = generate  # type: ignore[method-assign]  # it writes in pieces
    result = await asked(indexed, "How often do I ring the bell?", engine=engine, on_progress=told.append)

    assert [one.citations for one in told] == [result.citations]
    assert told[0].trace_id == result.trace_id


async def test_each_answer_leaves_a_trace(indexed: Pool) -> None:
    history = (Turn("user", "Where is the bell?"), Turn("assistant", "At the door."))

    result = await asked(indexed, "How often to ring it?", history=history)
    trace = await find_trace(indexed, result.trace_id)

    assert trace is not None
    assert trace.answer == Answer.from_json(result.as_json())
    assert (trace.question, trace.history) == ("How often to ring it?", history)
    assert trace.query == "Where is the bell? How often to ring it?"
    assert trace.output
    assert set(result.timings_ms) == {"embed", "search", "generate", "total"}
    assert sum(result.timings_ms.values()) <= 2 * result.timings_ms["total"] + 1


async def test_an_engine_that_fails_leaves_a_trace_too(indexed: Pool) -> None:
    engine = QuotingEngine()
    engine.generate = AsyncMock(side_effect=RemoteError("The server went away."))  # type: ignore[method-assign]  # it fails

    with pytest.raises(RemoteError):
        await asked(indexed, "How often do I ring the bell?", engine=engine)

    async with indexed.connection() as connection:
        rows = await (await connection.execute("select question, error, answer from traces")).fetchall()
    assert rows == [("How often do I ring the bell?", "The server went away.", None)]


@pytest.mark.parametrize("question", ["", "  \n", "\x00\ud800"])
async def test_without_a_question_there_is_a_note_and_no_answer(pool: Pool, question: str) -> None:
    result = await asked(pool, question)

    assert (result.answerable, result.retrieved, result.note) == (False, (), EMPTY)


async def test_a_model_that_cannot_take_the_question_says_why(indexed: Pool) -> None:
    engine = QuotingEngine()
    refusal = Generation('{"answerable":false}', extra={"note": "I read English only."})
    engine.generate = AsyncMock(return_value=refusal)  # type: ignore[method-assign]  # it reads English only

    assert (await asked(indexed, "Quando abre?", engine=engine)).note == "I read English only."


def test_a_long_question_is_cut_at_a_word_with_a_note() -> None:
    question, note = read_question("why " * 900)

    assert len(question) <= LONGEST
    assert question.endswith("why")
    assert note == CUT
    assert read_question("a" * LONGEST) == ("a" * LONGEST, None)


@pytest.mark.parametrize(
    ("question", "joined"),
    [
        ("And on weekends?", True),
        ("How long does it take?", True),
        ("Why?", True),
        ("What about the staging cluster in the other region, does the same apply to it?", True),
        ("How do I restart the proxy?", False),
        ("Who approves an expense over two hundred euros for a team dinner?", False),
    ],
)
def test_a_follow_up_is_searched_for_with_the_question_before(question: str, joined: bool) -> None:
    history = [Turn("user", "When is the office open?"), Turn("assistant", "At nine.")]

    expected = f"When is the office open? {question}" if joined else question
    assert search_query(question, history) == expected
    assert search_query(question, ()) == question
