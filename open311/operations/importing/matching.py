"""Finds the services and departments of rows in a city's catalogue.

A row's service is the service of the catalogue with the row's code, also if the code is an alias or the service has
ended. If no code fits, the service is found by its name, but only if the row has no code or the column map has
`find_by_name`. Any other code is stored, with its name, as a retired service (A69), so that each code has a name.
The agency of a request is stored as the file has it. The request goes to the department with that name or code. If
there is none, the city's routing chooses a department as it does for a POST.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import cached_property, lru_cache

from open311.domain.attributes import Answer, AnswerPolicy, check_answers, unasked_answers
from open311.domain.imports import IMPORT_SOURCE, REMOTE_SOURCE, ImportedRequest, Mending, SourceRow
from open311.domain.mending import is_on_earth, mend
from open311.domain.places import Place
from open311.domain.requests import RequestRecord, Status, Visibility
from open311.domain.routing import Draft, Route
from open311.domain.services import Service
from open311.domain.text import clean_text
from open311.domain.values import quick_dataclass
from open311.operations.importing.areas import AreaMap
from open311.operations.intake.check_submission import media_url_fault
from open311.operations.intake.routing import route_draft
from open311.plugins import Jurisdiction

REMEMBERED_WORDS = 1_000


@quick_dataclass(frozen=True)
class MatchedRow:
    """A row that can be stored. Its values are repaired, and its service and department are found.

    source_code  the service code in the source; the service's name if the source has no codes
    service      the service in the catalogue; if it is not there, a service with only a code and a name
    is_listed    whether the catalogue has the service
    named        the route to the department that the source names; None if the catalogue does not have it. For a
                 request of a neighbour, a route to no department
    mended       the repairs that were made
    """

    router: Router
    position: int
    line: int
    request: ImportedRequest
    source_code: str
    service: Service
    is_listed: bool
    named: Route | None
    media: tuple[str, ...]
    answers: tuple[Answer, ...]
    mended: tuple[Mending, ...]
    source: str = IMPORT_SOURCE

    @property
    def id(self) -> str:
        """The service_request_id."""
        return self.request.service_request_id

    @cached_property
    def route(self) -> Route:
        """The route to the named department, or else the route of a POST. Computed when it is first needed."""
        if self.named is not None:
            return self.named
        request = self.request
        draft = Draft(
            service=self.service,
            place=request.place,
            answers=tuple(answer for answer in self.answers if answer.is_asked),
            description=request.description,
            requested_at=request.requested_at,
        )
        return self.router.route(draft)

    def record(self, number: int, *, areas: tuple[str, ...] = (), possible_duplicate_of: str = "") -> RequestRecord:
        """Make a record of the row. Only an open request may wait for the triage desk."""
        request, route = self.request, self.route
        return RequestRecord(
            jurisdiction_id=self.router.jurisdiction.id,
            number=number,
            service_request_id=request.service_request_id,
            service_code=self.service.code,
            status=request.status,
            detailed_status=request.detailed_status,
            status_notes=request.status_notes,
            description=request.description,
            department=route.department,
            agency_responsible=request.agency,
            route_reason=route.reason,
            is_triage=route.is_triage and request.status is Status.OPEN,
            service_notice=request.service_notice,
            requested_at=request.requested_at,
            updated_at=request.updated_at,
            changed_at=request.changed_at,
            expected_at=request.expected_at,
            place=request.place,
            is_outside=request.is_outside,
            areas=areas,
            media_urls=self.media,
            answers=self.answers,
            visibility=Visibility.PUBLIC if self.service.is_public else Visibility.PRIVATE,
            source=self.source,
            possible_duplicate_of=possible_duplicate_of,
        )


class Router:
    """Finds the routes of one city. It caches routes that depend on service and answers, not on place and time."""

    def __init__(self, jurisdiction: Jurisdiction) -> None:
        self.jurisdiction = jurisdiction
        self._changing = {rule.service for rule in jurisdiction.rules if rule.area or rule.is_timed}
        hooks = ("department_for", "explain", "route")
        self._is_declared = all(getattr(type(jurisdiction), hook) is getattr(Jurisdiction, hook) for hook in hooks)
        self._known: dict[tuple[str, tuple[Answer, ...]], Route] = {}

    def route(self, draft: Draft) -> Route:
        """The route of a POST with the same values."""
        code = draft.service.code
        if not self._is_declared or self._changing & {"", code} or len(self._known) > REMEMBERED_WORDS:
            return route_draft(self.jurisdiction, draft)
        known = self._known.get((code, draft.answers))
        if known is None:
            known = self._known[code, draft.answers] = route_draft(self.jurisdiction, draft)
        return known


class Matcher:
    """Matches rows with one city's catalogue. It caches its results, because files repeat their words.

    source  IMPORT_SOURCE, or REMOTE_SOURCE for requests of neighbours, which get no department
    """

    def __init__(self, jurisdiction: Jurisdiction, source: str = IMPORT_SOURCE) -> None:
        self._source = source
        self.areas = AreaMap(jurisdiction)
        self._jurisdiction = jurisdiction
        self._router = Router(jurisdiction)
        self._service = lru_cache(REMEMBERED_WORDS)(self._find_service)
        self._department = lru_cache(REMEMBERED_WORDS)(self._find_department)
        self._answers = lru_cache(REMEMBERED_WORDS)(self._check_answers)
        self._covered: dict[tuple[float, float], bool] = {}

    def expect(self, rows: Iterable[SourceRow]) -> None:
        """Find out which points of the next rows the city covers. One by one would take much longer."""
        points = {point for row in rows if (point := _point(row)) is not None}
        self._covered = dict(zip(points, self._jurisdiction.covers_each([*points]), strict=True))

    def _covers(self, long: float, lat: float) -> bool:
        found = self._covered.get((long, lat))
        return self._jurisdiction.covers(long, lat) if found is None else found

    def match(self, row: SourceRow, now: datetime) -> MatchedRow:
        """Match one row. Raises Invalid if the row cannot be stored."""
        jurisdiction = self._jurisdiction
        request = mend(row, zone=jurisdiction.zone, now=now, covers=self._covers)
        service = self._service(request.service_codes, request.service_name if request.by_name else "")
        if service is not None and not self._is_offered(service, request.place):
            request = replace(request, is_outside=True)
        media = tuple([url for url in request.media if clean_text(url) == url and not media_url_fault(url)])
        source_code = request.service_codes[0] if request.service_codes else request.service_name
        mended = request.mended
        if len(media) < len(request.media):
            mended += (Mending.BAD_MEDIA,)
        if service is None:
            mended += (Mending.UNLISTED_SERVICE,)
        elif request.service_codes and request.service_codes[0] != service.code:
            mended += (Mending.OLD_SERVICE,)
        return MatchedRow(
            router=self._router,
            position=row.position,
            line=row.line,
            request=request,
            source_code=source_code,
            service=service or Service(code=source_code, name=request.service_name or source_code),
            is_listed=service is not None,
            named=self._department(request.agency_code, request.agency),
            media=media,
            answers=self._answers(service.code if service else "", request.answers) if request.answers else (),
            mended=mended,
            source=self._source,
        )

    def _is_offered(self, service: Service, place: Place) -> bool:
        return place.point is None or self._jurisdiction.offers(service, place.point)

    def _find_service(self, codes: tuple[str, ...], name: str) -> Service | None:
        """The service of the catalogue with one of these codes, or else with this name. None if there is none."""
        for code in codes:
            found = self._jurisdiction.service(code)
            if found is not None:
                return found
        wanted = name.casefold()
        if not wanted:
            return None
        return next((service for service in self._jurisdiction.services if service.name.casefold() == wanted), None)

    def _find_department(self, code: str, name: str) -> Route | None:
        """The route to the department with this code or name. None if there is no such department."""
        if self._source == REMOTE_SOURCE:
            return Route(department="", reason=REMOTE_SOURCE)
        wanted = name.casefold()
        for department in self._jurisdiction.departments:
            if department.code == code or (wanted and department.name.casefold() == wanted):
                return Route(department=department.code, reason=IMPORT_SOURCE)
        return None

    def _check_answers(self, service_code: str, answers: tuple[tuple[str, str], ...]) -> tuple[Answer, ...]:
        """The answers that the service asks for and accepts, and all others if the city keeps those.

        service_code  "" for a service that the catalogue does not have
        """
        service = self._jurisdiction.service(service_code) if service_code else None
        sent = {code: (value,) for code, value in answers}
        policy = AnswerPolicy(zone=self._jurisdiction.zone, accept_labels=True)
        found = check_answers(service, sent, policy)[0] if service else ()
        return found + unasked_answers(service, sent) if self._jurisdiction.unknown_attributes == "keep" else found


def _point(row: SourceRow) -> tuple[float, float] | None:
    """The (long, lat) point that the row seems to have. `mend` reads it more strictly."""
    try:
        long, lat = float(row.long), float(row.lat)
    except ValueError:
        return None
    return (long, lat) if is_on_earth(lat, long) else None
