"""What a source's words mean in a city's catalogue.

A living service's own code stands, and an alias becomes its living service. Where the publisher has no codes, the
name finds the service. Any other code is kept, with its name, as a retired service (A69), so that every request's
code can be explained. The agency stays the source's word.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from open311.domain.attributes import Answer, AnswerPolicy, check_answers
from open311.domain.imports import IMPORT_SOURCE, ImportedRequest, Mending, SourceRow
from open311.domain.mending import mend
from open311.domain.requests import RequestRecord
from open311.domain.services import Service
from open311.domain.text import clean_text
from open311.operations.intake.check_submission import media_url_fault
from open311.plugins import Jurisdiction

REMEMBERED_WORDS = 1_000


@dataclass(frozen=True, slots=True)
class MatchedRow:
    """A row that can be stored: mended, and matched with the catalogue.

    source_code  its service code in the source; the service's name where the source has no codes
    """

    position: int
    request: ImportedRequest
    source_code: str
    service_code: str
    department: str
    media: tuple[str, ...]
    answers: tuple[Answer, ...]
    mended: tuple[Mending, ...]

    @property
    def id(self) -> str:
        """Its service_request_id."""
        return self.request.service_request_id

    def record(self, jurisdiction_id: str, number: int = 0) -> RequestRecord:
        """The record that the row makes; without a number, to compare it with the stored one."""
        request = self.request
        return RequestRecord(
            jurisdiction_id=jurisdiction_id,
            number=number,
            service_request_id=request.service_request_id,
            service_code=self.service_code,
            status=request.status,
            detailed_status=request.detailed_status,
            status_notes=request.status_notes,
            description=request.description,
            department=self.department,
            agency_responsible=request.agency,
            route_reason=IMPORT_SOURCE,
            service_notice=request.service_notice,
            requested_at=request.requested_at,
            updated_at=request.updated_at,
            changed_at=request.changed_at,
            expected_at=request.expected_at,
            place=request.place,
            is_outside=request.is_outside,
            media_urls=self.media,
            answers=self.answers,
            source=IMPORT_SOURCE,
        )


class Matcher:
    """Matches rows with one city's catalogue. It remembers what it has looked up: files repeat their words."""

    def __init__(self, city: Jurisdiction) -> None:
        self._city = city
        self._service = lru_cache(REMEMBERED_WORDS)(self._find_service)
        self._department = lru_cache(REMEMBERED_WORDS)(self._find_department)
        self._answers = lru_cache(REMEMBERED_WORDS)(self._check_answers)

    def match(self, row: SourceRow, now: datetime) -> MatchedRow:
        """The row as it can be stored. Raises Invalid for one that cannot be kept."""
        city = self._city
        request = mend(row, zone=city.zone, now=now, covers=city.covers)
        service = self._service(request.service_codes, request.service_name if request.by_name else "")
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
            position=row.position,
            request=request,
            source_code=source_code,
            service_code=service.code if service else source_code,
            department=self._department(request.agency_code, request.agency),
            media=media,
            answers=self._answers(service.code, request.answers) if service and request.answers else (),
            mended=mended,
        )

    def _find_service(self, codes: tuple[str, ...], name: str) -> Service | None:
        """The living service with one of these codes, else with this name; None if the catalogue has none."""
        for code in codes:
            found = self._city.service(code)
            if found is not None:
                return found
        wanted = name.casefold()
        if not wanted:
            return None
        return next((service for service in self._city.services if service.name.casefold() == wanted), None)

    def _find_department(self, code: str, name: str) -> str:
        """The code of the department with this code or name; "" if the catalogue has none."""
        wanted = name.casefold()
        for department in self._city.departments:
            if department.code == code or (wanted and department.name.casefold() == wanted):
                return department.code
        return ""

    def _check_answers(self, service_code: str, answers: tuple[tuple[str, str], ...]) -> tuple[Answer, ...]:
        """Those of the source's answers that the service asks for and can take."""
        service = self._city.require_service(service_code)
        sent = {code: (value,) for code, value in answers}
        found, _ = check_answers(service, sent, AnswerPolicy(zone=self._city.zone, accept_labels=True))
        return found
