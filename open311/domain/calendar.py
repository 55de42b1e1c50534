"""A city's calendar: working days, office hours, public holidays and the city's own closing days. Pure functions.

Instants have a time zone, and results are in UTC. Days and hours of the day are the city's local ones. If a change
of the clocks lets a local time occur twice, the first of the two counts. A local time that does not occur is moved
by the length of the change: 02:30 becomes 03:30.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from importlib.util import find_spec, module_from_spec
from zoneinfo import ZoneInfo

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MINUTES_A_DAY = 24 * 60
CLOSING_DAY = "closing day of the city"
_FARTHEST = timedelta(days=366 * 40)
"""How far ahead a search for a working day goes. This limit ends the search in a calendar without working days."""


class DayKind(StrEnum):
    """A kind of day. Every holiday is also a day off.

    HOLIDAY      a public holiday or a closing day of the city
    WORKING_DAY  a day with office hours that is no holiday
    DAY_OFF      any other day: a day of the week without office hours. `Moment.is_on(DAY_OFF)` is also true on a
                 holiday
    """

    HOLIDAY = "holiday"
    WORKING_DAY = "working_day"
    DAY_OFF = "day_off"


@dataclass(frozen=True, slots=True, order=True)
class Hours:
    """A part of each day, in minutes after midnight. The minute `end` is not included.

    If `end` is not later than `start`, the part includes midnight: 22:00-06:00 means from 22 to 24 and from 0 to 6
    of the same day.
    """

    start: int
    end: int

    def __contains__(self, minute: int) -> bool:
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def __str__(self) -> str:
        return f"{_clock(self.start)}-{_clock(self.end)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The days and hours at which a city works.

    office_hours  the hours of work on each day of the week, Monday first; empty for a day off
    holidays      the code of the country, or of a part of a country, whose public holidays count; "" for none
    closed        the city's own closing days: `2026-12-24` for one year, `12-24` for every year
    working       days on which the city works although they are public holidays; written like `closed`
    """

    office_hours: tuple[tuple[Hours, ...], ...]
    holidays: str = ""
    closed: tuple[str, ...] = ()
    working: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant in a city: its local time, and what the city's calendar says about the day.

    holiday  the name of the holiday; "" for none
    kind     None if the city has no calendar
    """

    local: datetime
    kind: DayKind | None = None
    holiday: str = ""

    @property
    def minute(self) -> int:
        """Minutes after midnight."""
        return self.local.hour * 60 + self.local.minute

    def is_on(self, kind: DayKind) -> bool:
        """Whether the day is of this kind. A holiday is also a day off."""
        return self.kind is kind or (kind is DayKind.DAY_OFF and self.kind is DayKind.HOLIDAY)

    def __str__(self) -> str:
        """The day in words, such as `Friday, 2026-12-25 (Christmas Day)`."""
        holiday = f" ({self.holiday})" if self.holiday else ""
        return f"{WEEKDAYS[self.local.weekday()]}, {self.local.date()}{holiday}"


@dataclass(frozen=True)
class WorkingTime:
    """Counts working days and working time by a calendar in a time zone."""

    calendar: Calendar
    zone: ZoneInfo

    def moment(self, at: datetime) -> Moment:
        """What the calendar says about an instant."""
        local = at.astimezone(self.zone)
        return Moment(local, self.kind(local.date()), self.holiday(local.date()))

    def kind(self, day: date) -> DayKind:
        """The kind of a day; HOLIDAY also for a holiday on a day of the week without office hours."""
        if self.holiday(day):
            return DayKind.HOLIDAY
        return DayKind.WORKING_DAY if self.calendar.office_hours[day.weekday()] else DayKind.DAY_OFF

    def holiday(self, day: date) -> str:
        """The name of the holiday or closing day; "" for another day."""
        written = day.isoformat()
        if written in self._closed or written[5:] in self._closed:
            return CLOSING_DAY
        if not self.calendar.holidays or written in self._working or written[5:] in self._working:
            return ""
        return public_holidays(self.calendar.holidays, day.year).get(day, "")

    def is_working_day(self, day: date) -> bool:
        """Whether the city works on a day."""
        return self.kind(day) is DayKind.WORKING_DAY

    def working_time(self, start: datetime, end: datetime) -> timedelta:
        """The office hours between two instants, added up; zero if `end` is not later than `start`."""
        start, end, total = start.astimezone(UTC), end.astimezone(UTC), timedelta()
        for opening, closing in self._openings(start):
            if opening >= end:
                break
            total += max(timedelta(), min(closing, end) - max(opening, start))
        return total

    def add_working_time(self, at: datetime, amount: timedelta) -> datetime | None:
        """The first instant by which `amount` of office hours has passed since `at`; None if there is none."""
        at = at.astimezone(UTC)  # the difference of two local times would ignore a change of the clocks
        if amount <= timedelta():
            return at
        for opening, closing in self._openings(at):
            begin = max(opening, at)
            if closing - begin >= amount:
                return begin + amount
            amount -= max(timedelta(), closing - begin)
        return None

    def add_working_days(self, at: datetime, days: int) -> datetime | None:
        """The closing time of the last of `days` working days after the day of `at`; None if there is none.

        After the closing time of a working day, and on a day off, `at` counts as the next working day.
        """
        left = days
        is_first = True
        for day in self._days(at):
            closing = self._closing(day)
            if closing is None or closing <= at:
                continue
            if is_first:
                is_first = False
            else:
                left -= 1
            if left <= 0:
                return closing
        return None

    @cached_property
    def _closed(self) -> frozenset[str]:
        return frozenset(self.calendar.closed)

    @cached_property
    def _working(self) -> frozenset[str]:
        return frozenset(self.calendar.working)

    def _days(self, at: datetime) -> Iterator[date]:
        """The local day of an instant, and the days after it."""
        first = at.astimezone(self.zone).date()
        for number in range(min(_FARTHEST, date.max - first).days):
            yield first + timedelta(days=number)

    def _openings(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The spans of office hours that end after an instant, in order, in UTC."""
        for day in self._days(at):
            for hours in self._hours(day):
                opening, closing = (instant(day, minute, self.zone) for minute in (hours.start, hours.end))
                if closing > max(opening, at):
                    yield opening, closing

    def _hours(self, day: date) -> tuple[Hours, ...]:
        return self.calendar.office_hours[day.weekday()] if self.is_working_day(day) else ()

    def _closing(self, day: date) -> datetime | None:
        hours = self._hours(day)
        return instant(day, hours[-1].end, self.zone) if hours else None


def instant(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """The instant of a local time, in UTC. `minute`: minutes after midnight by the local clock, 0 to 1440."""
    if minute == MINUTES_A_DAY:
        day, minute = day + timedelta(days=1), 0
    return datetime.combine(day, time(*divmod(minute, 60)), tzinfo=zone).astimezone(UTC)


def add_days(at: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The same local time `days` calendar days later, in UTC."""
    return (at.astimezone(zone) + timedelta(days=days)).astimezone(UTC)


@lru_cache(maxsize=256)
def public_holidays(code: str, year: int) -> Mapping[date, str]:
    """The public holidays of a country, or of a part of a country. Raises ValueError for an unknown code."""
    from holidays import country_holidays  # imported here, because cities without a calendar do not need it

    _import_single_countries()
    country, _, part = code.partition("-")
    try:
        return dict(country_holidays(country, subdiv=part or None, years=year))
    except NotImplementedError as error:  # the library raises this for an unknown code
        raise ValueError(f"{code!r} is unknown to the library of public holidays") from error


def _import_single_countries() -> None:
    """Let the library import the module of one country. Its package would import all 250 modules, which need 8 MB.

    Registers the package without running its `__init__`, which only imports names for users' convenience.
    """
    name = "holidays.countries"
    if name not in sys.modules and (spec := find_spec(name)) is not None:
        sys.modules[name] = module_from_spec(spec)


def _clock(minute: int) -> str:
    hour, minute = divmod(minute, 60)
    return f"{hour:02}:{minute:02}"
