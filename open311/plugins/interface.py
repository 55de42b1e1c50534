"""The interface of a jurisdiction: identity, boundary, catalogue, departments, routing and hooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from importlib.resources.abc import Traversable
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from shapely import contains_xy, intersects_xy
from shapely.geometry.base import BaseGeometry

from open311.domain import availability
from open311.domain.assets import AssetLayer
from open311.domain.calendar import Calendar, Moment, WorkingTime
from open311.domain.ids import format_id
from open311.domain.places import Place
from open311.domain.requests import RequestRecord
from open311.domain.routing import Draft, Route, Rule, RuleBook, Step, decide, explain
from open311.domain.seasons import Season
from open311.domain.service_levels import NO_ANSWERS, Answers, LevelRule, Pause, ServiceLevels, Standing, standing
from open311.domain.services import Audience, Department, Service, Translation, Vicinity
from open311.domain.workflow import CitizenText, CityState
from open311.errors import Invalid, NotFound, Problem
from open311.formats.reading import ColumnMap
from schemas.texts import tell

API_VERSION = 1
"""Version of this contract. A plugin written for another version is not loaded."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A batch request gets its id: `service_request_id`, or an id that the server makes if this is ""."""

    service_request_id: str = ""


@dataclass(frozen=True, slots=True)
class Pending:
    """A batch request has no id yet. The worker asks again after `retry_after_s` seconds."""

    retry_after_s: int = 60


@dataclass(frozen=True, slots=True)
class Rejected:
    """A batch request will never get an id. Every caller that asks for the token sees `reason` (A13)."""

    reason: str


Resolution = Accepted | Pending | Rejected


HOOKS = ("check", "department_for", "resolve")
"""The methods of a jurisdiction that are there to be overridden."""
SLIVER = 0.01
"""Which part of the smaller of two neighbours may lie in the other, because maps are not drawn exactly."""


def are_neighbours(one: BaseGeometry, other: BaseGeometry) -> bool:
    """Whether two areas overlap by no more than a sliver."""
    return bool(one.intersection(other).area <= SLIVER * min(one.area, other.area))


@dataclass(frozen=True, kw_only=True, eq=False)
class Jurisdiction:
    """One city. Most cities are declared in files (`open311.plugins.declared`). A subclass can override hooks.

    id            the jurisdiction_id on the wire, usually the city's web domain without www (A58)
    languages     BCP 47 tags, the catalogue's own language first
    boundary      polygon in WGS 84 degrees, (long, lat); None if the city accepts every point
    outside       for a request with a point outside the boundary: `refuse` answers 400, `flag` stores and marks it
    unknown_attributes  for an attribute of a POST or of a file that the service does not ask for: `ignore` drops
                  it and says so, `keep` stores it for staff
    areas         polygons by name, like `boundary`; routing rules and searches use the names
    exclude_areas  names of areas that lie in the boundary and do not belong to the city
    area_name     the name of an area of `areas.geojson`, with properties of its feature in braces
    layers        the assets of the city by the name of their layer, such as street lights
    aliases       retired service code -> current service code
    rules         exceptions to the services' own departments; the first rule that fits decides
    calendar      working days and office hours; None if no rule and no service level needs them
    service_levels  by when requests should be done, beside the service levels of services and departments
    due_soon_hours  how many hours before its due date an open request is due soon
    triage        code of the department that gets a request if no rule and no service decides
    id_pattern    pattern of the ids that the server makes, with {number}, {year}, {yy}
    states        the city's names for states, and its own states within them
    texts         what citizens read when staff write no text of their own
    comments      who can read comments that do not come from the city's staff: `public` or `staff`
    duplicates    limits for possible duplicates; a service can have its own limits
    credit        the sources of the catalogue's facts
    column_maps   the columns of the city's open data; the server has further maps of its own
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
    duplicates: Vicinity = Vicinity()
    credit: str = ""
    column_maps: tuple[ColumnMap, ...] = ()
    source: Traversable | None = None
    area_name: str = "{name}"
    layers: Mapping[str, AssetLayer] = field(default_factory=dict)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The city's time zone, for dates that name no zone."""
        return ZoneInfo(self.time_zone)

    @cached_property
    def _services(self) -> Mapping[str, Service]:
        return {service.code: service for service in self.services}

    @cached_property
    def _departments(self) -> Mapping[str, Department]:
        return {department.code: department for department in self.departments}

    def service(self, code: str) -> Service | None:
        """The current service with this code, or the one that `aliases` names for it; None if there is none."""
        return self._services.get(code) or self._services.get(self.aliases.get(code, ""))

    def texts_in(self, language: str) -> tuple[CitizenText, ...]:
        """The texts for citizens in a language; in the first language if there are none in this one."""
        translation = self.translations.get(language)
        return translation.texts if translation and translation.texts else self.texts

    def progress_name(self, record: RequestRecord) -> str:
        """What the city calls the progress of an open request; "" before the work begins."""
        names = {(one.state.value, one.code): one.name for one in self.states}
        progress, detail = record.progress.value, record.progress_detail
        return names.get((progress, detail)) or names.get((progress, "")) or progress

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
        """Like `require_offered`, but raises NotFound also for a service that only staff can report."""
        self.require_shown(code)
        found = self.require_offered(code, now, is_staff=True)
        if found.audience is Audience.STAFF:
            raise self._unknown(code)
        return found

    def require_offered(self, code: str, now: datetime, *, is_staff: bool = False) -> Service:
        """The service to which a request with this code goes now.

        If the service is replaced and its code is still accepted, this is its successor.

        Raises Invalid for an empty code, NotFound if the service is unknown or not offered now, and Forbidden if
        the caller may not report to it.
        """
        found = availability.current(self.require_service(code), self.service)
        day = self._day(now) if found.season else date.min
        error = availability.refusal(found, day, self.service, is_staff=is_staff)
        if error is not None:
            raise error
        return found

    def is_ordinary(self, service: Service) -> bool:
        """Whether a service is offered to everybody at all times, and each answer is just what the app sends."""
        return service.code in self._ordinary

    @cached_property
    def _ordinary(self) -> frozenset[str]:
        """Codes of ordinary services, so that a POST to one of them costs no further checks."""
        return frozenset(service.code for service in self.services if availability.is_ordinary(service))

    def listed(self, in_season: tuple[str, ...]) -> tuple[Service, ...]:
        """The services that everybody can report now; see `in_season`."""
        return tuple(
            service
            for service in self.services
            if availability.is_public(service) and (service.season is None or service.code in in_season)
        )

    def in_season(self, now: datetime) -> tuple[str, ...]:
        """Codes of the services that have a season and are in it at `now`."""
        seasonal = self._seasonal
        if not seasonal:
            return ()
        day = self._day(now)
        return tuple(code for code, season in seasonal if season.has(day))

    def seasons_changed_at(self, now: datetime) -> datetime | None:
        """When a season last began or ended; None if no service has a season."""
        seasonal = self._seasonal
        if not seasonal:
            return None
        today = self._day(now)
        day = max(season.last_change(today) for _, season in seasonal)
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    @cached_property
    def _seasonal(self) -> tuple[tuple[str, Season], ...]:
        return tuple(
            (service.code, service.season)
            for service in self.services
            if service.season is not None and availability.is_public(service)
        )

    def _day(self, now: datetime) -> date:
        return now.astimezone(self.zone).date()

    def department(self, code: str) -> Department:
        """The department with this code. Raises KeyError if the catalogue has none."""
        return self._departments[code]

    def covers(self, long: float, lat: float) -> bool:
        """Whether a point, in degrees, belongs to the city: in or on the boundary, and in no excluded area.

        Without a boundary, each point outside of the excluded areas does.
        """
        if self.boundary is not None and not intersects_xy(self.boundary, long, lat):
            return False
        return not any(self.in_area(area, (long, lat)) for area in self.exclude_areas)

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

        A point on an edge that neighbours share belongs to the first of them. Areas that overlap are no neighbours:
        a ward and a district can both have the point.
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

    def explain(self, draft: Draft) -> list[Step]:
        """Every routing rule that was tried, in order. The last one fits."""
        department = self.department_for(draft)
        if department is not None:
            return [Step(rule="department_for", department=department, fits=True, why="the plugin decided")]
        return explain(draft, self._rule_book, self.triage, self)

    def route(self, draft: Draft) -> Route:
        """The department that gets the request, and the reason."""
        return decide(self.explain(draft))

    def moment(self, at: datetime) -> Moment:
        """The city's local time at an instant, and what its calendar says about the day."""
        return self._working.moment(at) if self._working else Moment(at.astimezone(self.zone))

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

    def standing(
        self, due: datetime | None, now: datetime, *, closed_at: datetime | None = None
    ) -> Standing | None:
        """Whether a request is on time, due soon or overdue; None without a due date.

        closed_at  when the request was closed; None for an open one
        """
        return standing(due, now, soon=timedelta(hours=self.due_soon_hours), closed_at=closed_at)

    @cached_property
    def levels(self) -> ServiceLevels:
        """All service levels: those of departments, of services and of `service_levels`."""
        return ServiceLevels(self._level_rules(), self.zone, self._working)

    def _level_rules(self) -> Iterator[LevelRule]:
        for department in self.departments:
            if department.service_level is not None:
                yield LevelRule(level=department.service_level, department=department.code)
        for service in self.services:
            if service.service_level is not None:
                yield LevelRule(level=service.service_level, service=service.code)
        yield from self.service_levels

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
        """Ask the back office about a batch request. Default: accepted, and the server makes the id."""
        return Accepted()
