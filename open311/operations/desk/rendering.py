"""Answers of the staff API as plain data for JSON (fields: schemas.staff). They contain names of accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import orjson

from open311.domain.events import Assigned, Event
from open311.domain.photos import Photo
from open311.domain.questions import answered_at, feedback_since_closing
from open311.domain.queues import Due, QueueRow, due_of
from open311.domain.requests import Reporter, RequestRecord, Status
from open311.domain.workflow import state_from, state_of
from open311.operations.delivery.rendering import plain_delivery
from open311.operations.desk.queues import Counted, QueuePage
from open311.operations.desk.whole_request import WholeRequest
from open311.operations.row_cache import CachedRow
from open311.plugins import Jurisdiction
from schemas.values import format_instant


def plain_queue(page: QueuePage, city: Jurisdiction, now: datetime) -> dict[str, Any]:
    """A page of a queue (QueueSchema)."""
    rows = [plain_row(row, page.names, city, now) for row in page.rows]
    return {"requests": rows, "cursor": None if page.next_key is None else str(page.next_key)}


def rendered_row(row: QueueRow, names: Mapping[str, str], city: Jurisdiction, now: datetime) -> CachedRow:
    """One row of a queue as JSON, and a digest of it."""
    whole = json_of(plain_row(row, names, city, now))
    return CachedRow(whole, blake2b(whole, digest_size=12).digest(), row.number, row.expected_at, row.updated_at)


def plain_around(page: QueuePage, city: Jurisdiction, now: datetime) -> dict[str, Any]:
    """The requests around a place (CrewSchema)."""
    rows = [plain_row(row, page.names, city, now) | {"metres": round(row.metres, 1)} for row in page.rows]
    return {"requests": rows}


def plain_row(row: QueueRow, names: Mapping[str, str], city: Jurisdiction, now: datetime) -> dict[str, Any]:
    """One row of a queue (QueueItemSchema). `json_of` writes its instants."""
    service = city.service(row.service_code)
    owner = bool(row.department or row.agency_responsible)
    assignee = row.assignee
    return {
        "number": row.number,
        "service_request_id": row.service_request_id,
        "service_code": row.service_code,
        "service_name": service.name if service else row.service_code,
        "state": state_from(row.status, row.progress, is_triage=row.is_triage, has_owner=owner),
        "outcome": row.outcome or None,
        "department": row.department or None,
        "assignee": names.get(assignee, assignee) or None,
        "priority": row.priority,
        "visibility": row.visibility,
        "requested_datetime": row.requested_at,
        "updated_datetime": row.updated_at,
        "expected_datetime": row.expected_at,
        "scheduled_datetime": row.scheduled_at,
        "due": _due(row, now, city.due_soon),
        "description": row.description or None,
        "address": row.address or None,
        "lat": row.lat,
        "long": row.long,
        "areas": row.areas,
        "merged_into": row.merged_into or None,
        "version": row.version,
    }


def json_of(body: Any, *, is_indented: bool = False) -> bytes:
    """Plain data as JSON.

    Instants are written in UTC and whole seconds, five times as fast as with `format_instant`.
    """
    options = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS | (orjson.OPT_INDENT_2 if is_indented else 0)
    return orjson.dumps(body, option=options)


def plain_counts(counted: Counted, city: Jurisdiction) -> dict[str, Any]:
    """The counts of an account's departments (QueueCountsSchema)."""
    names = {department.code: department.name for department in city.departments}
    queues = [
        {
            "department": one.department or None,
            "name": names.get(one.department),
            "open": one.open,
            "merged": one.merged,
            "overdue": one.overdue,
            "unassigned": one.unassigned,
            "triage": one.triage,
            "suspected": one.suspected,
            "held_photos": one.held_photos,
        }
        for one in counted.departments
    ]
    return {"queues": queues, "uncounted_changes": counted.behind}


def plain_instant(instant: datetime | None) -> str | None:
    """An instant in UTC and whole seconds; None if there is none."""
    return None if instant is None else format_instant(instant)


def plain_request(whole: WholeRequest, now: datetime) -> dict[str, Any]:
    """A request with everything (StaffRequestSchema)."""
    view, record = whole.view, whole.view.record
    place, is_closed = record.place, record.status is Status.CLOSED
    return {
        "number": record.number,
        "service_request_id": record.service_request_id or None,
        "token": view.token.token if view.token else None,
        "service_code": record.service_code,
        "service_name": view.service_name or record.service_code,
        "status": record.status,
        "state": state_of(record),
        "detail": record.progress_detail or None,
        "detailed_status": record.detailed_status or None,
        "outcome": record.outcome or None,
        "status_notes": record.status_notes or None,
        "department": record.department or None,
        "agency_responsible": whole.agency or None,
        "assignee": whole.names.get(record.assignee, record.assignee) or None,
        "priority": record.priority,
        "visibility": record.visibility,
        "requested_datetime": format_instant(record.requested_at),
        "updated_datetime": format_instant(record.updated_at),
        "changed_datetime": format_instant(record.changed_at),
        "expected_datetime": plain_instant(record.expected_at),
        "scheduled_datetime": plain_instant(record.scheduled_at),
        "held_since": plain_instant(record.held_since),
        "answered_datetime": plain_instant(answered_at(view.events)),
        "feedback": next(reversed(feedback_since_closing(view.events)), None),
        "due": None if is_closed else due_of(record.expected_at, record.held_since, now, whole.soon),
        "description": record.description or None,
        "service_notice": record.service_notice or None,
        "address": place.address or None,
        "address_id": place.address_id or None,
        "zipcode": place.zipcode or None,
        "lat": place.lat,
        "long": place.long,
        "is_outside": record.is_outside,
        "areas": list(record.areas),
        "media_urls": list(record.media_urls),
        "photos": [plain_photo(photo) for photo in whole.photos],
        "source": record.source,
        "channel": record.channel or None,
        "attributes": [
            {"code": one.code, "label": one.label, "value": one.value, "name": one.name} for one in view.answers
        ],
        "history": [_plain_event(event, whole.names) for event in view.events],
        "parent": None if whole.parent is None else _plain_related(whole.parent),
        "children": [_plain_related(child) for child in whole.children],
        "possible_duplicate_of": record.possible_duplicate_of or None,
        "supporters": whole.supporters,
        "nearby": [_plain_neighbour(row) for row in whole.nearby],
        "route_reason": record.route_reason or None,
        "route": [
            {"rule": step.rule, "department": step.department, "fits": step.fits, "why": step.why}
            for step in whole.route
        ],
        "deliveries": [plain_delivery(one) for one in whole.deliveries],
        "external_ids": [{"system": system, "id": id} for system, id in whole.external_ids.items()],
        "personal_data": [
            {"kind": one.kind, "part": one.part, "text": one.text, "start": one.start, "is_masked": one.is_masked}
            for one in whole.personal_data
        ],
        "commands": list(whole.commands),
        "version": record.version,
    }


def plain_reporter(record: RequestRecord, reporter: Reporter) -> dict[str, Any]:
    """Who sent a request (StaffReporterSchema)."""
    found = {row.name: getattr(reporter, row.name) or None for row in fields(Reporter)}
    return {"number": record.number} | found


def _due(row: QueueRow, now: datetime, soon: timedelta) -> Due | None:
    return None if row.status == Status.CLOSED else due_of(row.expected_at, row.held_since, now, soon)


def _plain_event(event: Event, names: Mapping[str, str]) -> dict[str, Any]:
    """An event.

    The text of an assignment is an account, and is shown as the account's name. Other texts are shown as they are,
    because a comment may only look like an account.
    """
    text = event.description
    shown = names.get(text, text) if isinstance(event, Assigned) else text
    return {
        "at": format_instant(event.at),
        "kind": event.kind,
        "actor": event.actor,
        "name": names.get(event.actor),
        "text": shown or None,
        "reason": event.reason or None,
        "cause": event.cause or None,
        "is_public": event.is_public,
        "version": event.version,
    }


def plain_photo(photo: Photo) -> dict[str, Any]:
    """A photo (StaffPhotoSchema)."""
    return {
        "id": photo.id,
        "state": photo.state,
        "reason": photo.reason or None,
        "is_public": photo.is_public,
        "version": photo.version,
        "media_type": photo.media_type,
        "bytes": photo.size_bytes,
        "sizes": [{"size": one.size, "width": one.width, "height": one.height} for one in photo.renditions],
        "received_datetime": format_instant(photo.created_at),
        "original_until": plain_instant(photo.original_until),
        "kept_until": plain_instant(photo.kept_until),
        "copy_of": photo.copy_of or None,
    }


def _plain_related(record: RequestRecord) -> dict[str, Any]:
    return {
        "number": record.number,
        "service_request_id": record.service_request_id or None,
        "status": record.status,
        "metres": None,
    }


def _plain_neighbour(row: QueueRow) -> dict[str, Any]:
    return {
        "number": row.number,
        "service_request_id": row.service_request_id,
        "status": row.status,
        "metres": round(row.metres, 1),
    }
