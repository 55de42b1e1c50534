"""Days on which something happens in a city: collections by zone, and lines such as whether schools are open.

A collection comes on days of the week, in each week, in each second week, and so on. A holiday can move it. Pure
functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum

A_DAY, A_WEEK = timedelta(days=1), timedelta(weeks=1)
_FARTHEST = timedelta(weeks=5)
"""How far from its usual day a shift can move a collection."""

HolidayOf = Callable[[date], str]
"""A function from a day to the name of its holiday; "" if the day is no holiday."""


class Shift(StrEnum):
    """What a holiday does to collections.

    NONE           nothing: collections come on holidays too
    SKIP           a collection on a holiday does not come
    NEXT_DAY       a collection on a holiday comes on the next day that is neither a holiday nor in `never`
    PREVIOUS_DAY   a collection on a holiday comes on the last earlier day that is neither a holiday nor in `never`
    REST_OF_WEEK   from a holiday to the end of the week (Monday to Sunday), each collection comes a day later for
                   each holiday of the week up to its usual day. Holidays on days in `never` do not count, and no
                   collection is moved to such a day
    """

    NONE = "none"
    SKIP = "skip"
    NEXT_DAY = "next_day"
    PREVIOUS_DAY = "previous_day"
    REST_OF_WEEK = "rest_of_week"


class DayStatus(StrEnum):
    """What happens to something on a day.

    COLLECTED  a collection comes, on its usual day or on another one
    MOVED      a collection that usually comes on this day comes on another one
    CANCELLED  a collection that usually comes on this day does not come
    USUAL      a line has its usual text
    CHANGED    a line has another text
    """

    COLLECTED = "collected"
    MOVED = "moved"
    CANCELLED = "cancelled"
    USUAL = "usual"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """When a collection comes to some zones.

    zones         names of areas of the city; empty if it comes to the whole city
    except_zones  zones to which a round of the whole city does not come
    weekdays      numbers of days of the week; Monday is 0
    first         a day in the first week in which the collection comes; before this day, it does not come
    every_weeks   1: it comes in each week; 2: in each second week; and so on, counted from the week of `first`
    last          the last usual day; None if the round does not end
    shift         what a holiday does
    holidays      the days that count as holidays, written as in `[calendar]`; empty for the city's holidays
    never         numbers of days of the week to which a shift moves no collection
    moved         exceptions: usual day -> the day on which it comes; "" if it does not come
    """

    weekdays: tuple[int, ...]
    first: date
    zones: tuple[str, ...] = ()
    except_zones: tuple[str, ...] = ()
    every_weeks: int = 1
    last: date | None = None
    shift: Shift = Shift.NONE
    holidays: tuple[str, ...] = ()
    never: tuple[int, ...] = (6,)
    moved: Mapping[str, str] = field(default_factory=dict)

    def comes_to(self, zone: str) -> bool:
        """Whether the collection comes to a zone."""
        return zone in self.zones if self.zones else zone not in self.except_zones


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Something that the city collects.

    code  part of the ids of events in calendars, so it never changes
    note  what to put out, and how; "" for nothing
    """

    code: str
    name: str
    rounds: tuple[Round, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Days on which a line has another text: `text`, or, if that is "", the line's `otherwise`.

    `first` and `last` are included.
    """

    first: date
    last: date
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line that each day has, such as whether schools are open.

    usual        the text of a usual day
    otherwise    the text of a holiday and of a break
    weekdays     the days of the week that have the line; empty for each day
    on_holidays  whether a holiday is like any other day
    """

    code: str
    name: str
    usual: str
    otherwise: str
    weekdays: tuple[int, ...] = ()
    on_holidays: bool = False
    breaks: tuple[Break, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBook:
    """All that a city tells about days."""

    collections: tuple[Collection, ...] = ()
    lines: tuple[Line, ...] = ()

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones that have rounds of their own, in the order of the file."""
        rounds = (one for collection in self.collections for one in collection.rounds)
        return tuple(dict.fromkeys(zone for one in rounds for zone in (*one.zones, *one.except_zones)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What happens to a collection or a line on a day.

    zone    the zone to which a collection comes; "" for the whole city, and for lines
    usual   the day on which the collection usually comes; None for a line
    actual  the day on which it comes; None if it does not come, and for a line
    reason  the name of the holiday that has moved or cancelled the collection, or changed the line; "" for none
    text    the text of a line, or the note of a collection
    """

    code: str
    name: str
    status: DayStatus
    zone: str = ""
    usual: date | None = None
    actual: date | None = None
    reason: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day, its holiday ("" for none), and what happens on it."""

    date: date
    holiday: str
    items: tuple[Item, ...]


def days(
    book: DayBook, first: date, last: date, holiday_of: HolidayOf, zones: frozenset[str] | None = None
) -> list[Day]:
    """The days from `first` to `last`, both included.

    zones  only collections that come to one of these zones, or to the whole city; None for all collections
    """
    found: dict[date, list[Item]] = {first + A_DAY * number: [] for number in range((last - first).days + 1)}
    for collection in book.collections:
        for one in collection.rounds:
            for item in _collected(collection, one, first, last, holiday_of, zones):
                for day, status in _statuses(item):
                    if day in found:
                        found[day].append(replace(item, status=status))
    return [
        Day(date=day, holiday=holiday_of(day), items=(*items, *_lines(book, day, holiday_of)))
        for day, items in found.items()
    ]


def _collected(
    collection: Collection,
    one: Round,
    first: date,
    last: date,
    holiday_of: HolidayOf,
    wanted: frozenset[str] | None,
) -> Iterator[Item]:
    """Each collection of a round whose usual or actual day may be from `first` to `last`, in each of its zones."""
    zones = tuple(name for name in one.zones if wanted is None or name in wanted)
    if (one.zones and not zones) or (wanted and not any(map(one.comes_to, wanted))):
        return
    reach = _reach(one)
    for usual in _usual_days(one, first - reach, last + reach):
        actual, reason = _moved(one, usual, holiday_of)
        for name in zones or ("",):
            yield Item(
                code=collection.code,
                name=collection.name,
                status=DayStatus.COLLECTED,
                zone=name,
                usual=usual,
                actual=actual,
                reason=reason,
                text=collection.note,
            )


def _reach(one: Round) -> timedelta:
    """How far from its usual day a collection of a round can be moved, by a shift or by an exception."""
    moves = (abs(date.fromisoformat(day) - date.fromisoformat(usual)) for usual, day in one.moved.items() if day)
    return max((_FARTHEST, *moves))


def _usual_days(one: Round, first: date, last: date) -> Iterator[date]:
    start = one.first - A_DAY * one.first.weekday()
    begin, end = max(first, one.first), min(last, one.last or last)
    week = start + A_WEEK * ((max(0, (begin - start).days) // 7) // one.every_weeks * one.every_weeks)
    while week <= end:
        for number in one.weekdays:
            day = week + A_DAY * number
            if begin <= day <= end:
                yield day
        week += A_WEEK * one.every_weeks


def _moved(one: Round, usual: date, holiday_of: HolidayOf) -> tuple[date | None, str]:
    """The day on which a collection comes, and the holiday that has moved it; None if it does not come."""
    exception = one.moved.get(usual.isoformat())
    if exception is not None:
        return (date.fromisoformat(exception) if exception else None), holiday_of(usual)

    if one.shift is Shift.REST_OF_WEEK:
        return _later_in_week(one, usual, holiday_of)
    if one.shift is Shift.NONE or not _is_off(one, usual, holiday_of):
        return usual, ""
    reason = holiday_of(usual)
    if one.shift is Shift.SKIP:
        return None, reason
    step = A_DAY if one.shift is Shift.NEXT_DAY else -A_DAY
    day = usual + step
    while _is_off(one, day, holiday_of) or day.weekday() in one.never:
        day += step
        if abs(day - usual) >= _FARTHEST:
            return None, reason
    return day, reason


def _later_in_week(one: Round, usual: date, holiday_of: HolidayOf) -> tuple[date | None, str]:
    monday = usual - A_DAY * usual.weekday()
    week = [monday + A_DAY * number for number in range(usual.weekday() + 1)]
    off = [day for day in week if day.weekday() not in one.never and _is_off(one, day, holiday_of)]
    if not off:
        return usual, ""
    day = usual + A_DAY * len(off)
    while day.weekday() in one.never and day - usual < _FARTHEST:
        day += A_DAY
    return day, holiday_of(off[-1])


def _is_off(one: Round, day: date, holiday_of: HolidayOf) -> bool:
    """Whether a day is one of the round's holidays."""
    if not one.holidays:
        return bool(holiday_of(day))
    written = day.isoformat()
    return written in one.holidays or written[5:] in one.holidays


def _statuses(item: Item) -> Iterator[tuple[date, DayStatus]]:
    """The days on which a collection is listed, each with the status that the collection has there."""
    if item.actual is not None:
        yield item.actual, DayStatus.COLLECTED
    if item.usual is not None and item.usual != item.actual:
        yield item.usual, DayStatus.CANCELLED if item.actual is None else DayStatus.MOVED


def _lines(book: DayBook, day: date, holiday_of: HolidayOf) -> Iterator[Item]:
    for line in book.lines:
        if line.weekdays and day.weekday() not in line.weekdays:
            continue
        pause = next((one for one in line.breaks if one.first <= day <= one.last), None)
        reason = "" if line.on_holidays else holiday_of(day)
        is_changed = pause is not None or bool(reason)
        changed = (pause.text if pause else "") or line.otherwise
        yield Item(
            code=line.code,
            name=line.name,
            status=DayStatus.CHANGED if is_changed else DayStatus.USUAL,
            reason=reason,
            text=changed if is_changed else line.usual,
        )
