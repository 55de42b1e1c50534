"""On which days the data of a city are missing, and which months and weeks are therefore missing. Pure functions.

A day without any request can be a quiet day, or a day from which nothing was imported. Its data count as missing if
many requests were to be expected, by the same days of the week before and after.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta

PROOF = 20
"""Days in a row without any request are a gap if at least this many requests were to be expected in total."""
NEAR_WEEKS = 4
"""The number to expect on a day: the mean of this many days of the same weekday before a gap, and as many after."""
MOST_DAYS = 3
"""A month is whole if at most this many of its days are missing, such as holidays."""
MOST_DAYS_OF_WEEK = 1

_DAY = timedelta(days=1)


def missing_days(counts: Mapping[date, int], last: date) -> set[date]:
    """The days without data from the first day with requests to `last`. `counts`: day -> requests of the city."""
    days = sorted(day for day, number in counts.items() if number and day <= last)
    if not days:
        return set()
    missing: set[date] = set()
    for run in _runs(days, last):
        if sum(_usual(counts, day, run, days[0], last) for day in run) >= PROOF:
            missing.update(run)
    return missing


def _runs(days: list[date], last: date) -> Iterator[list[date]]:
    """The days between days with requests, and those after the last of them."""
    for one, other in zip(days, [*days[1:], last + _DAY], strict=True):
        if run := [one + number * _DAY for number in range(1, (other - one).days)]:
            yield run


def _usual(counts: Mapping[date, int], day: date, run: list[date], first: date, last: date) -> float:
    """The number to expect on a day: the mean of the nearest days of the same weekday outside a run."""
    before = day - timedelta(days=7 * ((day - run[0]).days // 7 + 1))
    after = day + timedelta(days=7 * ((run[-1] - day).days // 7 + 1))
    found = [before - timedelta(days=7 * number) for number in range(NEAR_WEEKS)]
    found += [after + timedelta(days=7 * number) for number in range(NEAR_WEEKS)]
    near = [counts.get(one, 0) for one in found if first <= one <= last]
    return sum(near) / len(near) if near else 0.0


def whole_months(counts: Mapping[date, int], last: date) -> set[int]:
    """The numbers of the whole months (`month_of`): over at `last`, and without data on at most MOST_DAYS days."""
    if not counts:
        return set()
    months = range(month_of(min(counts)), month_of(last + _DAY))
    return _whole(counts, last, ((month, _days_of_month(month)) for month in months), MOST_DAYS)


def whole_weeks(counts: Mapping[date, int], last: date) -> set[int]:
    """The numbers of the blocks of seven days (`week_of`) that are whole. The newest one, 0, ends with `last`."""
    if not counts:
        return set()
    weeks = range(week_of(min(counts), last), 1)
    return _whole(counts, last, ((week, _days_of_week(week, last)) for week in weeks), MOST_DAYS_OF_WEEK)


def _whole(
    counts: Mapping[date, int], last: date, periods: Iterable[tuple[int, Iterable[date]]], most: int
) -> set[int]:
    """The periods with at most `most` missing days and at least one request. `periods`: number, days."""
    missing, first = missing_days(counts, last), min(counts)
    found = set()
    for number, days in periods:
        listed = list(days)
        without = sum(day in missing or day < first for day in listed)
        if without <= most and any(counts.get(day) for day in listed):
            found.add(number)
    return found


def month_of(day: date) -> int:
    """The number of a day's month: months since the year 0."""
    return day.year * 12 + day.month - 1


def first_of(month: int) -> date:
    """The first day of a month, by its number."""
    return date(month // 12, month % 12 + 1, 1)


def week_of(day: date, last: date) -> int:
    """The number of a day's block of seven days: 0 for the one that ends with `last`, -1 for the one before."""
    return -((last - day).days // 7)


def _days_of_month(month: int) -> list[date]:
    first = first_of(month)
    return [first + number * _DAY for number in range((first_of(month + 1) - first).days)]


def _days_of_week(week: int, last: date) -> list[date]:
    return [last + timedelta(days=7 * week - number) for number in range(7)]
