"""Notices of a city: what a city tells everybody for a time, about its services or a part of it.

The words for category and severity are those of the Common Alerting Protocol (CAP 1.2, OASIS). All functions are
pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from shapely import MultiPolygon, Polygon, prepare
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from open311.translations import closest
from schemas.limits import MOST_NOTICE_POINTS
from schemas.texts import Message, tell

LONGEST = timedelta(days=366)
"""How long a notice may last. So a notice that staff forget does not stay on the pages for ever."""
MOST_OPEN = 50
"""How many notices of a city may be valid or planned at the same time. Nobody would read more of them."""


class Severity(StrEnum):
    """How serious the subject of the notice is, from the worst."""

    EXTREME = "Extreme"
    SEVERE = "Severe"
    MODERATE = "Moderate"
    MINOR = "Minor"
    UNKNOWN = "Unknown"

    @property
    def is_alarming(self) -> bool:
        """Whether pages show the notice as an alarm."""
        return self in (Severity.EXTREME, Severity.SEVERE)


class Category(StrEnum):
    """What the notice is about."""

    GEO = "Geo"
    MET = "Met"
    SAFETY = "Safety"
    SECURITY = "Security"
    RESCUE = "Rescue"
    FIRE = "Fire"
    HEALTH = "Health"
    ENV = "Env"
    TRANSPORT = "Transport"
    INFRA = "Infra"
    CBRNE = "CBRNE"
    OTHER = "Other"


DEFAULT_CATEGORY, DEFAULT_SEVERITY = Category.OTHER, Severity.UNKNOWN
"""The category and the severity of a notice whose author gives none, on the page or in the shell."""


class NoticeState(StrEnum):
    """Whether a notice is planned, valid or over."""

    PLANNED = "planned"
    CURRENT = "current"
    PAST = "past"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeText:
    """What a notice tells in one language. `language` is a BCP 47 tag."""

    language: str
    headline: str
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class CityNotice:
    """A notice of a city.

    texts          at least one text; the text in the city's first language comes before the others
    service_codes  the services that the notice is about; empty for all
    area           the name of an area of the city; "" for none
    polygon        a GeoJSON Polygon or MultiPolygon; None for none. A notice without area and polygon is about the
                   whole city
    starts_at      from when the public reads the notice
    ends_at        until when the public reads the notice, unless staff end it earlier
    ended_at       when staff ended the notice before `ends_at`; None if they have not
    sent_at        when each message about the notice became public: the first, and one for each change since. A
                   change before the notice begins replaces the message that nobody has read
    version        grows by one with each change
    actor          who changed it last; never shown to the public
    """

    jurisdiction_id: str
    number: int = 0
    version: int = 1
    texts: tuple[NoticeText, ...]
    service_codes: tuple[str, ...] = ()
    area: str = ""
    polygon: Mapping[str, Any] | None = None
    category: Category = DEFAULT_CATEGORY
    severity: Severity = DEFAULT_SEVERITY
    starts_at: datetime
    ends_at: datetime
    ended_at: datetime | None = None
    sent_at: tuple[datetime, ...]
    created_at: datetime
    changed_at: datetime
    actor: str

    @cached_property
    def shape(self) -> BaseGeometry | None:
        """The polygon as a geometry, prepared for many points; None for none. It is made once, for all POSTs."""
        if self.polygon is None:
            return None
        made = shape(self.polygon)
        prepare(made)
        return made

    @property
    def is_about_whole_city(self) -> bool:
        """Whether the notice has neither an area nor a shape."""
        return not self.area and self.polygon is None

    def state(self, now: datetime) -> NoticeState:
        """Where the notice is in its life."""
        if self.ended_at is not None or self.ends_at <= now:
            return NoticeState.PAST
        return NoticeState.PLANNED if now < self.starts_at else NoticeState.CURRENT

    def was_public(self, now: datetime) -> bool:
        """Whether the public has been able to read the notice at some time until now."""
        return self.starts_at <= (now if self.ended_at is None else min(now, self.ended_at))

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of its texts, the city's first language before the others."""
        return tuple(text.language for text in self.texts)

    def headline_in(self, languages: Iterable[str]) -> tuple[str, str]:
        """A language and the headline in it: the first of `languages` that has one, or else the first headline."""
        return self._in(languages, "headline")

    def description_in(self, languages: Iterable[str]) -> tuple[str, str]:
        """A language and the description in it. It may be in another language than the headline."""
        return self._in(languages, "description")

    def _in(self, languages: Iterable[str], field: str) -> tuple[str, str]:
        found = {text.language: getattr(text, field) for text in self.texts if getattr(text, field)}
        tag = next((tag for language in languages if (tag := closest(language, found))), "")
        tag = tag or next(iter(found), self.texts[0].language)
        return tag, found.get(tag, "")


def in_order(notices: Iterable[CityNotice]) -> list[CityNotice]:
    """The notices as readers need them: the worst first, then the newest."""
    worst = list(Severity)
    return sorted(notices, key=lambda one: (worst.index(one.severity), -one.starts_at.timestamp(), -one.number))


def read_polygon(value: Any) -> BaseGeometry:
    """The geometry of a GeoJSON Polygon or MultiPolygon. Raises BadPolygon for anything else."""
    kind, parts = _kind_and_parts(value)
    count = 0
    polygons = []
    for rings in parts:
        if not isinstance(rings, list) or not rings:
            raise BadPolygon(_NO_POLYGON)
        read = []
        for ring in rings:
            count += len(ring) if isinstance(ring, list) else 0
            if count > MOST_NOTICE_POINTS:
                raise BadPolygon(
                    tell("has more than {most} points; send a simpler shape.", most=MOST_NOTICE_POINTS)
                )
            read.append(_ring(ring))
        polygons.append(Polygon(read[0], read[1:]))
    found = polygons[0] if kind == "Polygon" else MultiPolygon(polygons)
    if not found.is_valid or found.area <= 0:
        raise BadPolygon(tell("crosses itself or has no area; correct the shape."))
    return found


class BadPolygon(ValueError):
    """A value that is no polygon. `fault` says why, for the caller."""

    def __init__(self, fault: Message) -> None:
        super().__init__(str(fault))
        self.fault = fault


_FARTHEST = 1e9
"""A coordinate with a larger absolute value is no number here. This also refuses NaN and infinity."""
_NO_POLYGON = tell(
    "is no GeoJSON polygon; send {form}, with longitude before latitude.",
    form='{"type": "Polygon", "coordinates": [[[24.9, 60.1], …]]}',
)


def _kind_and_parts(value: Any) -> tuple[str, list[Any]]:
    kind = value.get("type") if isinstance(value, Mapping) else None
    coordinates = value.get("coordinates") if isinstance(value, Mapping) else None
    if kind not in ("Polygon", "MultiPolygon") or not isinstance(coordinates, list) or not coordinates:
        raise BadPolygon(_NO_POLYGON)
    return kind, [coordinates] if kind == "Polygon" else coordinates


def _ring(ring: Any) -> list[tuple[float, float]]:
    """The points of a ring, closed."""
    if not isinstance(ring, list) or len(ring) < 4:
        raise BadPolygon(tell("has a ring with fewer than 4 points; the last point is the first again."))
    points = [_point(position) for position in ring]
    if points[0] != points[-1]:
        raise BadPolygon(tell("has an open ring; end each ring with its first point."))
    return points


def _point(position: Any) -> tuple[float, float]:
    is_pair = isinstance(position, list) and len(position) in (2, 3) and all(map(_is_number, position))
    if not is_pair:
        raise BadPolygon(_NO_POLYGON)
    long, lat = float(position[0]), float(position[1])
    if abs(long) > 180 or abs(lat) > 90:
        raise BadPolygon(tell("has a point outside the world; send longitude before latitude, in WGS 84 degrees."))
    return long, lat


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _FARTHEST


def sent_after(before: CityNotice, after: CityNotice, now: datetime) -> tuple[datetime, ...]:
    """The times of the messages about a notice that has just changed."""
    return (*before.sent_at, now) if before.was_public(now) else (max(now, after.starts_at),)


def exteriors(found: BaseGeometry | None) -> Sequence[Sequence[tuple[float, float]]]:
    """The outer rings of one or more polygons, as (long, lat) points. CAP has no holes, so they are left out."""
    parts = [] if found is None else getattr(found, "geoms", [found])
    return [[(long, lat) for long, lat, *_ in part.exterior.coords] for part in parts if isinstance(part, Polygon)]
