"""Two formats besides the documents that the schemas define: RSS 2.0 for 311 Today of Inquiry v1, and iCalendar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum

from open311.formats.documents import DECLARATION, XML, Format
from open311.formats.markup import escaped


class InquiryFormat(StrEnum):
    """A format, by its suffix."""

    RSS = "rss"
    ICS = "ics"

    @property
    def media_type(self) -> str:
        """The value of Content-Type."""
        return f"{'application/rss+xml' if self is InquiryFormat.RSS else 'text/calendar'}; charset=utf-8"

    @property
    def error_format(self) -> Format:
        """The format of error answers."""
        return XML


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedDay:
    """A day of the feed 311 Today. `lines` are plain texts."""

    date: date
    title: str
    lines: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TodayFeed:
    """The feed 311 Today.

    published  the time of publication of all items, which is not the day that an item is about
    """

    title: str
    link: str
    own: str
    language: str
    published: datetime
    days: Sequence[FeedDay]


def write_today(feed: TodayFeed) -> bytes:
    """RSS 2.0 with `content:encoded` and `dc:coverage`, as Inquiry v1 describes it."""
    return "".join((DECLARATION, *_feed(feed))).encode()


def _feed(feed: TodayFeed) -> Iterator[str]:
    published = format_datetime(feed.published, usegmt=True)
    yield '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"'
    yield ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom"><channel>'
    yield f"<title>{escaped(feed.title)}</title><link>{escaped(feed.link)}</link>"
    yield f"<description>{escaped(feed.title)}</description><language>{feed.language}</language>"
    own = escaped(feed.own).replace('"', "&quot;")
    yield f'<atom:link href="{own}" rel="self" type="application/rss+xml"/>'
    for day in feed.days:
        content = "".join(f"<p>{escaped(line)}</p>" for line in day.lines)
        yield f"<item><title>{escaped(day.title)}</title><pubDate>{published}</pubDate>"
        yield f'<guid isPermaLink="false">{day.date:%Y%m%d}</guid>'
        yield f"<content:encoded>{escaped(content)}</content:encoded>"
        yield f"<dc:coverage>{day.date}</dc:coverage></item>"
    yield "</channel></rss>"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEvent:
    """A whole day in a calendar. `uid` stays the same if the day changes."""

    uid: str
    date: date
    title: str
    text: str


def write_calendar(name: str, zone: str, stamp: datetime, events: Iterable[FileEvent]) -> bytes:
    """An iCalendar (RFC 5545) of whole days.

    zone   IANA name of the time zone
    stamp  the time of DTSTAMP, which must not differ between two copies of the same data
    """
    from icalendar import Calendar, Event  # imported here, because only few calls need it

    calendar = Calendar()
    calendar.add("prodid", "-//open311-server//collection days//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", name)
    calendar.add("name", name)
    calendar.add("x-wr-timezone", zone)
    calendar.add("refresh-interval", timedelta(days=1), parameters={"VALUE": "DURATION"})
    for one in events:
        event = Event()
        event.add("uid", one.uid)
        event.add("dtstamp", stamp)
        event.add("dtstart", one.date)
        event.add("dtend", one.date + timedelta(days=1))
        event.add("summary", one.title)
        if one.text:
            event.add("description", one.text)
        event.add("transp", "TRANSPARENT")
        calendar.add_component(event)
    return bytes(calendar.to_ical())
