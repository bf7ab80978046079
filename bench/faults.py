"""Ask while everything breaks: at the end each question has exactly one answer.

The bot and its worker, real processes, are killed (SIGKILL) and started again at random moments; every event
is delivered twice; the Web API answers 429 one time in five. Prints a summary; exits 1 where a question has
no answer, or more than one.

    python bench/faults.py                                   # 60 questions, the embedded model over docs/
    python bench/faults.py --questions 8 --kills 4 --worker "python tests/quick_worker.py"
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from processes import SERVE, WORKER, command_line, processes, run

from bot.demo import Redelivery, local_workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processes import Processes

    from bot.demo import LocalWorkspace

CHANNELS = ("#general", "#ops", "#random")
PEOPLE = ("maya", "jonas", "priya")
QUIET = 12.0  # seconds without a change; a dead worker's job is taken up within seven
# Slack's own delays are 0, 60 and 300 seconds; these are as patient, and get there sooner.
REDELIVERY = Redelivery(ack_timeout=3.0, delays=(1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0))

Place = tuple[str, str]
"""A channel and the ts of a question in it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many answers each question got, and how long it all took."""

    answers: dict[Place, int]
    sorry: int
    kills: int
    refused: int
    seconds: float

    @property
    def exact(self) -> bool:
        """Whether each question has one answer."""
        return set(self.answers.values()) == {1} and not self.sorry


async def main() -> int:
    """Run and report; return the exit status."""
    given = _arguments()
    random.seed(given.seed)
    with tempfile.TemporaryDirectory(prefix="almanac faults ") as home:  # a space in its path, too
        async with (
            local_workspace(redelivery=REDELIVERY) as workspace,
            processes(workspace, Path(home)) as bot,
        ):
            await bot.run("migrate")
            if given.worker == WORKER:
                await bot.run("sources", "add", str(Path(__file__).parent.parent / "docs"))
                await bot.run("reindex")
            outcome = await torment(workspace, bot, given)
    _report(outcome)
    return 0 if outcome.exact else 1


async def torment(workspace: LocalWorkspace, bot: Processes, given: argparse.Namespace) -> Outcome:
    """Ask, kill, and wait until the dust has settled."""
    began = time.monotonic()
    commands = {"serve": SERVE, "worker": given.worker}
    for name, command in commands.items():
        await bot.start(name, command)
    await workspace.wait_for(lambda w: w.slack.socket.connected.is_set(), 60)
    workspace.slack.faults.set(copies=2, every=5)
    asked, kills = await asyncio.gather(
        ask(workspace, given.questions, given.over), kill(bot, commands, given.kills, given.over)
    )
    await workspace.wait_for(lambda w: all(answers(w, place) for place in asked), given.patience)
    await quiet(workspace, given.quiet)
    counts = {place: len(answers(workspace, place)) for place in asked}
    sorry = sum("(reference " in text for place in asked for text in answers(workspace, place))
    return Outcome(counts, sorry, kills, workspace.slack.faults.refused, time.monotonic() - began)


async def ask(workspace: LocalWorkspace, count: int, over: float) -> list[Place]:
    """Mention the bot `count` times at random moments within `over` seconds."""

    async def one(number: int) -> Place:
        await asyncio.sleep(random.uniform(0, over))
        channel = random.choice(CHANNELS)
        text = f"@almanac How do I set up Slack for Almanac ({number})?"
        return channel, await workspace.say(random.choice(PEOPLE), channel, text)

    return await asyncio.gather(*(one(number) for number in range(count)))


async def kill(bot: Processes, commands: dict[str, Sequence[str]], count: int, over: float) -> int:
    """Kill one of the processes, or both, `count` times; they are back within a moment."""
    for _ in range(count):
        await asyncio.sleep(random.uniform(0.5, 1.5) * over / count)
        names = random.choice([("serve",), ("worker",), ("worker",), ("serve", "worker")])
        for name in names:
            await bot.stop(name)
        await asyncio.sleep(random.uniform(0, 1))
        for name in names:
            await bot.start(name, commands[name])
    return count


def answers(workspace: LocalWorkspace, place: Place) -> list[str]:
    """Return the first parts of the answers in a question's thread."""
    channel, ts = place
    replies = [
        one for one in workspace.messages(channel, ts)[1:] if one["user"] == workspace.slack.app.user_id
    ]
    return [one["text"] for one in replies if not one["text"].startswith("(continued)")]


async def quiet(workspace: LocalWorkspace, seconds: float) -> None:
    """Wait until nothing has changed for some seconds."""
    changed = asyncio.Event()
    workspace.state.watchers.append(lambda _change: changed.set())
    while True:
        changed.clear()
        try:
            await asyncio.wait_for(changed.wait(), seconds)
        except TimeoutError:
            return


def _report(outcome: Outcome) -> None:
    counts = Counter(outcome.answers.values())
    print(f"questions                 {len(outcome.answers)}")
    print(f"  with exactly one answer {counts[1]}")
    print(f"  with none               {counts[0]}")
    print(f"  with more than one      {sum(number for times, number in counts.items() if times > 1)}")
    print(f"  with an apology         {outcome.sorry}")
    print(f"kills (SIGKILL)           {outcome.kills}")
    print(f"calls answered 429        {outcome.refused}")
    print(f"seconds                   {outcome.seconds:.0f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--over", type=float, default=180.0, help="seconds in which it all happens")
    parser.add_argument("--patience", type=float, default=600.0, help="seconds to wait for the last answer")
    parser.add_argument("--quiet", type=float, default=QUIET, help="seconds without a change that end it")
    parser.add_argument("--seed", type=int, default=None, help="to repeat the random moments")
    parser.add_argument("--worker", type=command_line, default=WORKER)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(run(main()))
