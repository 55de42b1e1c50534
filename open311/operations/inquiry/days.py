"""The days of a city: what is collected where, and other lines. All days are those of the city's time zone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from open311.domain.collection_days import Day as Day
from open311.domain.collection_days import DayBook, DayStatus, Item, days
from open311.domain.places import Place
from open311.domain.text_search import Texts, TextSearch
from open311.errors import Invalid, NotFound, Problem
from open311.plugins import Jurisdiction
from open311.translations import in_language
from schemas.texts import Message, tell

LONGEST_DAYS, USUAL_DAYS = 90, 14
TODAY_BEFORE, TODAY_AFTER = 7, 31
"""The feed 311 Today begins this many days before today and ends this many days after it (Inquiry v1)."""
ELSEWHERE = "elsewhere"
"""Names the parts of the city that belong to no zone."""
USUAL_WORDS = tell("rubbish garbage trash refuse recycling waste collection pick-up")
"""Words of people who want to know the collection days. A translation has the usual words of its language."""
FILE_BEFORE, FILE_AFTER = 14, 366
"""A calendar for phones begins this many days before today and ends this many days after it."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone with collections of its own, and their names."""

    name: str
    collections: tuple[str, ...]


def find_zones(city: Jurisdiction, point: tuple[float, float] | None, languages: tuple[str, ...]) -> list[Zone]:
    """The zones of a city, or those that contain a (long, lat) point in degrees."""
    book = _translated(city, languages)
    wanted = book.zones if point is None else zones_at(city, point)
    return [
        Zone(name, tuple(one.name for one in book.collections if any(part.comes_to(name) for part in one.rounds)))
        for name in wanted
    ]


def is_asked_for(city: Jurisdiction, words: str, languages: tuple[str, ...]) -> bool:
    """Whether somebody who searches for some words may want to know the collection days.

    languages  those of the reader; the city's first language always counts too
    """
    spoken = tuple(dict.fromkeys((*languages, city.languages[0])))
    names = " ".join(one.name for book in (city.days, _translated(city, languages)) for one in book.collections)
    usual = {one: Texts(name=names, keywords=in_language(USUAL_WORDS, one)) for one in spoken}
    return bool(names and TextSearch([usual]).find(words))


def zones_at(city: Jurisdiction, point: tuple[float, float]) -> tuple[str, ...]:
    """Names of the zones that contain a (long, lat) point, found in the same way as the areas of a request."""
    long, lat = point
    zones = city.days.zones
    return tuple(area for area in city.areas_at(Place(lat=lat, long=long)) if area in zones)


def wanted_zones(city: Jurisdiction, zone: str | None, point: tuple[float, float] | None) -> frozenset[str] | None:
    """The zones that a call is about: empty for the parts of the city that are in no zone, None for all.

    Raises NotFound if there is no such zone, or if nothing is collected at the point: no zone has it, and no
    collection of the whole city comes there. Raises Invalid for a zone together with a point.
    """
    if zone and point is not None:
        raise Invalid(tell("cannot be combined with a point; send only one of them."), "zone")
    if zone in city.days.zones:
        return frozenset((zone,))
    if zone == ELSEWHERE:
        return frozenset()
    if zone:
        raise NotFound(tell("{zone!r} is not a zone here; the call `zones` lists them.", zone=zone[:60]), "zone")
    if point is None:
        return None
    found = zones_at(city, point)
    if not found and not (city.covers(*point) and _has_whole_city(city.days)):
        raise NotFound(tell("no zone has this point; the call `zones` lists them."), "lat")
    return frozenset(found)


def read_span(first: str, last: str, today: date) -> tuple[date, date]:
    """The first and the last day of a call. Raises Invalid, which names each fault."""
    problems: list[Problem] = []
    start = _read_day("fromdate", first, problems) if first else today
    end = _read_day("todate", last, problems) if last else (start or today) + timedelta(days=USUAL_DAYS - 1)
    if start is None or end is None:
        raise Invalid.of(problems)
    if end < start:
        raise Invalid(tell("is before fromdate; send a later day."), "todate")
    if (end - start).days >= LONGEST_DAYS:
        raise Invalid(
            tell("is more than {most} days after fromdate; send an earlier day.", most=LONGEST_DAYS - 1), "todate"
        )
    return start, end


def read_days(
    city: Jurisdiction, first: date, last: date, zones: frozenset[str] | None, languages: tuple[str, ...]
) -> list[Day]:
    """The days from `first` to `last`, both included, with their items in the first language that has the texts."""
    return days(_translated(city, languages), first, last, city.holiday, zones)


def days_of_feed(city: Jurisdiction, now: datetime, languages: tuple[str, ...]) -> list[Day]:
    """The 39 days of the feed 311 Today, in order."""
    today = city.day(now)
    first, last = today - timedelta(days=TODAY_BEFORE), today + timedelta(days=TODAY_AFTER)
    return read_days(city, first, last, None, languages)


def days_of_file(
    city: Jurisdiction, now: datetime, zones: frozenset[str] | None, languages: tuple[str, ...]
) -> list[Day]:
    """The days of a calendar for phones, from FILE_BEFORE days ago to FILE_AFTER days ahead."""
    today = city.day(now)
    first, last = today - timedelta(days=FILE_BEFORE), today + timedelta(days=FILE_AFTER)
    return read_days(city, first, last, zones, languages)


def details(item: Item) -> Message | str:
    """What people read about an item.

    This is the text of a line, or the note of a collection on its usual day. For a collection that is moved or
    cancelled, it is a sentence that says so, with the reason if there is one.
    """
    if item.usual is None or item.usual == item.actual:
        return item.text
    reason, usual, actual = item.reason, item.usual.isoformat(), item.actual.isoformat() if item.actual else ""
    if item.status is DayStatus.CANCELLED:
        return tell("No collection: {reason}.", reason=reason) if reason else tell("No collection.")
    if item.status is DayStatus.MOVED:
        if reason:
            return tell("Collected on {day} instead: {reason}.", day=actual, reason=reason)
        return tell("Collected on {day} instead.", day=actual)
    if reason:
        return tell("Instead of {day}: {reason}.", day=usual, reason=reason)
    return tell("Instead of {day}.", day=usual)


def collected(found: list[Day]) -> Iterator[tuple[date, Item]]:
    """The collections of some days, each with the day on which it comes."""
    for day in found:
        for item in day.items:
            if item.status is DayStatus.COLLECTED:
                yield day.date, item


def _has_whole_city(book: DayBook) -> bool:
    return any(not one.zones for collection in book.collections for one in collection.rounds)


def _read_day(name: str, text: str, problems: list[Problem]) -> date | None:
    try:
        day = date.fromisoformat(text)
        if day.isoformat() == text and date(1970, 1, 1) <= day <= date(2999, 12, 31):
            return day
    except ValueError:
        pass
    problems.append(Problem(name, tell("{value!r} is not a day; send it as 2026-12-24.", value=text[:60])))
    return None


def _translated(city: Jurisdiction, languages: tuple[str, ...]) -> DayBook:
    """The city's days. Each text is in the first of the languages that has it."""
    known = [city.translations[language].words for language in languages if language in city.translations]
    if not known:
        return city.days

    def told(text: str) -> str:
        return next((words[text] for words in known if text in words), text)

    return _with_texts(city.days, told)


def _with_texts(book: DayBook, told: Callable[[str], str]) -> DayBook:
    return DayBook(
        collections=tuple(replace(one, name=told(one.name), note=told(one.note)) for one in book.collections),
        lines=tuple(
            replace(
                line,
                name=told(line.name),
                usual=told(line.usual),
                otherwise=told(line.otherwise),
                breaks=tuple(replace(one, text=told(one.text)) for one in line.breaks),
            )
            for line in book.lines
        ),
    )
