"""Updates by staff: change the status, add a note, transfer to a department, hide or show a request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from open311.domain.events import (
    SYSTEM,
    Event,
    NoteAdded,
    Promised,
    StatusChanged,
    Transferred,
    VisibilityChanged,
)
from open311.domain.requests import RequestRecord, Status, Visibility
from open311.domain.text import clean_text
from open311.errors import Conflict, Invalid
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.apply import change_requests, load_request
from open311.plugins import Jurisdiction
from open311.storage import history
from schemas.texts import tell


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestUpdate:
    """The fields to change. A field that is None is not changed.

    note     public: becomes status_notes
    version  the version that the caller has seen; the update is refused if the request has another version
    """

    status: Status | None = None
    note: str | None = None
    department: str | None = None
    visibility: Visibility | None = None
    expected_at: datetime | None = None
    version: int | None = None


def update_request(
    platform: Platform,
    jurisdiction: Jurisdiction,
    name: str,
    change: RequestUpdate,
    *,
    now: datetime,
    actor: str = SYSTEM,
) -> RequestRecord:
    """Apply a change, write its history and publish it, in one transaction. Returns the changed record.

    name  the request's service_request_id, its token or its number
    Raises NotFound for an unknown name, Invalid for an unknown department, Conflict for another version.
    """
    with platform.database.transaction() as connection:
        before = load_request(connection, jurisdiction, name)
        if change.version is not None and change.version != before.version:
            fault = tell("is at version {version} now; look at it again.", version=before.version)
            raise Conflict(fault, "service_request_id")
        events = list(_events(jurisdiction, before, change, actor, now))
        if not events:
            return before
        [after] = change_requests(connection, [(before, events)], names_for(connection, jurisdiction))
    return after


def read_history(platform: Platform, jurisdiction: Jurisdiction, name: str) -> tuple[RequestRecord, list[Event]]:
    """A record and its whole history, oldest first, for staff. Raises NotFound for an unknown name."""
    with platform.database.transaction() as connection:
        record = load_request(connection, jurisdiction, name)
        return record, history.load_events(connection, jurisdiction.id, record.number)


def _events(
    jurisdiction: Jurisdiction, before: RequestRecord, change: RequestUpdate, actor: str, now: datetime
) -> Iterator[Event]:
    """The events of an update. A field that already has the new value yields no event."""
    status, department = change.status or before.status, before.department
    is_merged = bool(before.merged_into)
    if status != before.status:
        yield StatusChanged(
            at=now, actor=actor, old=before.status, new=status, department=department, is_merged=is_merged
        )
    note = None if change.note is None else clean_text(change.note).strip()
    if note is not None and note != before.status_notes:
        yield NoteAdded(at=now, actor=actor, note=note)
    if change.department is not None:
        name = _department_name(jurisdiction, change.department)
        if change.department != department:
            yield Transferred(
                at=now,
                actor=actor,
                old=department,
                new=change.department,
                name=name,
                status=status,
                is_merged=is_merged,
            )
    if change.visibility is not None and change.visibility != before.visibility:
        yield VisibilityChanged(at=now, actor=actor, old=before.visibility, new=change.visibility)
    if change.expected_at is not None and change.expected_at != before.expected_at:
        yield Promised(at=now, actor=actor, expected=change.expected_at)


def _department_name(jurisdiction: Jurisdiction, code: str) -> str:
    try:
        return jurisdiction.department(code).name
    except KeyError:
        known = ", ".join(department.code for department in jurisdiction.departments)
        named = {"code": code, "city": jurisdiction.id, "known": known}
        fault = tell("{code!r} is no department of {city}; use one of {known}.", **named)
        raise Invalid(fault, "department") from None
