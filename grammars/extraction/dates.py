"""Dates as people write them, to ISO 8601, with a date of reference for what they leave out."""

from __future__ import annotations

import bisect
import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice

_MONTHS = {name.lower(): n for n in range(1, 13) for name in (calendar.month_name[n], calendar.month_abbr[n])}
_MONTHS["sept"] = 9
_DAYS = {name.lower(): n for n in range(7) for name in (calendar.day_name[n], calendar.day_abbr[n])}
_DAYS |= {"tues": 1, "thur": 3, "thurs": 3}
_NEAR = {
    "today": 0,
    "tonight": 0,
    "this morning": 0,
    "this afternoon": 0,
    "this evening": 0,
    "last night": -1,
    "yesterday": -1,
    "tomorrow": 1,
    "tmrw": 1,
}

_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY = "|".join(sorted(_DAYS, key=len, reverse=True))
_ORDINAL = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_NAMED = rf"(?:(?P<named>{_DAY})\b\.?,?\s+(?:the\s+)?)?"
_YEAR = r"(?:,?\s+(?P<year>(?:19|20)\d\d|'\d\d))?"
_WRITTEN = (
    r"(?P<year>(?:19|20)\d\d)-(?P<month>[01]\d)-(?P<day>[0-3]\d)(?!\d)",
    r"(?P<year>(?:19|20)\d\d)[./](?P<month>[01]?\d)[./](?P<day>[0-3]?\d)(?![\d.])",
    r"(?P<a>[0-3]?\d)(?P<sep>[./-])(?P<b>[0-3]?\d)(?P=sep)(?P<year>(?:19|20)?\d\d)(?![\d.])",
    r"(?P<a>[0-3]?\d)(?P<sep>/)(?P<b>[01]?\d)(?![\d./]*\d)",
    # `15.4` is more often a version: a day where a word before it or another dot says so
    r"(?:(?<=\b(?:on|by|am)\s)|(?<=\b(?:until|since)\s))(?P<a>[0-3]?\d)\.(?P<b>[01]?\d)(?![\d./]*\d)",
    r"(?P<a>[0-3]?\d)\.(?P<b>[01]?\d)\.(?=\s+[a-z(])",
    rf"{_NAMED}{_ORDINAL}\s*(?:of\s+|-)?(?P<month>{_MONTH})\b\.?{_YEAR}",
    rf"{_NAMED}(?P<month>{_MONTH})\b\.?\s+{_ORDINAL}(?![\d:.]\d|\d){_YEAR}",
    rf"(?P<near>{'|'.join(_NEAR)})\b",
    rf"(?P<which>next|last|this|on)\s+(?P<weekday>{_DAY})\b",
    rf"(?P<weekday>{_DAY.replace('sun|', '').replace('sat|', '').replace('wed|', '')})\b",
)
_PATTERNS = [re.compile(rf"(?<![\w./-]){pattern}", re.IGNORECASE) for pattern in _WRITTEN]
_MONTHS_A_YEAR = 12
_WEEK = 7  # days
_TODAY = re.compile(r"\btoday\b|^\W*(?:sent|date|written)\b", re.IGNORECASE | re.MULTILINE)
_CENTURY = 100
MOST = 500  # dates of one pattern in one text
_NEARBY = 24  # characters


@dataclass(frozen=True, slots=True)
class DateSpan:
    """A date in a text, as character offsets, and what it says in ISO 8601."""

    start: int
    end: int
    value: date
    explicit: bool  # whether the text gives the year itself
    before: date | None = None  # of a weekday that may lie behind as well as ahead, the one behind


def find_dates(text: str, reference: date) -> list[DateSpan]:
    """Return the dates of a text in order; what overlaps an earlier pattern's is left out.

    A date without its year, a day's name and words such as `yesterday` count from the day that the text calls
    today or was sent on, else from its first full date, else from `reference`. Where the order of day and
    month is open, the day comes first, unless another date of the text shows that it does not.
    """
    matches = _matches(text)
    month_first = any(_shows_month_first(match) for match in matches)
    full = [span for match in matches if (span := _full(match, month_first=month_first))]
    told = {span.start for span in full}
    today = _today(text, full) or (full[0].value if full else reference)
    loose = [_loose(match, today, month_first=month_first) for match in matches if match.start() not in told]
    return sorted([*full, *filter(None, loose)], key=lambda span: span.start)


def _today(text: str, full: list[DateSpan]) -> date | None:
    """Return the day that the text calls today, or was sent on: the first full date right behind the word."""
    for match in _TODAY.finditer(text):
        behind = (span for span in full if match.start() <= span.start <= match.end() + _NEARBY)
        if found := next(behind, None):
            return found.value
    return None


def _matches(text: str) -> list[re.Match[str]]:
    """Return what looks like a date, in order; a longer pattern's match wins over those that it overlaps."""
    found: list[re.Match[str]] = []
    for pattern in _PATTERNS:
        for match in islice(pattern.finditer(text), MOST):
            place = bisect.bisect_left(found, match.start(), key=lambda other: other.start())
            after = place < len(found) and found[place].start() < match.end()
            before = place > 0 and found[place - 1].end() > match.start()
            if not after and not before:
                found.insert(place, match)
    return found


def _shows_month_first(match: re.Match[str]) -> bool:
    parts = match.groupdict()
    return bool(parts.get("year") and parts.get("b")) and int(parts["b"]) > _MONTHS_A_YEAR >= int(parts["a"])


def _full(match: re.Match[str], *, month_first: bool) -> DateSpan | None:
    parts = match.groupdict()
    if not (year := parts.get("year")):
        return None
    if parts.get("a"):
        month, day = (parts["a"], parts["b"]) if month_first else (parts["b"], parts["a"])
    else:
        month, day = parts["month"], parts["day"]
    number = int(year.strip("'"))
    value = _date(number + 2000 if number < _CENTURY else number, _month(month), int(day))
    return DateSpan(*match.span(), value, explicit=True) if value else None


def _loose(match: re.Match[str], today: date, *, month_first: bool) -> DateSpan | None:
    parts = match.groupdict()
    if parts.get("near"):
        value = _shifted(today, _NEAR[" ".join(parts["near"].lower().split())])
    elif parts.get("weekday"):
        which = (parts.get("which") or "").lower()
        value = _weekday(_DAYS[parts["weekday"].lower()], which, today)
        before = _shifted(value, -_WEEK) if value and value != today and which in ("", "on") else None
        return DateSpan(*match.span(), value, explicit=False, before=before) if value else None
    elif parts.get("a"):
        month, day = (parts["a"], parts["b"]) if month_first else (parts["b"], parts["a"])
        value = _nearest(int(month), int(day), today)
    elif parts.get("month"):
        named = _DAYS.get((parts["named"] or "").lower())
        value = _nearest(_month(parts["month"]), int(parts["day"]), today, named)
    else:
        return None
    return DateSpan(*match.span(), value, explicit=False) if value else None


def _month(name: str) -> int:
    return int(name) if name.isdigit() else _MONTHS[name.lower()]


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _nearest(month: int, day: int, near: date, weekday: int | None = None) -> date | None:
    """Return the nearest day of that month; of those that fall on the weekday, where any of them does."""
    found = [value for offset in (-1, 0, 1) if (value := _date(near.year + offset, month, day))]
    fitting = [value for value in found if value.weekday() == weekday] or found
    return min(fitting, key=lambda value: abs((value - near).days), default=None)


def _shifted(day: date, days: int) -> date | None:
    try:
        return day + timedelta(days=days)
    except OverflowError:  # before the first year, or after the last
        return None


def _weekday(day: int, which: str, reference: date) -> date | None:
    """`next` lies ahead, `last` behind, and else the nearest ahead, today included."""
    ahead = (day - reference.weekday()) % 7
    if which == "last":
        return _shifted(reference, -((reference.weekday() - day) % 7 or 7))
    return _shifted(reference, (ahead or 7) if which == "next" else ahead)
