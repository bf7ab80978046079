"""Moments in a text: dates with the time of day beside them, and times alone on the day that is spoken of."""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from grammars.extraction.dates import MOST, DateSpan, find_dates

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

_HALF_DAY = 12
_SHORT = 2  # digits of an offset that is hours alone
_OFFSETS = {"UTC": "Z", "GMT": "Z", "Z": "Z", "BST": "+01:00", "CET": "+01:00", "CEST": "+02:00"}
_OFFSETS |= {
    "MEZ": "+01:00",
    "MESZ": "+02:00",
    "EET": "+02:00",
    "EEST": "+03:00",
    "EST": "-05:00",
    "EDT": "-04:00",
    "CST": "-06:00",
}
_OFFSETS |= {"CDT": "-05:00", "MST": "-07:00", "MDT": "-06:00", "PST": "-08:00", "PDT": "-07:00"}
# A plain minus is an offset only behind seconds or in ISO 8601: `09:00-12:00` are two times.
_HOURS = r"(?:0?\d|1[0-4])(?::?[0-5]\d)?(?![\d:])"
_OFFSET = r"(?:0\d|1[0-4]):?[0-5]\d(?![\d:])"
_STRANGE = (
    r"(?-i:[A-Z]{1,3}[SD]T|BRT|CAT|EAT|HKT|ICT|MSK|PHT|PKT|SGT|WAT|WES?T|WIB)"  # zones that we do not know
)
_TIME = (
    r"(?P<iso>(?<![^\W\d_])T(?=\d))?(?:(?P<hour>[01]?\d|2[0-4])"
    r"(?:(?P<mark>[:.])(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?P<fraction>[.,]\d{1,9})?)?)?"
    r"(?:\s?(?P<half>[ap])\.?m\b\.?)?|(?P<spoken>noon|midnight)\b)(?![\d:]|\.\d)"
    rf"(?:\s?(?P<zone>{'|'.join(sorted(_OFFSETS, key=len, reverse=True))})\b(?P<from_zone>[+-]{_HOURS})?"
    rf"|(?P<offset>(?(second)\s?[+-]|\s?\+){_OFFSET}|(?(iso)-{_OFFSET}|(?!)))|\s?(?P<strange>{_STRANGE})\b)?"
)
_ALONE = re.compile(rf"(?<![\w:.,/+-]){_TIME}", re.IGNORECASE)
_BEHIND = re.compile(rf"\s*(?:,|at|from|um|@|-)?\s*{_TIME}", re.IGNORECASE)
_JOINING = re.compile(r"\s*(?:,|on|of|the|am|\()?\s*(?:[A-Za-z]{3,9},?\s+)?", re.IGNORECASE)
_NEAR = 20  # characters between a time and the date behind it


@dataclass(frozen=True, slots=True)
class MomentSpan:
    """A moment in a text, as character offsets, and what it says as RFC 3339 has it."""

    start: int
    end: int
    value: str
    before: bool = False  # whether it is on a weekday that lies behind, where one ahead may be meant


def find_moments(text: str, reference: date) -> list[MomentSpan]:
    """Return the moments of a text in order.

    A date's time is the one right behind it or right before it, and else midnight; a time that stands alone
    is on the day that was named last before it, else first after it, else on `reference`. UTC, where no zone
    is named; where a zone is named that we do not know, there is no moment.
    """
    dates = find_dates(text, reference)
    times = _times(text, dates)
    found, used = [], set()
    for day in dates:
        clock = _clock(text, day, times)
        if clock:
            used.add(clock.end())
            start, end = min(day.start, clock.start()), max(day.end, clock.end())
            found += _moments(start, end, day, clock)
        else:
            found += [
                MomentSpan(day.start, day.end, f"{value.isoformat()}T00:00:00Z", value != day.value)
                for value in (day.value, day.before)
                if value
            ]
    for match in times:
        if match.end() not in used:
            found += _moments(*match.span(), _day(dates, match, reference), match)
    return sorted(found, key=lambda one: one.start)


def _clock(text: str, day: DateSpan, times: Sequence[re.Match[str]]) -> re.Match[str] | None:
    """Return the time right behind a date, else the one right before it."""
    behind = _BEHIND.match(text, day.end)
    if behind and (behind["minute"] or behind["half"] or behind["spoken"]):
        return behind
    first = bisect.bisect_left(times, day.start - _NEAR, key=lambda match: match.end())
    near = (match for match in times[first:] if match.end() <= day.start)
    return next((match for match in islice(near, _NEAR) if _joined(text, match.end(), day.start)), None)


def _joined(text: str, end: int, start: int) -> bool:
    """Whether only a joining word, or a day's name, stands between a time and the date behind it."""
    match = _JOINING.match(text, end, start)
    return match is not None and match.end() == start


def _times(text: str, dates: Sequence[DateSpan]) -> list[re.Match[str]]:
    """Return the times of day that are no part of a date; `4.12` alone is more often a version."""

    def stands(match: re.Match[str]) -> bool:
        place = bisect.bisect_right(dates, match.start(), key=lambda day: day.start) - 1
        told = match["mark"] == ":" or match["half"] or match["spoken"] or (match["minute"] and match["zone"])
        return bool(told) and (place < 0 or dates[place].end <= match.start())

    return list(islice(filter(stands, _ALONE.finditer(text)), MOST))


def _day(dates: Sequence[DateSpan], match: re.Match[str], reference: date) -> DateSpan:
    place = bisect.bisect_left(dates, match.start(), key=lambda day: day.start)
    return dates[max(place - 1, 0)] if dates else DateSpan(*match.span(), reference, explicit=False)


def _moments(start: int, end: int, day: DateSpan, clock: re.Match[str]) -> list[MomentSpan]:
    """Return the moments that a time of day may be; none, where its zone is not known."""
    if clock["strange"]:
        return []
    told = f"T{_time(clock)}{_zone(clock)}"
    days = [value for value in (day.value, day.before) if value]
    return [MomentSpan(start, end, value.isoformat() + told, value != day.value) for value in days]


def _time(clock: re.Match[str]) -> str:
    if clock["spoken"]:
        return "12:00:00" if clock["spoken"].lower() == "noon" else "00:00:00"
    hour = int(clock["hour"]) % (2 * _HALF_DAY)
    if half := clock["half"]:
        hour = hour % _HALF_DAY + (_HALF_DAY if half.lower() == "p" else 0)
    fraction = (clock["fraction"] or "").replace(",", ".")
    return f"{hour:02}:{clock['minute'] or '00'}:{clock['second'] or '00'}{fraction}"


def _zone(clock: re.Match[str]) -> str:
    """Return the offset as RFC 3339 has it; that of `UTC+2` is two hours."""
    if not (told := clock["offset"] or clock["from_zone"]):
        return _OFFSETS[(clock["zone"] or "UTC").upper()]
    digits = re.sub(r"\D", "", told)
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > _SHORT else (digits, "00")
    return f"{told.strip()[0]}{hours:>02}:{minutes}"
