"""One request with everything that staff may see, and who sent it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from open311.domain.access import Principal, Role
from open311.domain.queues import QueueRow
from open311.domain.requests import Reporter, RequestRecord
from open311.domain.routing import Step
from open311.domain.search import Circle
from open311.domain.text import clean_text
from open311.errors import Invalid
from open311.operations.access.staff import require_role
from open311.operations.intake.routing import draft_of, explain_draft
from open311.operations.platform import Platform
from open311.operations.workflow.act import allowed_commands, require_department
from open311.operations.workflow.apply import load_request
from open311.operations.workflow.read_request import StaffView, read_request
from open311.plugins import Jurisdiction
from open311.storage import accounts, audit, requests
from open311.storage.audit import Entry
from open311.storage.hot import queues
from schemas.texts import tell

MOST_NEARBY = 10
READ_REPORTER = "reporter.read"


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeRequest:
    """All that an account may see of a request, except its reporter.

    parent    the request that it was merged into; None if it is not merged
    children  the requests that were merged into it
    nearby    rows of open requests of its service nearby, nearest first, each with `metres`
    route     how today's rules route it
    commands  the names of the commands that the account may give now
    names     the names of the accounts in it, by the actor that each is in events
    """

    view: StaffView
    parent: RequestRecord | None
    children: Sequence[RequestRecord]
    nearby: Sequence[QueueRow]
    route: Sequence[Step]
    commands: Sequence[str]
    names: Mapping[str, str]


def read_whole_request(
    platform: Platform, city: Jurisdiction, name: str | int, *, principal: Principal, is_changed: bool = False
) -> WholeRequest:
    """What an account may see of a request. Raises NotFound, and Forbidden for a request of other departments.

    name        its service_request_id, its token or its number; an int is its number
    is_changed  whether the account has just changed the request: it sees the result even if another department has
                the request now
    """
    require_role(principal, Role.READER)
    view = read_request(platform, city, name)
    record = view.record
    if not is_changed:
        require_department(principal, city, record)
    with platform.database.reading() as connection:
        children = requests.load_merged(connection, city.id, [record.number], is_locked=False)
        into = record.merged_into
        parent = requests.load_record(connection, city.id, number=into, is_locked=False) if into else None
    actors = {event.actor for event in view.events} | {event.description for event in view.events}
    return WholeRequest(
        view=view,
        parent=parent,
        children=children,
        nearby=_nearby(platform, city, record, principal),
        route=_route(city, record),
        commands=allowed_commands(record, principal, city),
        names=accounts.names_of(platform.database.hot.rows, actors | {record.assignee}),
    )


def read_reporter(
    platform: Platform, city: Jurisdiction, name: str, *, reason: str, principal: Principal, now: datetime
) -> tuple[RequestRecord, Reporter]:
    """Who sent a request: personal data. The audit trail keeps who read it and why.

    Raises NotFound, Invalid without a reason, and Forbidden for readers and for requests of other departments.
    """
    require_role(principal, Role.AGENT)
    why = clean_text(reason).strip()
    if not why:
        raise Invalid(tell("is missing; say why you read who sent the request."), "reason")
    with platform.database.transaction() as connection:
        record = load_request(connection, city, name, is_locked=False)
        require_department(principal, city, record)
        entry = Entry(
            jurisdiction_id=city.id,
            at=now,
            actor=str(principal),
            act=READ_REPORTER,
            subject=str(record.number),
            reason=why,
        )
        audit.add_entry(connection, entry)
        return record, requests.load_reporter(connection, city.id, record.number) or Reporter()


def _nearby(platform: Platform, city: Jurisdiction, record: RequestRecord, principal: Principal) -> list[QueueRow]:
    """Open requests of the same service, within its radius for duplicates, of the account's departments."""
    service, point = city.service(record.service_code), record.place.point
    radius_m = city.vicinity(service).radius_m if service else 0
    if point is None or not radius_m:
        return []
    found = queues.find_around(
        platform.database.hot,
        city.id,
        Circle(point[0], point[1], radius_m),
        sorted(principal.scope.departments) or None,
        most=MOST_NEARBY + 1,
        service_code=record.service_code,
    )
    return [row for row in found if row.number != record.number][:MOST_NEARBY]


def _route(city: Jurisdiction, record: RequestRecord) -> list[Step]:
    if city.service(record.service_code) is None:
        return []
    return explain_draft(city, draft_of(city, record))
