"""`almanac migrate`, `serve` and `worker`: what a deployment runs."""

from typing import Annotated

import typer

from bot.cli.console import say, working
from bot.cli.edge import run
from bot.config import read_settings
from bot.logs import log_to_stderr

MIGRATE_EXAMPLES = ("almanac migrate", "DATABASE_URL=postgresql://almanac@db/almanac almanac migrate")
SERVE_EXAMPLES = ("almanac serve", "almanac serve --host 0.0.0.0 --port 8080")
WORKER_EXAMPLES = ("almanac worker", "almanac worker --concurrency 8")
MIGRATING = "Migrating the database …"


def migrate() -> None:
    """Create or update the database's schema. Running it twice does no harm."""
    run(_migrate())


async def _migrate() -> None:
    from bot import wiring
    from knowledge.database import migrate as migrate_database
    from knowledge.schema import newest_revision

    with working(MIGRATING):
        async with wiring.connection_string(read_settings()) as conninfo:
            await migrate_database(conninfo)
    say(f"The database is at revision {newest_revision()}.")


def serve(
    *,
    host: Annotated[str, typer.Option(help="Where the HTTP listener binds.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Its port; 0 takes a free one.")] = 8080,
) -> None:
    """Hear Slack, and record what there is to do.

    The worker answers. Slack is heard over Socket Mode where SLACK_APP_TOKEN is set, and over HTTP
    at /slack/events where SLACK_SIGNING_SECRET is. /healthz and /metrics are always there.
    """
    log_to_stderr()
    run(_serve(host, port), terminated=0)


async def _serve(host: str, port: int) -> None:
    from bot.processes.serve import serve as serve_slack

    await serve_slack(read_settings(), host, port)


def worker(
    *,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Answers in the making at once.")] = 4,
) -> None:
    """Answer what was recorded; owns the model. More machines are more workers.

    SIGTERM lets the answers in the making finish.
    """
    log_to_stderr()
    run(_worker(concurrency), terminated=0)


async def _worker(concurrency: int) -> None:
    from bot.processes.worker import run_worker

    await run_worker(read_settings(), concurrency=concurrency)
