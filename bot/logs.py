"""Logging of the long-running processes: lines on stderr, quiet about what libraries chat of."""

from __future__ import annotations

import logging

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
# At INFO these tell of every connection and job; what matters is said by the processes themselves.
QUIET = ("slack_bolt", "slack_sdk", "procrastinate", "httpx", "alembic", "stamina", "uvicorn", "psycopg")


def log_to_stderr(level: int = logging.INFO) -> None:
    """Log from `level` up, libraries from WARNING up."""
    logging.basicConfig(level=level, format=FORMAT)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
