"""What staff do to a request: change its status, add a note, hand it on, hide it or show it again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from open311.domain.requests import Event, RequestRecord, Status, Visibility
from open311.domain.text import clean_text
from open311.errors import Invalid, NotFound
from open311.operations.platform import Platform
from open311.operations.publishing import names_for, publish_requests
from open311.plugins import Jurisdiction
from open311.storage import requests


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestUpdate:
    """What to change; None changes nothing.

    note  public: becomes status_notes
    """

    status: Status | None = None
    note: str | None = None
    department: str | None = None
    visibility: Visibility | None = None
    expected_at: datetime | None = None


def update_request(
    platform: Platform, jurisdiction: Jurisdiction, service_request_id: str, change: RequestUpdate, *, now: datetime
) -> RequestRecord:
    """Apply a change, write its history and publish it, in one transaction; the changed record.

    Raises NotFound for an unknown id, Invalid for an unknown department.
    """
    with platform.database.transaction() as connection:
        before = requests.load_record(connection, jurisdiction.id, service_request_id=service_request_id)
        if before is None:
            raise NotFound(f"{service_request_id[:60]!r} is not a request here.", "service_request_id")
        if change.department is not None:
            _department_name(jurisdiction, change.department)
        after = _apply(before, change, now)
        events = list(_events(jurisdiction, before, after, change, now))
        if not events:
            return before
        requests.save_record(connection, after)
        requests.insert_events(connection, after, events)
        publish_requests(connection, [after], names_for(connection, jurisdiction))
    return after


def read_history(
    platform: Platform, jurisdiction: Jurisdiction, service_request_id: str
) -> tuple[RequestRecord, list[Event]]:
    """A record and its whole history, oldest first, for staff. NotFound for an unknown id."""
    with platform.database.transaction() as connection:
        record = requests.load_record(connection, jurisdiction.id, service_request_id=service_request_id)
        if record is None:
            raise NotFound(f"{service_request_id[:60]!r} is not a request here.", "service_request_id")
        return record, requests.load_events(connection, record)


def _apply(record: RequestRecord, change: RequestUpdate, now: datetime) -> RequestRecord:
    status = change.status or record.status
    stays_closed = record.status is Status.CLOSED and status is Status.CLOSED
    return replace(
        record,
        status=status,
        status_notes=record.status_notes if change.note is None else clean_text(change.note).strip(),
        department=change.department or record.department,
        agency_responsible="" if change.department else record.agency_responsible,
        is_triage=record.is_triage and not change.department,
        visibility=change.visibility or record.visibility,
        expected_at=change.expected_at or record.expected_at,
        updated_at=record.updated_at if stays_closed else now,  # the closing time stays (A34)
        changed_at=now,
    )


def _events(
    jurisdiction: Jurisdiction, before: RequestRecord, after: RequestRecord, change: RequestUpdate, now: datetime
) -> Iterator[Event]:
    if after.status != before.status:
        yield Event(now, "status", after.status, is_public=True)
    if change.note is not None and after.status_notes != before.status_notes:
        yield Event(now, "note", after.status_notes, is_public=True)
    if after.department != before.department:
        name = _department_name(jurisdiction, after.department)
        yield Event(now, "transferred", name, is_public=True)
    if after.visibility != before.visibility:
        yield Event(now, "visibility", after.visibility)
    if after.expected_at != before.expected_at:
        yield Event(now, "expected", after.expected_at.isoformat() if after.expected_at else "")


def _department_name(jurisdiction: Jurisdiction, code: str) -> str:
    try:
        return jurisdiction.department(code).name
    except KeyError:
        known = ", ".join(department.code for department in jurisdiction.departments)
        raise Invalid(
            f"{code!r} is no department of {jurisdiction.id}; use one of {known}.", "department"
        ) from None
