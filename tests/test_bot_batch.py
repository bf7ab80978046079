from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import OperationalError

from bot.batch import BatchError, BatchReport, RowError, run_batch, text_field

if TYPE_CHECKING:
    from pathlib import Path


class Shout:
    """Counts what it was asked; fails where it is told to."""

    def __init__(self, stop_at: str = "") -> None:
        self.asked: list[str] = []
        self.stop_at = stop_at

    async def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        question = text_field(row, "question")
        if question == self.stop_at:
            raise KeyboardInterrupt
        self.asked.append(question)
        return {"answer": question.upper()}


async def batch(folder: Path, work: Shout) -> BatchReport:
    return await run_batch(folder / "in", folder / "out", work, (RowError,), lambda *_: None)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path: Path, *lines: Any) -> None:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))


async def test_every_row_gets_a_row_in_order(tmp_path: Path) -> None:
    write(tmp_path / "in", {"id": "b", "question": "où"}, "", {"id": 1, "question": "two"})
    report = await batch(tmp_path, Shout())
    assert rows(tmp_path / "out") == [{"id": "b", "answer": "OÙ"}, {"id": 1, "answer": "TWO"}]
    assert report == BatchReport(done=2)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("{", "not JSON"),
        ("[1]", "`id`"),
        ({"question": "no id"}, "`id`"),
        ({"id": None, "question": "x"}, "`id`"),
        ({"id": "x"}, "`question`"),
        ({"id": "x", "question": "  "}, "`question`"),
        ({"id": "x", "question": 7}, "`question`"),
    ],
)
async def test_a_bad_row_gets_an_error_and_the_rest_goes_on(tmp_path: Path, bad: Any, why: str) -> None:
    write(tmp_path / "in", bad, {"id": "good", "question": "yes"})
    report = await batch(tmp_path, Shout())
    failed, good = rows(tmp_path / "out")
    assert why in failed["error"]
    assert good == {"id": "good", "answer": "YES"}
    assert (report.done, report.failed) == (1, 1)


async def test_an_interrupted_batch_goes_on_where_it_was(tmp_path: Path) -> None:
    write(tmp_path / "in", "{", *({"id": n, "question": f"q{n}"} for n in range(4)))
    first = Shout(stop_at="q2")
    with pytest.raises(KeyboardInterrupt):
        await batch(tmp_path, first)
    second = Shout()
    report = await batch(tmp_path, second)
    assert (first.asked, second.asked) == (["q0", "q1"], ["q2", "q3"])
    assert [row["id"] for row in rows(tmp_path / "out")] == ["row 1", 0, 1, 2, 3]
    assert report == BatchReport(done=2, skipped=3)


async def test_a_torn_last_line_is_written_again(tmp_path: Path) -> None:
    write(tmp_path / "in", {"id": 1, "question": "one"}, {"id": 2, "question": "two"})
    (tmp_path / "out").write_text('{"id": 1, "answer": "ONE"}\n{"id": 2, "ans')
    await batch(tmp_path, Shout())
    assert [row["answer"] for row in rows(tmp_path / "out")] == ["ONE", "TWO"]


async def test_an_id_that_comes_twice_is_worked_on_once(tmp_path: Path) -> None:
    write(tmp_path / "in", {"id": 1, "question": "one"}, {"id": 1, "question": "again"})
    assert await batch(tmp_path, Shout()) == BatchReport(done=1, skipped=1)


async def test_progress_counts_up_to_the_rows(tmp_path: Path) -> None:
    write(tmp_path / "in", *({"id": n, "question": "q"} for n in range(3)))
    seen: list[tuple[int, int]] = []
    await run_batch(tmp_path / "in", tmp_path / "out", Shout(), (), lambda *at: seen.append(at))
    assert seen == [(1, 3), (2, 3), (3, 3)]


async def test_a_file_of_something_else_is_not_written_to(tmp_path: Path) -> None:
    write(tmp_path / "in", {"id": 1, "question": "one"})
    (tmp_path / "out").write_text("# My notes\n")
    with pytest.raises(BatchError, match="choose another --out"):
        await batch(tmp_path, Shout())
    assert (tmp_path / "out").read_text() == "# My notes\n"


async def test_a_missing_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(BatchError, match="in cannot be read"):
        await batch(tmp_path, Shout())


async def test_a_row_that_trips_the_program_gets_an_error_and_the_rest_goes_on(tmp_path: Path) -> None:
    async def work(row: dict[str, Any]) -> dict[str, Any]:
        if row["id"] == 1:
            raise TypeError("unhashable type:\n'dict'")
        return {"answer": row["question"]}

    write(tmp_path / "in", {"id": 1}, {"id": 2, "question": "half \ud800"}, "[" * 100_000)
    report = await run_batch(tmp_path / "in", tmp_path / "out", work, (RowError,), lambda *_: None)
    tripped, half, nested = rows(tmp_path / "out")
    assert tripped["error"] == "This row could not be worked on (TypeError: unhashable type: 'dict')."
    assert half["answer"] == "half \ud800"
    assert "not JSON" in nested["error"]
    assert (report.done, report.failed) == (1, 2)
    again = await run_batch(tmp_path / "in", tmp_path / "out", work, (RowError,), lambda *_: None)
    assert again.skipped == 3


async def test_a_database_that_went_away_is_no_rows_error(tmp_path: Path) -> None:
    async def work(row: dict[str, Any]) -> dict[str, Any]:
        raise OperationalError("the connection is lost")

    write(tmp_path / "in", {"id": 1})
    with pytest.raises(OperationalError):
        await run_batch(tmp_path / "in", tmp_path / "out", work, (RowError,), lambda *_: None)
    assert rows(tmp_path / "out") == []
