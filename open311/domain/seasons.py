"""The part of each year in which a service can be reported."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)

MonthDay = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Season:
    """The days from `first` to `last` of each year, both included. `first` and `last` are (month, day).

    If `last` is before `first`, the season includes New Year. 29 February is a valid day in every year.
    """

    first: MonthDay
    last: MonthDay

    def has(self, day: date) -> bool:
        """Whether a day is in the season."""
        today = (day.month, day.day)
        if self.first <= self.last:
            return self.first <= today <= self.last
        return today >= self.first or today <= self.last

    def last_change(self, day: date) -> date:
        """The latest day, `day` included, on which a season began or which was the first day after a season."""
        years = (day.year - 1, day.year)
        changes = [change for year in years for change in (_day(year, self.first), _day_after(year, self.last))]
        return max(change for change in changes if change <= day)

    def __str__(self) -> str:
        return f"{_words(self.first)} to {_words(self.last)}"


def read_month_day(text: str) -> MonthDay:
    """The month and the day of a text such as `04-01`. Raises ValueError if there is no such day."""
    day = date.fromisoformat(f"2024-{text}")  # a leap year
    if len(text) != 5:
        raise ValueError(text)
    return day.month, day.day


def _day(year: int, month_day: MonthDay) -> date:
    """The date of a month and day in a year; 1 March for 29 February in a year that has no such day."""
    try:
        return date(year, *month_day)
    except ValueError:
        return date(year, 3, 1)


def _day_after(year: int, month_day: MonthDay) -> date:
    try:
        return date(year, *month_day) + timedelta(days=1)
    except ValueError:
        return date(year, 3, 1)


def _words(month_day: MonthDay) -> str:
    return f"{month_day[1]} {_MONTHS[month_day[0] - 1]}"
