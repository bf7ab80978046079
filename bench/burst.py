"""200 mentions in one second: every envelope is acknowledged within 3 seconds, every question answered.

Prints how long the acknowledgements took; exits 1 where one came late or an answer is missing.

    python bench/burst.py                                    # the embedded model over docs/
    python bench/burst.py --worker "python tests/quick_worker.py"
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from faults import CHANNELS, PEOPLE, Place, answers
from processes import SERVE, WORKER, command_line, processes, run

from bot.demo import local_workspace

if TYPE_CHECKING:
    from processes import Processes

    from bot.demo import LocalWorkspace

ACK_SECONDS = 3.0


async def main() -> int:
    """Run and report; return the exit status."""
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="almanac-burst-") as home:
        async with local_workspace() as workspace, processes(workspace, Path(home)) as bot:
            await bot.run("migrate")
            if given.worker == WORKER:
                await bot.run("sources", "add", str(Path(__file__).parent.parent / "docs"))
                await bot.run("reindex")
            return await burst(workspace, bot, given)


async def burst(workspace: LocalWorkspace, bot: Processes, given: argparse.Namespace) -> int:
    """Mention the bot `given.mentions` times within a second, and wait for every answer."""
    await bot.start("serve", SERVE)
    await workspace.wait_for(lambda w: w.slack.socket.connected.is_set(), 60)
    warm = await workspace.say("maya", "#general", "@almanac Are you there?")
    await bot.start("worker", given.worker)
    await workspace.wait_for(lambda w: answers(w, ("#general", warm)), 120)
    workspace.slack.socket.deliveries.clear()
    began = time.monotonic()
    asked = await asyncio.gather(
        *(_say(workspace, number, given.mentions) for number in range(given.mentions))
    )
    sent = time.monotonic() - began
    await workspace.wait_for(lambda w: all(answers(w, place) for place in asked), given.patience)
    return _report(workspace, asked, sent, time.monotonic() - began)


async def _say(workspace: LocalWorkspace, number: int, count: int) -> Place:
    await asyncio.sleep(number / count)
    channel = CHANNELS[number % len(CHANNELS)]
    text = f"@almanac How do I set up Slack for Almanac ({number})?"
    return channel, await workspace.say(PEOPLE[number % len(PEOPLE)], channel, text)


def _report(workspace: LocalWorkspace, asked: list[Place], sent: float, answered: float) -> int:
    mentions = [
        one for one in workspace.slack.socket.deliveries if one.payload["event"]["type"] == "app_mention"
    ]
    acks = [one.ack_s for one in mentions if one.attempt == 0 and one.ack_s is not None]
    late = len(asked) - sum(ack <= ACK_SECONDS for ack in acks)
    hundredths = statistics.quantiles(acks, n=100)
    once = sum(len(answers(workspace, place)) == 1 for place in asked)
    print(f"mentions                  {len(asked)} in {sent:.2f} s")
    print(f"acknowledged late or not  {late}")
    print(f"acknowledgement           p50 {hundredths[49] * 1000:.0f} ms, p99 {hundredths[98] * 1000:.0f} ms")
    print(f"answered exactly once     {once}, the last after {answered:.0f} s")
    return 0 if late == 0 and once == len(asked) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mentions", type=int, default=200)
    parser.add_argument("--patience", type=float, default=1_200.0, help="seconds to wait for the last answer")
    parser.add_argument("--worker", type=command_line, default=WORKER)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(run(main()))
