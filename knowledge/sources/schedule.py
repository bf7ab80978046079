"""When a source is looked at again: an interval such as `15m`, a cron expression, or `never`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from croniter import CroniterBadDateError, croniter

from knowledge.sources.uri import Kind, SourceError

NEVER = "never"
SHORTEST = timedelta(seconds=10)
CRON_FIELDS = 5
# What is watched is scanned as a net beneath; the rest says nothing by itself, and costs somebody a request.
DEFAULTS = {Kind.LOCAL: "15m", Kind.GIT: "5m", Kind.WEB: "6h", Kind.REMOTE: "1h", Kind.SLACK_EXPORT: NEVER}

_INTERVAL = re.compile(r"(\d{1,6})\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def check_schedule(schedule: str) -> str:
    """Return the schedule as it is kept.

    Raises:
        SourceError: it is none, or shorter than can be kept up with.
    """
    cleaned = " ".join(schedule.split()).lower()
    if cleaned == NEVER:
        return cleaned
    interval = _interval(cleaned)
    if interval is None:
        _check_cron(schedule, cleaned)
    elif interval < SHORTEST:
        raise SourceError(f"{schedule!r} is too often: {SHORTEST.seconds}s is the shortest interval.")
    return cleaned


def _check_cron(schedule: str, cleaned: str) -> None:
    if not croniter.is_valid(cleaned):
        raise SourceError(
            f"{schedule!r} is no schedule: give an interval (30s, 15m, 6h, 1d), a cron expression"
            " ('0 3 * * *') or never."
        )
    if len(cleaned.split()) > CRON_FIELDS:
        raise SourceError(
            f"{schedule!r} has more than the five fields of a cron expression, from minute to weekday; for"
            " seconds, give an interval such as 30s."
        )
    if next_due(cleaned, datetime.now(UTC)) is None:
        raise SourceError(f"{schedule!r} names a day that no calendar has.")


def next_due(schedule: str | None, after: datetime) -> datetime | None:
    """Return when a checked schedule is due next; cron expressions are read in UTC. None: never."""
    if schedule is None or schedule == NEVER:
        return None
    interval = _interval(schedule)
    if interval is not None:
        return after + interval
    try:
        following: datetime = croniter(schedule, after.astimezone(UTC)).get_next(datetime)
    except CroniterBadDateError:  # the 30th of February
        return None
    return following


def _interval(schedule: str) -> timedelta | None:
    match = _INTERVAL.fullmatch(schedule)
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None
