"""`python -m bot.demo`: the workspace alone, for a bot that is started and stopped by itself."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from bot.demo.app import App
from bot.demo.server import local_workspace
from bot.demo.socket_mode import Redelivery


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bot.demo", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="where to listen; 0 takes a free port")
    parser.add_argument("--home", type=Path, help="folder that keeps the conversation")
    parser.add_argument("--bot-token", help="default: a fresh one")
    parser.add_argument("--app-token", help="default: a fresh one")
    parser.add_argument("--ack-timeout", type=float, default=3.0, help="seconds")
    parser.add_argument(
        "--redeliver", type=float, nargs="*", default=[0.0, 60.0, 300.0], help="delays in seconds"
    )
    return parser.parse_args()


async def main() -> None:
    """Serve until SIGINT or SIGTERM; the first line on stdout is JSON with the addresses and tokens."""
    given = _arguments()
    tokens = {name: getattr(given, name) for name in ("bot_token", "app_token") if getattr(given, name)}
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    redelivery = Redelivery(given.ack_timeout, tuple(given.redeliver))
    async with local_workspace(
        port=given.port, app=App(**tokens), home=given.home, redelivery=redelivery
    ) as running:
        names = ("url", "api_url", "bot_token", "app_token", "signing_secret")
        sys.stdout.write(json.dumps({name: getattr(running, name) for name in names}) + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
