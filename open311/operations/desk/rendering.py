"""What staff see, as plain data for JSON: the fields of schemas.staff. It holds names of accounts: for staff only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from open311.domain.queues import due_of
from open311.domain.workflow import state_from
from open311.operations.desk.queues import Counted, QueuePage
from open311.plugins import Jurisdiction
from schemas.values import format_instant


def plain_queue(page: QueuePage, city: Jurisdiction, now: datetime) -> dict[str, Any]:
    """A page of a queue (QueueSchema)."""
    rows = [plain_row(row, page.names, city, now) for row in page.rows]
    return {"requests": rows, "cursor": None if page.next_key is None else str(page.next_key)}


def plain_around(page: QueuePage, city: Jurisdiction, now: datetime) -> dict[str, Any]:
    """The requests around a place (CrewSchema)."""
    rows = [plain_row(row, page.names, city, now) | {"metres": round(row["metres"], 1)} for row in page.rows]
    return {"requests": rows}


def plain_row(
    row: Mapping[str, Any], names: Mapping[str, str], city: Jurisdiction, now: datetime
) -> dict[str, Any]:
    """One row of a queue (QueueItemSchema)."""
    service = city.service(row["service_code"])
    owner, is_closed = bool(row["department"] or row["agency_responsible"]), row["status"] == "closed"
    assignee = row["assignee"]
    return {
        "number": row["id"],
        "service_request_id": row["service_request_id"],
        "service_code": row["service_code"],
        "service_name": service.name if service else row["service_code"],
        "state": state_from(row["status"], row["progress"], is_triage=row["is_triage"], has_owner=owner),
        "outcome": row["outcome"] or None,
        "department": row["department"] or None,
        "assignee": names.get(assignee, assignee) or None,
        "priority": row["priority"],
        "visibility": row["visibility"],
        "requested_datetime": format_instant(row["requested_at"]),
        "updated_datetime": format_instant(row["updated_at"]),
        "expected_datetime": plain_instant(row["expected_at"]),
        "scheduled_datetime": plain_instant(row["scheduled_at"]),
        "due": None if is_closed else due_of(row["expected_at"], row["held_since"], now),
        "description": row["description"] or None,
        "address": row["address"] or None,
        "lat": row["lat"],
        "long": row["long"],
        "areas": row["areas"],
        "merged_into": row["merged_into"] or None,
        "version": row["version"],
    }


def plain_counts(counted: Counted, city: Jurisdiction) -> dict[str, Any]:
    """The work of the departments (QueuesSchema)."""
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
        }
        for one in counted.departments
    ]
    return {"queues": queues, "uncounted_changes": counted.behind}


def plain_instant(instant: datetime | None) -> str | None:
    """An instant in UTC and whole seconds; None for none."""
    return None if instant is None else format_instant(instant)
