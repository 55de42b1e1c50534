"""What a row changes in a request that is stored already. Pure functions over two records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from open311.domain.events import Event, NoteAdded, Promised, StatusChanged, Transferred
from open311.domain.imports import IMPORT_SOURCE
from open311.domain.requests import RequestRecord, Status


def is_same_request(before: RequestRecord, imported: RequestRecord) -> bool:
    """Whether one id means the same request here and in the source; ids that we gave out may clash."""
    return before.source == IMPORT_SOURCE or before.requested_at == imported.requested_at


def is_newer(before: RequestRecord, imported: RequestRecord) -> bool:
    """Whether a row says more than what is stored. Sources without closing times only change the status."""
    if imported.changed_at != before.changed_at:
        return imported.changed_at > before.changed_at
    return imported.status is Status.CLOSED and before.status is Status.OPEN


def merge_intake(before: RequestRecord, imported: RequestRecord) -> RequestRecord:
    """The stored record with what the row says about the report itself. What the row leaves out stays.

    Where the request was made here, everything that the citizen sent stays: the row only tells its progress.
    """
    if before.source != IMPORT_SOURCE:
        return before
    is_placed = imported.place.has_point or imported.place.address
    return replace(
        before,
        service_code=imported.service_code,
        description=imported.description or before.description,
        service_notice=imported.service_notice or before.service_notice,
        requested_at=imported.requested_at,
        place=imported.place if is_placed else before.place,
        is_outside=imported.is_outside if is_placed else before.is_outside,
        media_urls=imported.media_urls or before.media_urls,
        answers=imported.answers or before.answers,
    )


def events_between(before: RequestRecord, imported: RequestRecord) -> Iterator[Event]:
    """How the request went on, by the row: events at the instants that the source gives."""
    department, status = before.department, imported.status
    if status != before.status:
        yield StatusChanged(at=imported.updated_at, old=before.status, new=status, department=department)
    if imported.status_notes and imported.status_notes != before.status_notes:
        yield NoteAdded(at=imported.changed_at, note=imported.status_notes)
    agency, to = imported.agency_responsible or before.agency_responsible, imported.department or department
    if agency != before.agency_responsible or to != department:
        yield Transferred(
            at=imported.changed_at, old=department, new=to, name=agency or to, agency=agency, status=status
        )
    if imported.expected_at is not None and imported.expected_at != before.expected_at:
        yield Promised(at=imported.changed_at, expected=imported.expected_at)
