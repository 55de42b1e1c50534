"""The days of a city: zones, the calendar in JSON, XML and iCalendar, and the feed 311 Today (Y9 to Y13)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote, urlencode

from babel.dates import format_date

from open311.domain.calendar import instant
from open311.formats import document, shape_of
from open311.formats.writing import FeedDay, FileEvent, InquiryFormat, TodayFeed, write_calendar, write_today
from open311.operations.inquiry.days import (
    Day,
    collected,
    days_of_feed,
    days_of_file,
    details,
    find_zones,
    read_days,
    read_span,
    wanted_zones,
)
from open311.translations import in_language
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call
from open311.web.endpoints import Media, endpoint
from open311.web.inquiry.keeping import kept_until_midnight
from open311.web.languages import caller_language, content_language
from open311.web.links import own_url
from open311.web.portal.rendering import city_path, formats_of
from open311.web.surfaces import INQUIRY
from schemas.inquiry import (
    CalendarArguments,
    CalendarFileArguments,
    DaySchema,
    InquiryArguments,
    ZoneArguments,
    ZoneSchema,
)
from schemas.texts import tell

_DAYS, _ZONES = shape_of(DaySchema), shape_of(ZoneSchema)
_TEXT = {"type": "string"}
_SHOWN: dict[str, Any] = {"access": ANYBODY, "is_extension": True, "headers": ("Content-Language",)}


@dataclass(frozen=True, slots=True)
class _Zone:
    """A zone as the list shows it."""

    name: str
    collections: Sequence[str]
    calendar_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """What happens to a collection or a line on a day."""

    code: str
    name: str
    status: str
    details: str
    zone: str
    usual_date: str
    actual_date: str


@dataclass(frozen=True, slots=True)
class _Day:
    """A day with its items."""

    date: str
    holiday: str
    items: Sequence[_Item]


@endpoint(INQUIRY, "/zones", answers=ZoneSchema, reads=ZoneArguments, **_SHOWN)
def list_zones(call: Call) -> Answer:
    """List the zones that have collection days of their own (extension).

    With lat and long, only zones that contain the point. The list may be empty.
    """
    found = find_zones(call.city, call.point, call.languages)
    zones = [_Zone(one.name, one.collections, calendar_address(call, one.name)) for one in found]
    return _answer(call, document(_ZONES, _ZONES.plain_list(zones), call.output))


@endpoint(INQUIRY, "/calendar", answers=DaySchema, reads=CalendarArguments, **_SHOWN)
def get_calendar(call: Call) -> Answer:
    """Show what happens on each day: collections, what a holiday moves, and lines such as schools (extension).

    With zone, or with lat and long, only collections that come there. At most 90 days.
    """
    values = call.values
    zones = wanted_zones(call.city, values["zone"], call.point)
    first, last = read_span(values["fromdate"] or "", values["todate"] or "", call.city.day(call.now))
    found = read_days(call.city, first, last, zones, call.languages)
    language = caller_language(call.request, call.city.languages)
    days = [_Day(one.date.isoformat(), one.holiday, list(_items(one, language))) for one in found]
    return _answer(call, document(_DAYS, _DAYS.plain_list(days), call.output))


@endpoint(
    INQUIRY,
    "/calendar.ics",
    answers=Media("text/calendar", _TEXT),
    output=InquiryFormat.ICS,
    reads=CalendarFileArguments,
    **_SHOWN,
)
def get_calendar_file(call: Call) -> Answer:
    """The collections from 14 days ago to 366 days ahead as a calendar for phones, iCalendar (RFC 5545; extension).

    A collection that a holiday moves keeps its UID, so that phones move it too.
    """
    city, values = call.city, call.values
    zones = wanted_zones(city, values["zone"], call.point)
    languages = call.languages
    language = content_language(city, languages)
    name = city.name if zones is None else ", ".join((city.name, *sorted(zones)))
    events = list(_events(call, days_of_file(city, call.now, zones, languages), language, zones))
    body = write_calendar(name, city.time_zone, instant(city.day(call.now), 0, city.zone), events)
    return _answer(call, body)


@endpoint(
    INQUIRY,
    "/311TodayContent.rss",
    answers=Media("application/rss+xml", _TEXT),
    output=InquiryFormat.RSS,
    reads=InquiryArguments,
    **_SHOWN,
)
def get_today(call: Call) -> Answer:
    """The feed 311 Today: what happens on 39 days, from 7 days ago to 31 days ahead (Inquiry v1)."""
    city, languages = call.city, call.languages
    language = content_language(city, languages)
    name = in_language(tell("{city} 311 Today", city=city.name), language)
    feed = TodayFeed(
        title=name,
        link=city_path(call.own_address(), city.id),
        own=own_url(call),
        language=language,
        published=instant(city.day(call.now), 0, city.zone),
        days=[
            FeedDay(
                date=day.date,
                title=in_language(
                    tell("{city} 311 Today for {day}", city=city.name, day=_written(day.date, language)), language
                ),
                lines=list(_lines(day, language)),
            )
            for day in days_of_feed(city, call.now, languages)
        ],
    )
    return _answer(call, write_today(feed))


def calendar_address(call: Call, zone: str) -> str:
    """The address of the calendar for phones: of a zone, or of the whole city if `zone` is ""."""
    pairs = {"jurisdiction_id": call.city.id} | ({"zone": zone} if zone else {})
    return f"{call.own_address()}{INQUIRY.prefix}/calendar.ics?{urlencode(pairs, quote_via=quote)}"


def _items(day: Day, language: str) -> Iterator[_Item]:
    for item in day.items:
        yield _Item(
            code=item.code,
            name=item.name,
            status=item.status.value,
            details=in_language(details(item), language),
            zone=item.zone,
            usual_date=item.usual.isoformat() if item.usual else "",
            actual_date=item.actual.isoformat() if item.actual else "",
        )


def _lines(day: Day, language: str) -> Iterator[str]:
    """The lines of a day in the feed. If a line is the same for several zones, it comes once and names them."""
    if day.holiday:
        yield day.holiday
    shared: dict[tuple[str, str], list[str]] = {}
    for item in day.items:
        if item.usual is None:
            yield item.text
        else:
            shared.setdefault((item.name, in_language(details(item), language)), []).append(item.zone)
    for (name, text), zones in shared.items():
        where = f" ({', '.join(filter(None, zones))})" if any(zones) else ""
        yield f"{name}{where}" + (f": {text}" if text else "")


def _events(call: Call, days: Iterable[Day], language: str, zones: frozenset[str] | None) -> Iterator[FileEvent]:
    for day, item in collected(list(days)):
        usual = item.usual or day
        part = quote(item.zone, safe="") if item.zone else "all"
        has_zone = item.zone and (zones is None or len(zones) > 1)
        texts = [in_language(details(item), language), item.text] if usual != day else [item.text]
        yield FileEvent(
            uid=f"{usual:%Y%m%d}-{item.code}-{part}@{call.city.id}",
            date=day,
            title=f"{item.name} ({item.zone})" if has_zone else item.name,
            text="\n".join(filter(None, texts)),
        )


def _written(day: date, language: str) -> str:
    return format_date(day, "full", locale=formats_of(language))


def _answer(call: Call, body: bytes) -> Answer:
    return Answer(
        body=body,
        language=content_language(call.city, call.languages),
        cache_control=kept_until_midnight(call),
    )
