"""What a row changes in a request that is stored already. Pure functions over two records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from open311.domain.imports import IMPORT_SOURCE
from open311.domain.requests import Event, RequestRecord, Status


def is_same_request(before: RequestRecord, imported: RequestRecord) -> bool:
    """Whether one id means the same request here and in the source; ids that we gave out may clash."""
    return before.source == IMPORT_SOURCE or before.requested_at == imported.requested_at


def is_newer(before: RequestRecord, imported: RequestRecord) -> bool:
    """Whether a row says more than what is stored. Sources without closing times only change the status."""
    if imported.changed_at != before.changed_at:
        return imported.changed_at > before.changed_at
    return imported.status is Status.CLOSED and before.status is Status.OPEN


def merge(before: RequestRecord, imported: RequestRecord) -> RequestRecord:
    """The stored record with what the newer row says. What the row leaves out stays.

    Where the request was made here, what the citizen sent stays too: the row only tells its progress.
    """
    progress = replace(
        before,
        status=imported.status,
        status_notes=imported.status_notes,
        department=imported.department or before.department,
        agency_responsible=imported.agency_responsible or before.agency_responsible,
        is_triage=before.is_triage and not imported.department,
        updated_at=imported.updated_at,
        changed_at=imported.changed_at,
        expected_at=imported.expected_at or before.expected_at,
    )
    if before.source != IMPORT_SOURCE:
        return progress
    is_placed = imported.place.has_point or imported.place.address
    return replace(
        progress,
        service_code=imported.service_code,
        description=imported.description or before.description,
        service_notice=imported.service_notice or before.service_notice,
        requested_at=imported.requested_at,
        place=imported.place if is_placed else before.place,
        is_outside=imported.is_outside if is_placed else before.is_outside,
        media_urls=imported.media_urls or before.media_urls,
        answers=imported.answers or before.answers,
    )


def changes_between(before: RequestRecord, after: RequestRecord) -> Iterator[Event]:
    """What a merge has changed, as public events at the instants that the source gives."""
    if after.status != before.status:
        yield Event(after.updated_at, "status", after.status, is_public=True)
    if after.status_notes and after.status_notes != before.status_notes:
        yield Event(after.changed_at, "note", after.status_notes, is_public=True)
    if after.agency_responsible != before.agency_responsible:
        yield Event(after.changed_at, "transferred", after.agency_responsible, is_public=True)
