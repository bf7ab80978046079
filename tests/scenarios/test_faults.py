"""The short form of the benches that break things."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from running_bot import Bot

ROOT = Path(__file__).parent.parent.parent
WORKER = shlex.join([sys.executable, str(ROOT / "tests" / "quick_worker.py")])


def test_killed_redelivered_and_rate_limited_each_question_has_one_answer() -> None:
    bench = [sys.executable, str(ROOT / "bench" / "faults.py"), "--questions", "8", "--kills", "3"]
    limits = ["--over", "10", "--quiet", "8", "--patience", "120", "--worker", WORKER]
    ran = subprocess.run([*bench, *limits], capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "with exactly one answer 8" in ran.stdout


async def test_of_a_burst_each_question_has_one_answer(bot: Bot) -> None:
    asked = await asyncio.gather(
        *(bot.workspace.say("maya", "#ops", f"@almanac Question {number}?") for number in range(40))
    )
    await bot.workspace.wait_for(lambda _: all(bot.replies("#ops", ts) for ts in asked), 30)
    await bot.idle()
    assert all(len(bot.replies("#ops", ts)) == 1 for ts in asked)
