"""The short forms of the benches of the index: complete, fresh, and whole after kills."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SMALL = str(ROOT / "docs" / "decisions")


@pytest.mark.parametrize(
    "bench",
    [
        ("completeness.py", "--hostile", "22", "--folders", SMALL, "--embedder", "words"),
        ("freshness.py", "--changes", "4", "--folder", SMALL, "--embedder", "words", "--grace", "10"),
        ("killed_builds.py", "--kills", "2", "--folder", SMALL, "--seed", "5"),
    ],
    ids=lambda bench: bench[0],
)
def test_it_holds(bench: tuple[str, ...]) -> None:
    name, *arguments = bench
    command = [sys.executable, str(ROOT / "bench" / name), *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
