"""What a jurisdiction is to the server: identity, place, catalogue, departments, routing and hooks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from shapely import Point, intersects_xy
from shapely.geometry.base import BaseGeometry

from open311.domain.ids import format_id
from open311.domain.places import Place
from open311.domain.routing import Draft, Route, Rule, Step, decide, explain
from open311.domain.services import Department, Service, Translation, Vicinity
from open311.errors import Invalid, NotFound, Problem

API_VERSION = 1
"""Version of this contract. A plugin written for another major version is refused at load (R25)."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A batch request got its id: `service_request_id`, or "" to let the server give one."""

    service_request_id: str = ""


@dataclass(frozen=True, slots=True)
class Pending:
    """No id yet; ask again after `retry_after_s` seconds."""

    retry_after_s: int = 60


@dataclass(frozen=True, slots=True)
class Rejected:
    """The request will never get an id; `reason` is shown to whoever asks for the token (A13)."""

    reason: str


Resolution = Accepted | Pending | Rejected


@dataclass(frozen=True, kw_only=True, eq=False)
class Jurisdiction:
    """One city. Most are declared in files (`open311.plugins.declared`); subclass to override a hook.

    id            the jurisdiction_id on the wire, usually the city's web domain without www (A58)
    languages     BCP 47 tags, the catalogue's own language first
    boundary      polygon in WGS 84 degrees, (long, lat), or None for no limit
    outside       what happens to a point outside the boundary: refused with 400, or taken and flagged
    areas         named polygons that routing rules may speak of
    aliases       retired service code -> living service code
    rules         refinements of the service -> department table; the first that fits wins
    triage        code of the department that gets what no rule fits
    id_pattern    form of the ids we give out, with {number}, {year}, {yy}
    duplicates    where to look for the same thing reported before; a service may have its own
    credit        where the catalogue's facts come from
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
    areas: Mapping[str, BaseGeometry] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    id_pattern: str = "{number}"
    translations: Mapping[str, Translation] = field(default_factory=dict)
    duplicates: Vicinity = Vicinity()
    credit: str = ""

    @cached_property
    def zone(self) -> ZoneInfo:
        """The IANA time zone, for dates that come without one."""
        return ZoneInfo(self.time_zone)

    @cached_property
    def _services(self) -> Mapping[str, Service]:
        return {service.code: service for service in self.services}

    @cached_property
    def _departments(self) -> Mapping[str, Department]:
        return {department.code: department for department in self.departments}

    def service(self, code: str) -> Service | None:
        """The living service for a code, through its aliases; None if there is none."""
        return self._services.get(code) or self._services.get(self.aliases.get(code, ""))

    def require_service(self, code: str) -> Service:
        """The living service for a code. Raises NotFound, Invalid for an empty code."""
        if not code:
            raise Invalid("is missing; send one from the service list.", "service_code")
        found = self.service(code)
        if found is None:
            raise NotFound(f"{code[:60]!r} is not in the service list of {self.id}.", "service_code")
        return found

    def department(self, code: str) -> Department:
        """The department with this code. KeyError for a code that the catalogue lacks."""
        return self._departments[code]

    def covers(self, long: float, lat: float) -> bool:
        """Whether a point, in degrees, lies in or on the boundary; True where there is none."""
        return self.boundary is None or bool(intersects_xy(self.boundary, long, lat))

    def in_area(self, area: str, point: tuple[float, float]) -> bool:
        """Whether a (long, lat) point lies in or on a named area."""
        return bool(self.areas[area].covers(Point(point)))

    def areas_at(self, place: Place) -> tuple[str, ...]:
        """Names of the areas that hold a place's point, in the order of their declaration; none without a point."""
        point = place.point
        return tuple(area for area in self.areas if self.in_area(area, point)) if point else ()

    def vicinity(self, service: Service) -> Vicinity:
        """How near an earlier request of a service may be the same thing."""
        return self.duplicates if service.duplicates is None else service.duplicates

    def explain(self, draft: Draft) -> list[Step]:
        """Every routing rule looked at, in order; the last one won."""
        hooked = self.department_for(draft)
        if hooked is not None:
            return [Step(rule="department_for", department=hooked, fits=True, why="the plugin decided")]
        return explain(draft, self.rules, self.triage, self.in_area)

    def route(self, draft: Draft) -> Route:
        """Which department gets the request, and why."""
        return decide(self.explain(draft))

    def new_id(self, number: int, at: datetime) -> str:
        """The public id for a running number."""
        return format_id(self.id_pattern, number, at)

    # Hooks: pure and quick, no network; what a table cannot say.

    def check(self, draft: Draft) -> list[Problem]:  # noqa: ARG002
        """What else is wrong with a draft, in the city's own rules. Default: nothing."""
        return []

    def department_for(self, draft: Draft) -> str | None:  # noqa: ARG002
        """A department's code where neither table nor rules can say it. Default: None, let them."""
        return None

    # Hooks that the worker calls, outside any web request.

    def resolve(self, token: str, draft: Draft) -> Resolution:  # noqa: ARG002
        """What became of a batch request. Default: accepted, the server gives the id."""
        return Accepted()
