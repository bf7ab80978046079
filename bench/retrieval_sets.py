"""The questions that bench/retrieval.py asks, and the documents that they are about."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grammars.engine.protocol import Turn
from knowledge.parse import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OWN = Path(__file__).parent.parent / "grammars" / "tuning" / "corpus"


@dataclass(frozen=True, slots=True)
class Span:
    """`[start, end)` of the stored document at `path`, in characters."""

    path: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its evidence, each text a span; `history` is what was said before it."""

    text: str
    evidence: tuple[Span, ...]
    history: tuple[Turn, ...] = ()


def prepare(data: Path, name: str, folder: Path) -> list[Question]:
    """Put the documents of the set into `folder`, which is new, and return its answerable questions.

    Args:
        data: holds `questions/`, the folders that they are about, and `qa/`.
        name: `runbooks` or `handbook`; a set of the project's own, or `own`, which is all of those as one;
            `qa`, whose paragraphs are documents; `conversations`, the same asked in the course of one.
        folder: where the documents go.
    """
    if name in PARAGRAPHS:
        return list(PARAGRAPHS[name](_rows(data / "qa" / "dev.jsonl"), folder))
    if name == "own":
        return [q for part in sorted(OWN.iterdir()) if part.is_dir() for q in _project(part, folder)]
    if (OWN / name).is_dir():
        return list(_project(OWN / name, folder))
    shutil.copytree(data / name, folder)
    return [_asked(row, folder, "") for row in _rows(data / "questions" / f"{name}.jsonl") if row["evidence"]]


def _project(part: Path, folder: Path) -> Iterator[Question]:
    shutil.copytree(part, folder / part.name, ignore=shutil.ignore_patterns("*.jsonl"))
    for row in _rows(part / "questions.jsonl"):
        if row["evidence"]:
            yield _asked(row, folder, part.name)


def _asked(row: dict[str, Any], folder: Path, under: str) -> Question:
    path = str(Path(under, row["path"]))
    text = decode((folder / path).read_bytes())
    return Question(row["question"], tuple(_found(path, text, evidence) for evidence in row["evidence"]))


def _found(path: str, text: str, evidence: str) -> Span:
    """Return where the evidence stands, which is verbatim up to white space."""
    match = re.search(r"\s+".join(map(re.escape, evidence.split())), text)
    if match is None:
        raise ValueError(f"{path} does not hold {evidence!r}.")
    return Span(path, *match.span())


def _paragraphs(rows: list[dict[str, Any]], folder: Path) -> Iterator[Question]:
    """Yield the questions with evidence in a paragraph."""
    for row in rows:
        paths = _write(row, folder)
        spans = [Span(paths[e["passage"]], e["start"], e["end"]) for e in row["evidence"]]
        if row["answerable"] and spans:
            yield Question(row["question"], tuple(spans))


def _conversations(rows: list[dict[str, Any]], folder: Path) -> Iterator[Question]:
    """Yield the questions that follow others; what they were answered from is known by the paragraph only."""
    for row in rows:
        paths = _write(row, folder)
        if row["answerable"] and row.get("history"):
            turns = (
                Turn("user" if turn["speaker"] == "user" else "assistant", turn["text"])
                for turn in row["history"]
            )
            lengths = [len(passage["text"]) for passage in row["passages"]]
            spans = (Span(path, 0, length) for path, length in zip(paths, lengths, strict=True))
            yield Question(row["question"], tuple(spans), tuple(turns))


PARAGRAPHS: dict[str, Callable[[list[dict[str, Any]], Path], Iterator[Question]]] = {
    "qa": _paragraphs,
    "conversations": _conversations,
}


def _write(row: dict[str, Any], folder: Path) -> list[str]:
    """Write the row's paragraphs, each a document named by its text; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for passage in row["passages"]:
        paths.append(f"{hashlib.sha256(passage['text'].encode()).hexdigest()[:16]}.txt")
        (folder / paths[-1]).write_text(passage["text"], newline="")
    return paths


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line]
