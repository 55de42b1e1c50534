"""Trying the forecasts on counts from a file: how near they would have been, compared with simple guesses."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from open311.domain.forecasts import MONTHS, Method, Past, Reason, Series, Tested, forecasts, guesses, try_on_past
from open311.domain.gaps import month_of, whole_months
from open311.errors import Invalid

AHEAD = (1, 3, 6)
_MONTH = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2})(?:[T ].*)?)?")
_LEAST_YEAR, _MOST_YEAR = 1900, 2200


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """How a method did, and whether the server would choose it now.

    reason  why the forecast of the chosen method is not published; NONE if it is
    """

    ahead: int
    method: Method
    tested: Tested
    is_chosen: bool
    reason: Reason


def read_counts(lines: Iterable[str]) -> Series:
    """The requests of each month, by the numbers of gaps.month_of. Raises Invalid at the first faulty line.

    lines  CSV with a header; the first column is a month or a day, the second the number of requests
    A month without a line is missing; it does not count as 0. If the file has days, months that are not whole are
    left out.
    """
    by_month: Counter[int] = Counter()
    by_day: Counter[date] = Counter()
    for number, row in enumerate(csv.reader(lines), start=1):
        if number == 1 or not "".join(row).strip():
            continue
        place = f"line {number}"
        month, day = _read_month(row, place)
        count = row[1].strip() if len(row) > 1 else ""
        if not count.isascii() or not count.isdecimal() or len(count) > 12:
            raise Invalid("the second column must be a whole number of requests, 0 or more.", place)
        if day is None:
            if month in by_month:
                raise Invalid("the month was on an earlier line; each month has one line.", place)
            by_month[month] = int(count)
        else:
            by_day[day] += int(count)
    if by_month and by_day:
        raise Invalid("some lines have a month and others a day; send one kind.", "FILE")
    if by_day:
        months = whole_months(by_day, max(by_day))
        for day, number in by_day.items():
            if (month := month_of(day)) in months:
                by_month[month] += number
    return by_month


def _read_month(row: list[str], place: str) -> tuple[int, date | None]:
    """The month of a row, and its day if it has one."""
    found = _MONTH.fullmatch(row[0].strip())
    fault = Invalid("the first column must be a month such as 2026-03, or a day such as 2026-03-31.", place)
    if found is None:
        raise fault
    year, month, day = (int(part) if part else None for part in found.groups())
    assert year is not None
    assert month is not None
    if not _LEAST_YEAR <= year <= _MOST_YEAR:
        raise fault
    try:
        first = date(year, month, day or 1)
    except ValueError:
        raise fault from None
    return month_of(first), first if day else None


def read_month(text: str, name: str) -> int:
    """The number of a month such as 2026-03. Raises Invalid, which names the option `name`."""
    try:
        month, day = _read_month([text], name)
    except Invalid:
        day, month = date.min, 0
    if day is not None:
        raise Invalid(f"{text[:20]!r} is not a month; send one such as 2026-03.", name)
    return month


def try_methods(series: Series, *, first: int | None = None, last: int | None = None) -> Iterator[Try]:
    """Try each method on the months from `first` to `last`. Later months are not used at all.

    Raises Invalid if no month is left.
    """
    known = {month: number for month, number in series.items() if last is None or month <= last}
    if not known:
        raise Invalid("has no month with a number, or none before --last.", "FILE")
    newest = max(known) if last is None else last
    past = Past(known, MONTHS)
    chosen = {one.ahead: one for one in forecasts(known, MONTHS, newest)}
    for ahead in AHEAD:
        for method in Method:
            tested, _ = try_on_past(past, guesses(past, method, ahead), ahead, newest, first=first)
            yield Try(
                ahead=ahead,
                method=method,
                tested=tested,
                is_chosen=chosen[ahead].method is method,
                reason=chosen[ahead].reason,
            )
