"""Short runs over few sheets; MiniLM is the real one."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file

from grammars.embedded.loading import load_locator, minilm
from grammars.tuning.locator import LEFT_OUT, Run, Trainer, evaluate, train
from grammars.tuning.sheets import Sheet, sheets_of_cases, sheets_of_questions

if TYPE_CHECKING:
    from pathlib import Path

TOWNS = ("Porto", "Lyon", "Ghent", "Turin", "Graz", "Cork")
TEXT = "Ana and Ben want two pumps at 40 EUR. Ana signs."


def case(title: str, town: str) -> dict[str, Any]:
    text = f"Please book a room in {town} for Ana."
    town_leaf = {"type": ["string", "null"], "description": "Where the room is"}
    properties = {
        "town": town_leaf,
        "guest": {"type": ["string", "null"]},
        "price": {"type": ["number", "null"]},
    }
    return {
        "schema": {"title": title, "type": "object", "properties": properties},
        "text": text,
        "expected": {"town": town, "guest": "Ana", "price": None},
        "evidence": {"/town": town, "/guest": "Ana"},
    }


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.jsonl"
    rows = [case(title, town) for town in TOWNS for title in ("Booking", "Stay")]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    rows = []
    for hour, town in enumerate(TOWNS, 7):
        text = f"The office in {town} opens at {hour}. Its door is on the left."
        start = text.index(f"{hour}.")
        evidence = [{"passage": 0, "start": start, "end": start + len(str(hour))}]
        asked = {"passages": [{"title": "", "text": text}]}
        rows += [
            asked
            | {
                "question": "When does it open?",
                "answerable": True,
                "answer": str(hour),
                "evidence": evidence,
            },
            asked | {"question": "Who has the key?", "answerable": False, "answer": "", "evidence": []},
        ]
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(cases: Path, questions: Path, out: str, **given: Any) -> Run:
    return Run(
        str(cases.parent / out),
        (str(questions),),
        (str(cases),),
        **({"epochs": 2, "batch": 4, "rank": 4, "every": 1} | given),
    )


def test_a_killed_run_goes_on_as_if_it_had_not_been_killed(
    cases: Path, questions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(run(cases, questions, "whole"))
    update, steps = Trainer.update, iter(range(4))

    def killed(self: Trainer, *arguments: Any) -> float:
        if next(steps, None) is None:
            raise InterruptedError
        return update(self, *arguments)

    monkeypatch.setattr(Trainer, "update", killed)
    with pytest.raises(InterruptedError):
        train(run(cases, questions, "killed"))
    monkeypatch.undo()
    train(run(cases, questions, "killed"))
    whole, again = ((cases.parent / out / "head.safetensors").read_bytes() for out in ("whole", "killed"))
    assert whole == again


def test_what_a_fold_leaves_out_is_said_and_read(cases: Path, questions: Path) -> None:
    settings = run(cases, questions, "fold", fold=1, rank=32, epochs=12, head_rate=3e-3)
    train(settings)
    out = cases.parent / "fold"
    assert json.loads((out / LEFT_OUT).read_text()) == ["Stay"]
    last = json.loads((out / "log.jsonl").read_text().splitlines()[-1])
    assert last["left_out"]["right"] > 0.5
    sheets = list(sheets_of_cases([case("Stay", "Porto")]))
    assert evaluate(load_locator(minilm(), out), sheets)["right"] > 0


def test_a_run_goes_on_from_where_another_ended(cases: Path, questions: Path) -> None:
    first = run(cases, questions, "first")
    train(replace(first, cases=()))
    kept = Trainer(replace(first, out=str(cases.parent / "second")))
    before = {name: part.clone() for name, part in kept.head.state_dict().items()}
    kept.load(cases.parent / "first")
    ended = load_file(cases.parent / "first" / "head.safetensors")
    for name, part in kept.head.state_dict().items():
        assert not torch.equal(part, before[name])
        assert torch.equal(part.to(torch.bfloat16), ended[name])


def test_places_are_those_of_the_quotes_and_unknown_where_there_is_none() -> None:
    properties = {
        "buyers": {"type": "array", "items": {"type": "string"}},
        "signs": {"type": "string"},
        "price": {"type": "number"},
        "colour": {"type": ["string", "null"]},
        "urgent": {"type": "boolean"},
    }
    row = {
        "schema": {"title": "Order", "type": "object", "properties": properties},
        "text": TEXT,
        "expected": {
            "buyers": ["Ana", "Ben"],
            "signs": "Ana",
            "price": 40,
            "colour": None,
            "urgent": False,
        },
        "evidence": {"/buyers/0": "Ana", "/buyers/1": "Ben", "/signs": "Ana", "/price": "40 EUR"},
    }
    (sheet,) = sheets_of_cases([row])
    said = [None if places is None else [TEXT[slice(*span)] for span in places] for places in sheet.places]
    assert said == [["Ana", "Ben"], ["Ana", "Ana"], ["40 EUR"], [], None]


def test_passages_that_answer_several_questions_come_first(questions: Path) -> None:
    found = sheets_of_questions([questions], most=4)
    assert len(found) == 4
    for sheet in found:
        for question, places in zip(sheet.questions, sheet.places, strict=True):
            assert [sheet.text[slice(*span)].isdigit() for span in places or ()] == (
                [True] if question == "When does it open?" else []
            )


def test_a_varied_sheet_asks_for_the_same_places() -> None:
    sheet = Sheet("Order", ("a. First", "b. Second", "c"), (((0, 3),), (), None), TEXT)
    rng = random.Random(1)
    known = {
        name: places
        for q, places in zip(sheet.questions, sheet.places, strict=True)
        for name in q.split(". ")
    }
    for _ in range(50):
        varied = sheet.varied(rng)
        assert varied.questions
        for question, places in zip(varied.questions, varied.places, strict=True):
            assert known[question.split(". ")[0]] == places
