"""Decides what a row changes in a stored request. These are pure functions of the record, its history and the row.

- A field that is missing in a row does not change. So a row never removes an address, description or photo. A row
  removes a note only if it reopens the request, because the note was about the closing.
- If a source dates its changes, a row that is older than an earlier imported row changes nothing. If the source
  does not, the row that is imported later counts. When the same import runs again, only the last row of a request
  counts.
- A field that was changed here stays as it is, unless the row has a later date. In both cases the difference is
  reported as a conflict.
- A text that was erased here stays erased, and so does a text with a sentence that was erased. The result of the
  import has the number of such rows. The other rules decide about any other text.
- A closed request keeps its first closing time, unless the source has another one in a field for closing times.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from open311.domain.erasures import holds_erased
from open311.domain.events import (
    AreasRecomputed,
    Corrected,
    Erased,
    Event,
    Imported,
    NoteAdded,
    Promised,
    ServiceChanged,
    StatusChanged,
    Transferred,
)
from open311.domain.imports import BROUGHT
from open311.domain.places import Place
from open311.domain.requests import RequestRecord, Status
from open311.operations.importing.matching import MatchedRow
from open311.operations.publishing import Names
from schemas.values import format_instant

Differences = Mapping[str, Any]
"""Field of a record -> the different value that a row has."""

_PROGRESS = {
    StatusChanged.kind: ("status", "updated_at", "detailed_status"),
    NoteAdded.kind: ("status_notes",),
    Transferred.kind: ("department", "agency_responsible"),
    Promised.kind: ("expected_at",),
    ServiceChanged.kind: ("service_code",),
}
"""Kind of event -> the fields that it sets. In `Past.changed_here`, the first field stands for all of them."""
_CORRECTED = {"description": ("description",), "address": ("place",), "point": ("place", "is_outside")}
"""Part that a correction names -> the fields that the correction sets."""
_REPORT = (
    "description",
    "service_notice",
    "requested_at",
    "place",
    "is_outside",
    "media_urls",
    "answers",
)
_WIRE_NAMES = {
    "department": "agency_responsible",
    "expected_at": "expected_datetime",
    "media_urls": "media_url",
    "answers": "attribute",
}


@dataclass(frozen=True, slots=True)
class Past:
    """What a request's history tells about who set which field.

    rows          the imported rows that made or changed the request, oldest first
    changed_here  field that was changed here after a file last set it -> the time of that change. The due date that
                  the city's service levels gave a new request is no change
    erased        erased field -> the marks of what was erased (`domain.erasures`); None if they are unknown
    """

    rows: tuple[Imported, ...]
    changed_here: Mapping[str, datetime]
    erased: Mapping[str, Collection[str] | None]

    @classmethod
    def of(cls, history: Sequence[Event]) -> Past:
        """Make the past from the complete history, oldest event first."""
        rows = tuple(event for event in history if isinstance(event, Imported))
        by_file = {row.version for row in rows if row.version}  # 0: stored by release 0.1
        here: dict[str, datetime] = {}
        erased: dict[str, Collection[str] | None] = {}
        status = ""
        for event in history:
            if isinstance(event, StatusChanged):
                status = event.new
            if isinstance(event, Erased):
                for name in event.emptied:
                    here.pop(name, None)
                    erased[name] = _with_marks(erased.get(name, ()), event.marks)
            elif isinstance(event, Corrected):
                here |= {_CORRECTED[part][0]: event.at for part in event.what}
            elif event.kind in _PROGRESS:
                field = _PROGRESS[event.kind][0]
                if event.version in by_file:
                    here.pop(field, None)
                elif event.version != 1:
                    here[field] = event.at
            elif isinstance(event, Imported) and event.status == status:
                here.pop("status", None)  # the source now has the same status
        return cls(rows, here, erased)


def _with_marks(known: Collection[str] | None, marks: Collection[str] | None) -> Collection[str] | None:
    return None if known is None or marks is None else {*known, *marks}


def is_same_request(before: RequestRecord, row: MatchedRow) -> bool:
    """Whether the id means the same request here and in the source. An id that this server assigned may clash."""
    return before.source in BROUGHT or before.requested_at == row.request.requested_at


def differences(before: RequestRecord, row: MatchedRow) -> dict[str, Any]:
    """The fields in which the row differs from the record. Empty if the row has nothing new.

    If the request was made here, the row can change only its progress, not what the citizen sent.
    """
    found = _progress(before, row)
    if before.source in BROUGHT:
        found |= _report(before, row)
    return found


def _progress(before: RequestRecord, row: MatchedRow) -> dict[str, Any]:
    request = row.request
    found: dict[str, Any] = {}
    if request.status is not before.status:
        found["status"] = request.status
    elif request.has_closing and request.status is Status.CLOSED and request.updated_at != before.updated_at:
        found["updated_at"] = request.updated_at
    if request.is_dated and request.changed_at > before.changed_at:
        found["changed_at"] = request.changed_at
    if request.detailed_status != before.detailed_status:
        found["detailed_status"] = request.detailed_status
    if request.status_notes and request.status_notes != before.status_notes:
        found["status_notes"] = request.status_notes
    elif before.status_notes and not request.status_notes and _reopens(before, row):
        found["status_notes"] = ""  # the note was about the closing
    if request.expected_at is not None and request.expected_at != before.expected_at:
        found["expected_at"] = request.expected_at
    department = _department(before, row)
    if department != before.department:
        found["department"] = department
    if request.agency and request.agency != before.agency_responsible and not _is_its_department(before, row):
        found["agency_responsible"] = request.agency
    return found


def _reopens(before: RequestRecord, row: MatchedRow) -> bool:
    return before.status is Status.CLOSED and row.request.status is Status.OPEN


def _department(before: RequestRecord, row: MatchedRow) -> str:
    """The department that the row names. If the row names none, the department of the request stays.

    But routing decides for an imported request if its service or agency is new, or if it has no department.
    """
    if row.named is not None:
        return row.named.department
    if before.source not in BROUGHT:
        return before.department
    agency = row.request.agency
    is_other = row.service.code != before.service_code or (agency and agency != before.agency_responsible)
    return row.route.department if is_other or not before.department else before.department


def _is_its_department(before: RequestRecord, row: MatchedRow) -> bool:
    """Whether the request already shows the name of the department that the row's agency means."""
    is_named = row.named is not None and row.named.department == before.department
    return is_named and not before.agency_responsible


def _report(before: RequestRecord, row: MatchedRow) -> dict[str, Any]:
    request = row.request
    found: dict[str, Any] = {}
    if row.service.code != before.service_code:
        found["service_code"] = row.service.code
    if request.description and request.description != before.description:
        found["description"] = request.description
    if request.service_notice and request.service_notice != before.service_notice:
        found["service_notice"] = request.service_notice
    if request.requested_at != before.requested_at:
        found["requested_at"] = request.requested_at
    if row.media and row.media != before.media_urls:
        found["media_urls"] = row.media
    if row.answers and row.answers != before.answers:
        found["answers"] = row.answers
    place = request.place
    if place != before.place and (filled := _filled(place, before.place)) != before.place:
        found["place"] = filled
        if place.has_point:
            found["is_outside"] = request.is_outside
    return found


def _filled(place: Place, former: Place) -> Place:
    """The row's place. Parts that the row does not have are copied from the former place."""
    point = place if place.has_point else former
    return Place(
        lat=point.lat,
        long=point.long,
        address=place.address or former.address,
        address_id=place.address_id or former.address_id,
        zipcode=place.zipcode or former.zipcode,
    )


def without_erased(before: RequestRecord, found: Differences, past: Past) -> Differences:
    """The differences without the texts, photos and answers that were erased here."""
    erased = {
        name
        for name, marks in past.erased.items()
        if found.get(name) and (marks is None or holds_erased(found[name], marks, before.erasure_salt))
    }
    return {name: value for name, value in found.items() if name not in erased} if erased else found


def decide(row: MatchedRow, imported: Imported, found: Differences, past: Past) -> tuple[Differences, list[str]]:
    """The differences that the request takes over, and a sentence for each conflict.

    imported  the event that the row would write
    found     the differences without what was erased
    """
    if _is_outdated(row, past.rows) or _is_superseded(imported, past.rows):
        return {}, []
    counts = dict(found)
    conflicts: list[str] = []
    for fields in (*_PROGRESS.values(), _CORRECTED["description"], _CORRECTED["point"]):
        changed_here = past.changed_here.get(fields[0])
        if changed_here is None:
            continue
        is_later = row.request.is_dated and row.request.changed_at > changed_here
        if any(counts.get(name) for name in fields if name not in ("updated_at", "detailed_status")):
            conflicts.append(_sentence(fields[0], changed_here, row, is_later=is_later))
        if not is_later:
            counts = {name: value for name, value in counts.items() if name not in fields}
    if "status" not in counts and counts.get("status_notes") == "":
        del counts["status_notes"]
    return counts, conflicts


def _is_outdated(row: MatchedRow, rows: Sequence[Imported]) -> bool:
    """Whether the row is older than the last imported row of the same request.

    If a source dates its changes, a row without a time of change shows the request before its first change.
    """
    last = rows[-1] if rows else None
    if last is None or last.changed is None or row.request.changed_at >= last.changed:
        return False
    return last.is_dated is not False if row.request.is_dated else last.is_dated is True


def _is_superseded(imported: Imported, rows: Sequence[Imported]) -> bool:
    """Whether the last import had the same row, and a later row for the same request."""
    return any(
        former.at == rows[-1].at and former.cause != rows[-1].cause and _says_same(former, imported)
        for former in rows[:-1]
    )


def _says_same(former: Imported, imported: Imported) -> bool:
    return (
        (former.cause, former.status, former.department, former.agency, former.expected, former.is_dated)
        == (
            imported.cause,
            imported.status,
            imported.department,
            imported.agency,
            imported.expected,
            imported.is_dated,
        )
    ) and (former.changed == imported.changed or not imported.is_dated)


def _sentence(field: str, at: datetime, row: MatchedRow, *, is_later: bool) -> str:
    """The sentence about a conflict: its field and the rule that decides it. It never has texts of people."""
    name, here, there = _WIRE_NAMES.get(field, field), format_instant(at), format_instant(row.request.changed_at)
    if is_later:
        outcome = f"at {there}, which is later, so the file counts."
    elif row.request.is_dated:
        outcome = f"at {there}, which is not later, so what was done here stays."
    else:
        outcome = "without a time of change, so what was done here stays."
    return f"{name}: was changed here at {here}; the file says otherwise {outcome}"


def merge_report(before: RequestRecord, found: Differences) -> RequestRecord:
    """The stored record with the row's changes to the report itself. Events make the other changes."""
    changes = {name: found[name] for name in (*_REPORT, "detailed_status") if name in found}
    return replace(before, **changes) if changes else before


def events_between(
    before: RequestRecord,
    row: MatchedRow,
    imported: Imported,
    found: Differences,
    names: Names,
    areas: tuple[str, ...],
) -> Iterator[Event]:
    """The events for the differences. Their times are those of the source, or else the time of the import.

    areas  the areas of the request's new point
    """
    request, old, new = row.request, before.status, found.get("status", before.status)
    is_closing_named = "status" in found and request.has_closing and new is Status.CLOSED
    at = request.changed_at if request.is_dated or is_closing_named else imported.at
    updated = _updated(before, row, found, at)
    if new is not old:
        yield StatusChanged(
            at=updated, old=old, new=new, department=before.department, is_merged=bool(before.merged_into)
        )
    if found.get("status_notes"):
        yield NoteAdded(at=at, note=found["status_notes"])
    if "department" in found or "agency_responsible" in found:
        yield _transfer(before, found, names, at, new)
    if "service_code" in found:
        yield ServiceChanged(at=at, old=before.service_code, new=found["service_code"])
    if "expected_at" in found:
        yield Promised(at=at, expected=found["expected_at"])
    if areas != before.areas:
        yield AreasRecomputed(at=imported.at, old=before.areas, new=areas)
    yield replace(imported, updated=updated, changed=at, has_notes=found.get("status_notes") != "")


def _updated(before: RequestRecord, row: MatchedRow, found: Differences, at: datetime) -> datetime:
    """The public time of the last update. For a closed request, it is the closing time (A34)."""
    if found.get("status", before.status) is Status.OPEN:
        return max(before.updated_at, at)
    if before.status is Status.OPEN:
        return row.request.updated_at if row.request.is_dated or row.request.has_closing else at
    return found.get("updated_at", before.updated_at)  # type: ignore[no-any-return]  # values of all types


def _transfer(before: RequestRecord, found: Differences, names: Names, at: datetime, status: Status) -> Transferred:
    to = found.get("department", before.department)
    agency = found.get("agency_responsible", before.agency_responsible)
    name = names.agency(replace(before, department=to, agency_responsible=agency))
    return Transferred(
        at=at,
        old=before.department,
        new=to,
        name=name,
        agency=agency,
        status=status,
        is_merged=bool(before.merged_into),
    )
