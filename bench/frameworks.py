"""The two frameworks that people would use, over the same passages, embedder and server.

They are langchain-postgres and llama-index-vector-stores-postgres, MIT both, released by those who make the
frameworks. The first wants a pgvector below 0.4 and we want one above, so they live in a folder of their own,
which only a child process sees (`frameworks_child.py`); pip says of that difference, and goes on:

    .venv/bin/python -m pip install --target runs/frameworks --group bench
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from collections.abc import Sequence

INSTALLED = Path("runs/frameworks")
HOW = "They are not installed in {}: .venv/bin/python -m pip install --target {} --group bench"
CHILD = Path(__file__).with_name("frameworks_child.py")


@dataclass(frozen=True, slots=True)
class Framework:
    """What one of them did.

    Attributes:
        name: with its version.
        seconds: that it took to embed, store and index the passages.
        rankings: by the way of searching, for each question the places of its best passages, best first.
    """

    name: str
    seconds: float
    rankings: dict[str, list[list[int]]]


class FrameworksError(RuntimeError):
    """The frameworks' process failed; its own words are above."""


def installed(folder: Path) -> bool:
    """Return whether they are in the folder; say how they get there where they are not."""
    found = (folder / "langchain_postgres").is_dir() and (folder / "llama_index").is_dir()
    if not found:
        print(HOW.format(folder, folder), file=sys.stderr)
    return found


async def compare(
    folder: Path, conninfo: str, passages: Sequence[str], questions: Sequence[str] = ()
) -> list[Framework]:
    """Have each store the passages in tables of its own, and search them for the questions."""
    with tempfile.TemporaryDirectory() as scratch:
        asked, told = Path(scratch) / "asked.json", Path(scratch) / "told.json"
        server = conninfo_to_dict(conninfo)
        job = {"server": server, "passages": list(passages), "questions": list(questions)}
        asked.write_text(json.dumps(job))
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(CHILD), str(asked), str(told), env=_environment(folder)
        )
        if await process.wait():
            raise FrameworksError
        return [Framework(**row) for row in json.loads(told.read_text())]


def _environment(folder: Path) -> dict[str, Any]:
    project = Path(__file__).parent.parent
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder.resolve()), str(project)])}
