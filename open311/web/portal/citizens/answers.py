"""Answers to what people ask: the city's articles, a search over them, and the page with collection days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from open311.domain.articles import Action, Article
from open311.domain.collection_days import DayStatus, Item
from open311.operations.inquiry.articles import (
    articles_for,
    by_topic,
    current_articles,
    find_article,
    related_to,
    search_articles,
)
from open311.operations.inquiry.days import (
    ELSEWHERE,
    Day,
    find_zones,
    is_asked_for,
    read_days,
    wanted_zones,
    zones_at,
)
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.inquiry.days import calendar_address
from open311.web.inquiry.keeping import kept_until_midnight
from open311.web.portal.rendering import Frame, page
from open311.web.surfaces import INQUIRY, PORTAL
from schemas.portal import AnswersArguments, CollectionArguments, PageArguments

MOST_FOUND, MOST_BESIDE = 20, 3
"""How many articles a search shows on the page of articles, and how many are shown beside services."""
SHOWN_DAYS = 42


@dataclass(frozen=True, slots=True)
class ShownAction:
    """An action. Its address is "" if the action is only a text."""

    label: str
    address: str


@dataclass(frozen=True, slots=True)
class Pickup:
    """A collection on the page: a day, and what happens to the collection on that day."""

    day: date
    item: Item

    @property
    def is_moved(self) -> bool:
        """Whether the collection comes on another day than usual."""
        return self.item.status is DayStatus.COLLECTED and self.item.usual != self.item.actual

    @property
    def is_off(self) -> bool:
        """Whether the collection usually comes on the day, and does not come this time."""
        return self.item.status in (DayStatus.MOVED, DayStatus.CANCELLED)


@endpoint(
    PORTAL,
    "/<jurisdiction_id>/answers",
    reads=AnswersArguments,
    access=ANYBODY,
    city=City.IN_PATH,
    output=PageFormat.HTML,
)
def answers_page(call: Call) -> Answer:
    """The articles that fit the words of a search. Without words, or if none fits, all articles by topic."""
    words, frame = call.values["q"].strip(), Frame(call.request, call.city)
    languages = frame.catalogue_languages
    found = search_articles(call.platform, call.city, words, call.now, languages, MOST_FOUND) if words else []
    groups = [] if found else by_topic(current_articles(call.city, call.now, languages))
    return page(
        call,
        "answers.html",
        cache_control=kept_until_midnight(call),
        words=words,
        found=found,
        groups=groups,
    )


@endpoint(
    PORTAL,
    "/<jurisdiction_id>/answers/<article>",
    reads=PageArguments,
    access=ANYBODY,
    city=City.IN_PATH,
    output=PageFormat.HTML,
)
def answer_page(call: Call, article: str) -> Answer:
    """One article: its text, what the reader can do next, and what belongs to it."""
    frame = Frame(call.request, call.city)
    languages = frame.catalogue_languages
    found = find_article(call.city, article, call.now, languages)
    return page(
        call,
        "answer.html",
        cache_control=kept_until_midnight(call),
        article=found,
        body=Markup(found.html),  # noqa: S704  # made of Markdown without HTML
        actions=[ShownAction(one.label, _address(frame, one)) for one in found.actions],
        related=related_to(call.city, found, call.now, languages),
        last_day=found.expires and found.expires - timedelta(days=1),
    )


@endpoint(
    PORTAL,
    "/<jurisdiction_id>/collection",
    reads=CollectionArguments,
    access=ANYBODY,
    city=City.IN_PATH,
    output=PageFormat.HTML,
)
def collection_page(call: Call) -> Answer:
    """The next collection days of a zone, and a calendar for phones."""
    city, frame = call.city, Frame(call.request, call.city)
    languages = frame.catalogue_languages
    zone, today = _zone(call), city.day(call.now)
    zones = find_zones(city, None, languages)
    is_chosen = bool(zone) or not zones
    wanted = wanted_zones(city, zone, None)
    days = read_days(city, today, today + timedelta(days=SHOWN_DAYS - 1), wanted, languages)
    return page(
        call,
        "collection.html",
        cache_control=kept_until_midnight(call),
        zones=[one.name for one in zones],
        elsewhere=ELSEWHERE,
        zone=zone,
        is_chosen=is_chosen,
        today=days[0],
        pickups=_pickups(days) if is_chosen else [],
        calendar=calendar_address(call, zone),
        feed=frame.api(f"{INQUIRY.prefix}/311TodayContent.rss", locale=frame.locale),
        has_collections=bool(city.days.collections),
    )


def articles_beside(call: Call, frame: Frame, words: str) -> list[Article]:
    """The articles that fit words with which somebody searches for a service."""
    return search_articles(call.platform, call.city, words, call.now, frame.catalogue_languages, MOST_BESIDE)


def asks_for_days(call: Call, frame: Frame, words: str) -> bool:
    """Whether the collection days may answer what somebody searches for."""
    return is_asked_for(call.city, words, frame.catalogue_languages)


def articles_about(call: Call, frame: Frame, service_code: str) -> list[Article]:
    """The articles about a service, for somebody who is about to report to it."""
    return articles_for(call.city, service_code, call.now, frame.catalogue_languages)[:MOST_BESIDE]


def _zone(call: Call) -> str:
    """The zone that the reader has chosen, by its name or by a point; "" for none."""
    if call.point is None:
        return str(call.values["zone"])
    found = zones_at(call.city, call.point)
    return found[0] if found else ELSEWHERE


def _pickups(days: list[Day]) -> list[Pickup]:
    return [Pickup(day.date, item) for day in days for item in day.items if item.usual is not None]


def _address(frame: Frame, action: Action) -> str:
    return frame.link("report", service_code=action.service_code) if action.service_code else action.url
