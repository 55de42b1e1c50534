"""The interface of a jurisdiction: identity, boundary, catalogue, departments, routing and hooks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from importlib.resources.abc import Traversable
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from shapely import contains_xy, intersects_xy
from shapely.geometry.base import BaseGeometry

from open311.domain import availability
from open311.domain.abuse import AbuseRules
from open311.domain.articles import Article
from open311.domain.assets import AssetLayer
from open311.domain.calendar import Calendar, Moment, WorkingTime
from open311.domain.collection_days import DayBook
from open311.domain.emergencies import Emergency, pattern_of
from open311.domain.ids import format_id
from open311.domain.lexicons import Synonym
from open311.domain.mails import MailRules
from open311.domain.personal_data import Privacy
from open311.domain.places import Place
from open311.domain.requests import RequestRecord
from open311.domain.results import Accepted, Resolution
from open311.domain.retention import Retention
from open311.domain.routing import Draft, Route, Rule, RuleBook, Step, decide, explain
from open311.domain.seasons import Season
from open311.domain.sensors import Sensor, SensorRule
from open311.domain.service_levels import NO_ANSWERS, Answers, LevelRule, Pause, ServiceLevels
from open311.domain.services import Audience, Department, PhotoRule, Service, Translation, Vicinity
from open311.domain.sms import SmsRules
from open311.domain.text import folded
from open311.domain.workflow import CitizenText, CityState
from open311.errors import Invalid, NotFound, Problem
from open311.formats.reading import ColumnMap
from open311.plugins.backends import BackendConfig, Destination
from schemas.texts import tell

API_VERSION = 1
"""Version of this contract. A jurisdiction that was written for another version is not served."""


HOOKS = ("check", "department_for", "resolve")
"""The methods of a jurisdiction that a subclass can override."""
SLIVER = 0.01
"""The part of a small area that may lie in a larger neighbour, because maps are not exact: 1/100."""


def are_neighbours(one: BaseGeometry, other: BaseGeometry) -> bool:
    """Whether two areas overlap by no more than a sliver."""
    return bool(one.intersection(other).area <= SLIVER * min(one.area, other.area))


@dataclass(frozen=True, kw_only=True, eq=False)
class Jurisdiction:
    """One city. Most cities are declared in files (`open311.plugins.declared`). A subclass can override hooks.

    id            the jurisdiction_id on the wire, usually the city's web domain without www (A58)
    languages     BCP 47 tags, the catalogue's own language first
    boundary      polygon in WGS 84 degrees, (long, lat); None if the city accepts every point
    outside       what happens to a request with a point outside the boundary: `refuse` answers 400, `flag` stores
                  and marks the request
    unknown_attributes  what happens to an attribute that was sent or imported, but that the service does not have:
                  `ignore` drops it and says so, `keep` stores it for staff
    areas         polygons by name, like `boundary`; routing rules and searches use the names
    exclude_areas  names of areas that lie in the boundary and do not belong to the city
    area_name     the name of an area of `areas.geojson`, with properties of its feature in braces
    layers        the assets of the city by the name of their layer, such as street lights
    aliases       retired service code -> current service code
    rules         exceptions to the services' own departments; the first rule that fits decides
    calendar      working days and office hours; None if no rule and no service level needs them
    service_levels  by when requests should be done, in addition to the service levels of services and departments
    due_soon_hours  how many hours before its due date an open request is due soon
    triage        code of the department that gets a request if no rule and no service decides
    id_pattern    pattern of the ids that the server makes, with {number}, {year}, {yy}
    states        the city's names for states, and its own states within them
    texts         what citizens read when staff write no text of their own
    comments      who can read comments that do not come from the city's staff: `public` or `staff`
    photos        who can see the photos of requests, for services without a rule of their own
    copy_photos   whether the worker keeps copies of the photos of new reports that another server has
    duplicates    limits for possible duplicates; a service can have its own limits
    retention     how long personal data and photos are kept; a service can have its own times
    credit        the sources of the catalogue's facts
    column_maps   the columns of the city's open data; the server has further maps of its own
    backends      the back ends to which requests can be delivered
    destinations  which requests go to which back ends; without one, the desk here is the back office
    privacy       what happens to personal data in texts that become public
    abuse         what makes a report suspected, so that it is held until a person has looked at it
    emergency     the number to call in an emergency, and the words that sound like one
    mail          which mail the city sends to reporters, followers and departments
    sms           which text messages the city sends to reporters who ask for them
    articles      texts that answer what people ask, including the expired ones
    days          the days of collections, and other lines of text about each day
    left_out      the faults of files that are not used, such as an article that cannot be read
    overrides     whether admins may change texts and questions on the pages for staff; the files do not change
    synonyms      words of people in this city for words of the services, in addition to the usual synonyms
    sensors       the sensors that report by themselves
    sensor_rules  what the sensors report, and how
    source        the folder of the files that declare the city; None for a city without such files
    """

    api_version: ClassVar[int] = API_VERSION

    id: str
    name: str
    time_zone: str
    services: tuple[Service, ...]
    departments: tuple[Department, ...]
    triage: str
    languages: tuple[str, ...] = ("en",)
    contact: str = ""
    boundary: BaseGeometry | None = None
    outside: Literal["refuse", "flag"] = "flag"
    unknown_attributes: Literal["ignore", "keep"] = "ignore"
    areas: Mapping[str, BaseGeometry] = field(default_factory=dict)
    exclude_areas: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    calendar: Calendar | None = None
    service_levels: tuple[LevelRule, ...] = ()
    due_soon_hours: int = 24
    id_pattern: str = "{number}"
    translations: Mapping[str, Translation] = field(default_factory=dict)
    states: tuple[CityState, ...] = ()
    texts: tuple[CitizenText, ...] = ()
    comments: Literal["public", "staff"] = "staff"
    photos: PhotoRule = PhotoRule.PUBLIC
    copy_photos: bool = False
    duplicates: Vicinity = Vicinity()
    retention: Retention = Retention()
    credit: str = ""
    column_maps: tuple[ColumnMap, ...] = ()
    backends: tuple[BackendConfig, ...] = ()
    destinations: tuple[Destination, ...] = ()
    source: Traversable | None = None
    area_name: str = "{name}"
    layers: Mapping[str, AssetLayer] = field(default_factory=dict)
    privacy: Privacy = Privacy()
    abuse: AbuseRules = AbuseRules()
    emergency: Emergency = Emergency()
    mail: MailRules = MailRules()
    sms: SmsRules = SmsRules()
    articles: tuple[Article, ...] = ()
    days: DayBook = DayBook()
    left_out: tuple[str, ...] = ()
    overrides: bool = False
    synonyms: tuple[Synonym, ...] = ()
    sensors: tuple[Sensor, ...] = ()
    sensor_rules: tuple[SensorRule, ...] = ()

    @cached_property
    def zone(self) -> ZoneInfo:
        """The city's time zone, for hours, days, and times that name no zone."""
        return ZoneInfo(self.time_zone)

    @property
    def answers_questions(self) -> bool:
        """Whether the city has articles or tells about its days."""
        return bool(self.articles or self.days.collections or self.days.lines)

    @cached_property
    def _services(self) -> Mapping[str, Service]:
        return {service.code: service for service in self.services}

    @cached_property
    def _departments(self) -> Mapping[str, Department]:
        return {department.code: department for department in self.departments}

    def service(self, code: str) -> Service | None:
        """The service with this code, or the service to which `aliases` leads; None if there is no such service."""
        return self._services.get(code) or self._services.get(self.aliases.get(code, ""))

    def photo_rule(self, code: str) -> PhotoRule:
        """Who may see the photos of requests to a service."""
        service = self.service(code)
        return self.photos if service is None or service.photos is None else service.photos

    def sensor(self, datastream: str) -> Sensor | None:
        """The sensor with this datastream, or None."""
        return self._sensors.get(datastream)

    @cached_property
    def _sensors(self) -> Mapping[str, Sensor]:
        return {sensor.datastream: sensor for sensor in self.sensors}

    def sensor_rules_of(self, sensor: Sensor) -> tuple[SensorRule, ...]:
        """The rules that look at the observations of a sensor."""
        return tuple(rule for rule in self.sensor_rules if rule.code in sensor.rules)

    def texts_in(self, language: str) -> tuple[CitizenText, ...]:
        """The texts for citizens in a language. If it has no texts, the texts in the city's first language."""
        translation = self.translations.get(language)
        return translation.texts if translation and translation.texts else self.texts

    def progress_name(self, record: RequestRecord) -> str:
        """The city's name for the progress of an open request; "" before the work begins."""
        names = self._state_names
        progress, detail = record.progress.value, record.progress_detail
        return names.get((progress, detail)) or names.get((progress, "")) or progress

    @cached_property
    def _state_names(self) -> Mapping[tuple[str, str], str]:
        return {(one.state.value, one.code): one.name for one in self.states}

    def require_service(self, code: str) -> Service:
        """Like `service`. Raises NotFound if there is none, and Invalid for an empty code."""
        if not code:
            raise Invalid(tell("is missing; send one from the service list."), "service_code")
        found = self.service(code)
        if found is None:
            raise self._unknown(code)
        return found

    def translated_notice(self, service: Service, language: str) -> str:
        """The notice of a service in another language; "" if the catalogue does not have it."""
        texts = self.translations.get(language, Translation()).services.get(service.code)
        return texts.notice if texts else ""

    def _unknown(self, code: str) -> NotFound:
        return NotFound(
            tell("{code!r} is not in the service list of {city}.", code=code[:60], city=self.id), "service_code"
        )

    def require_shown(self, code: str) -> Service:
        """Like `require_service`, but raises NotFound also for a service that only staff can report."""
        found = self.require_service(code)
        if found.audience is Audience.STAFF:
            raise self._unknown(code)
        return found

    def require_readable(self, code: str, now: datetime) -> Service:
        """Like `require_offered`, but a service that only staff can report raises NotFound instead of Forbidden."""
        self.require_shown(code)
        found = self.require_offered(code, now, is_staff=True)
        if found.audience is Audience.STAFF:
            raise self._unknown(code)
        return found

    def require_offered(self, code: str, now: datetime, *, is_staff: bool = False) -> Service:
        """The service that gets a request with this code now.

        If the service is replaced and its code is still accepted, the result is the service's successor.

        Raises Invalid for an empty code, NotFound if the service is unknown or not offered now, and Forbidden if
        the caller may not report to it.
        """
        found = availability.current(self.require_service(code), self.service)
        day = self.day(now) if found.season else date.min
        error = availability.refusal(found, day, self.service, is_staff=is_staff)
        if error is not None:
            raise error
        return found

    def is_ordinary(self, service: Service) -> bool:
        """Whether everybody can always report a service, and its answers are stored as the app sends them."""
        return service.code in self._ordinary

    @cached_property
    def _ordinary(self) -> frozenset[str]:
        """Codes of ordinary services, so that a POST to one of them costs no further checks."""
        return frozenset(service.code for service in self.services if availability.is_ordinary(service))

    def listed(self, in_season: tuple[str, ...]) -> tuple[Service, ...]:
        """The services that everybody can report now. `in_season` is the result of the method `in_season`."""
        return tuple(
            service
            for service in self.services
            if availability.is_public(service) and (service.season is None or service.code in in_season)
        )

    def in_season(self, now: datetime) -> tuple[str, ...]:
        """Codes of the public services that have a season and can be reported at `now`."""
        seasonal = self._seasonal
        if not seasonal:
            return ()
        day = self.day(now)
        return tuple(code for code, season in seasonal if season.has(day))

    def seasons_changed_at(self, now: datetime) -> datetime | None:
        """When the season of a public service last began or ended; None if no public service has a season."""
        seasonal = self._seasonal
        if not seasonal:
            return None
        today = self.day(now)
        day = max(season.last_change(today) for _, season in seasonal)
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    @cached_property
    def _seasonal(self) -> tuple[tuple[str, Season], ...]:
        return tuple(
            (service.code, service.season)
            for service in self.services
            if service.season is not None and availability.is_public(service)
        )

    def day(self, now: datetime) -> date:
        """The day in the city at an instant."""
        return now.astimezone(self.zone).date()

    def department(self, code: str) -> Department:
        """The department with this code. Raises KeyError if the catalogue has none."""
        return self._departments[code]

    def covers(self, long: float, lat: float) -> bool:
        """Whether a point, in degrees, belongs to the city: in or on the boundary, and in no excluded area.

        If the city has no boundary, every point outside the excluded areas belongs to the city.
        """
        if self.boundary is not None and not intersects_xy(self.boundary, long, lat):
            return False
        return not any(self.in_area(area, (long, lat)) for area in self.exclude_areas)

    def covers_each(self, points: Sequence[tuple[float, float]]) -> list[bool]:
        """Like `covers`, for many (long, lat) points at once: a call for each point takes much longer."""
        if not points or type(self).covers is not Jurisdiction.covers:
            return [self.covers(*point) for point in points]
        inside = [True] * len(points)
        if self.boundary is not None:
            longs, lats = zip(*points, strict=True)
            inside = intersects_xy(self.boundary, longs, lats).tolist()
        if not self.exclude_areas:
            return inside
        return [is_in and self.covers(*point) for is_in, point in zip(inside, points, strict=True)]

    def offers(self, service: Service, point: tuple[float, float]) -> bool:
        """Whether a service is offered at a (long, lat) point of the city."""
        if service.include_areas and not any(self.in_area(area, point) for area in service.include_areas):
            return False
        return not any(self.in_area(area, point) for area in service.exclude_areas)

    def not_offered_at(self, point: tuple[float, float]) -> tuple[str, ...]:
        """Codes of the services that are not offered at a (long, lat) point of the city."""
        return tuple(service.code for service in self._limited if not self.offers(service, point))

    @cached_property
    def _limited(self) -> tuple[Service, ...]:
        """The services that are not offered in the whole city."""
        return tuple(service for service in self.services if service.include_areas or service.exclude_areas)

    def in_area(self, area: str, point: tuple[float, float]) -> bool:
        """Whether a (long, lat) point belongs to a named area; see `areas_at` for points on an edge."""
        polygon = self.areas[area]
        if not intersects_xy(polygon, *point):
            return False
        return bool(contains_xy(polygon, *point)) or area in self._areas_around(*point)

    def areas_at(self, place: Place) -> tuple[str, ...]:
        """Names of the areas to which a place's point belongs, in the order of `areas`; empty without a point.

        A point on an edge that neighbours share belongs to the first of the neighbours. Areas that overlap are not
        neighbours, so a point can belong to a ward and to a district.
        """
        return self._areas_around(*place.point) if place.point else ()

    def _areas_around(self, long: float, lat: float) -> tuple[str, ...]:
        found: list[str] = []
        for area, polygon in self.areas.items():
            if not intersects_xy(polygon, long, lat):
                continue
            if contains_xy(polygon, long, lat) or not self._has_neighbour(polygon, found):
                found.append(area)
        return tuple(found)

    def _has_neighbour(self, polygon: BaseGeometry, names: list[str]) -> bool:
        return any(are_neighbours(polygon, self.areas[name]) for name in names)

    def vicinity(self, service: Service) -> Vicinity:
        """The limits within which an earlier request of this service counts as a possible duplicate."""
        return self.duplicates if service.duplicates is None else service.duplicates

    def retention_of(self, service_code: str) -> Retention:
        """How long data of requests with this service code are kept, also if the service is retired."""
        service = self.service(service_code)
        return self.retention if service is None else service.retention.or_else(self.retention)

    def explain(self, draft: Draft) -> list[Step]:
        """Every routing rule that was tried, in order. The last rule fits."""
        department = self.department_for(draft)
        if department is not None:
            return [Step(rule="department_for", department=department, fits=True, why="the plugin decided")]
        return explain(draft, self._rule_book, self.triage, self)

    def route(self, draft: Draft) -> Route:
        """The department that gets the request, and the reason."""
        return decide(self.explain(draft))

    def backend(self, name: str) -> BackendConfig | None:
        """The back end with this name, or None."""
        return next((one for one in self.backends if one.name == name), None)

    def backends_for(self, service_code: str, department: str, areas: Collection[str] = ()) -> tuple[str, ...]:
        """The names of the back ends to which a request is sent.

        An empty tuple means that this server's own staff are the back office.
        """
        fitting = [one for one in self.destinations if one.fits(service_code, department, areas)]
        return max(fitting, key=lambda one: one.rank).backends if fitting else ()

    def moment(self, at: datetime) -> Moment:
        """The city's local time at an instant, and what its calendar says about the day."""
        return self._working.moment(at) if self._working else Moment(at.astimezone(self.zone))

    def holiday(self, day: date) -> str:
        """The name of the holiday or closing day; "" for another day, and if the city has no calendar."""
        return self._working.holiday(day) if self._working else ""

    def due(
        self,
        service: str,
        department: str,
        received: datetime,
        paused: Iterable[Pause] = (),
        *,
        answers: Answers = NO_ANSWERS,
    ) -> datetime | None:
        """By when a request should be done; see `ServiceLevels.due`."""
        return self.levels.due(service, department, received, paused, answers=answers)

    @property
    def due_soon(self) -> timedelta:
        """How long before its due date an open request is due soon."""
        return timedelta(hours=self.due_soon_hours)

    @cached_property
    def levels(self) -> ServiceLevels:
        """All service levels: of departments, of services and in `service_levels`."""
        return ServiceLevels(self._level_rules(), self.zone, self._working)

    def _level_rules(self) -> Iterator[LevelRule]:
        for department in self.departments:
            if department.service_level is not None:
                yield LevelRule(level=department.service_level, department=department.code)
        for service in self.services:
            if service.service_level is not None:
                yield LevelRule(level=service.service_level, service=service.code)
        yield from self.service_levels

    def privacy_of(self, service_code: str) -> Privacy:
        """What happens to personal data in the texts of a service's requests."""
        found = self.service(service_code)
        if found is None or found.privacy is None:
            return self._privacy
        return self._privacy.with_treatments(found.privacy)

    @cached_property
    def _privacy(self) -> Privacy:
        """The policy, which leaves alone what the city publishes about itself in its catalogue."""
        services = [text for service in self.services for text in (service.description, service.notice)]
        departments = [department.name for department in self.departments]
        texts = [text.text for text in self.texts]
        translated = [text.text for one in self.translations.values() for text in one.texts]
        return self.privacy.with_own((self.contact, *services, *departments, *texts, *translated))

    def emergency_number(self, texts: Iterable[str]) -> str:
        """The number to call if one of the texts sounds like an emergency, in any of the languages; else ""."""
        if not self.emergency.number or self._emergencies is None:
            return ""
        is_one = any(self._emergencies.search(folded(text)) for text in texts)
        return self.emergency.number if is_one else ""

    @cached_property
    def _emergencies(self) -> re.Pattern[str] | None:
        translated = (word for one in self.translations.values() for word in one.emergency_words)
        return pattern_of((*self.emergency.words, *translated))

    @cached_property
    def _working(self) -> WorkingTime | None:
        return WorkingTime(self.calendar, self.zone) if self.calendar else None

    @cached_property
    def _rule_book(self) -> RuleBook:
        return RuleBook(self.rules)

    def new_id(self, number: int, at: datetime) -> str:
        """The public id for a running number."""
        return format_id(self.id_pattern, number, at)

    # Hooks for rules that tables cannot express. A hook must be a quick, pure function without network access.

    def check(self, draft: Draft) -> list[Problem]:  # noqa: ARG002
        """A problem for each of the city's own rules that a draft breaks. Default: no problems."""
        return []

    def department_for(self, draft: Draft) -> str | None:  # noqa: ARG002
        """The code of the department, or None to let routes and services decide. Default: None."""
        return None

    # Hooks that the worker calls, outside any web request.

    def resolve(self, token: str, draft: Draft) -> Resolution:  # noqa: ARG002
        """The decision about a batch request, by its token. Default: accepted, and the server makes the id."""
        return Accepted()
