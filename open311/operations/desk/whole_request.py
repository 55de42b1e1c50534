"""One request with everything that staff may see, and who sent it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from open311.domain.access import Principal, Role
from open311.domain.deliveries import Delivery
from open311.domain.events import Assigned
from open311.domain.photos import Photo
from open311.domain.queues import QueueRow
from open311.domain.requests import Reporter, RequestRecord, Visibility
from open311.domain.routing import Step
from open311.domain.search import Circle
from open311.domain.text import clean_text
from open311.errors import Invalid
from open311.operations.access.staff import require_role
from open311.operations.intake.routing import draft_of, explain_draft
from open311.operations.masking import Finding, findings_of
from open311.operations.platform import Platform
from open311.operations.publishing import Names
from open311.operations.workflow.act import allowed_commands, require_department
from open311.operations.workflow.apply import load_request
from open311.operations.workflow.read_request import StaffView, read_request
from open311.plugins import Jurisdiction
from open311.storage import accounts, audit, deliveries, external_ids, media, requests, supporters
from open311.storage.audit import Entry
from open311.storage.hot import queues
from schemas.texts import tell

MOST_NEARBY = 10
READ_REPORTER = "reporter.read"


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeRequest:
    """All that an account may see of a request, except its reporter.

    parent    the request into which this one was merged; None if it is not merged
    children  the requests that were merged into this one
    nearby    rows of open requests of the same service nearby, nearest first, with `metres`
    route     how today's rules route the request
    deliveries    the request's deliveries to back offices, oldest first
    photos    the photos that this server keeps, in their order
    supporters  how many people have said "me too"
    external_ids  the request's newest id in each other system, by the system
    personal_data  what looks like personal data in its texts; none for a request that stays private
    commands  the names of the commands that the account may give now
    agency    the name of who is responsible, as the public reads it; "" for nobody
    names     the names of the accounts in the request, by actor, such as `staff:3`
    soon      for how long before its due date a request counts as due soon in this city
    """

    view: StaffView
    parent: RequestRecord | None
    children: Sequence[RequestRecord]
    nearby: Sequence[QueueRow]
    route: Sequence[Step]
    deliveries: Sequence[Delivery]
    photos: Sequence[Photo]
    supporters: int
    external_ids: Mapping[str, str]
    personal_data: Sequence[Finding]
    commands: Sequence[str]
    agency: str
    names: Mapping[str, str]
    soon: timedelta


def read_whole_request(
    platform: Platform, city: Jurisdiction, name: str | int, *, principal: Principal, is_changed: bool = False
) -> WholeRequest:
    """Read what an account may see of a request. Raises NotFound, and Forbidden for a request of other departments.

    name        the service_request_id, the token or the number; an int is always the number
    is_changed  whether the account has just changed the request: then it sees the result even if another department
                has the request now
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
        sent = deliveries.of_requests(connection, city.id, [record.number])
        photos = media.load_all(connection, city.id, record.number)
        people = supporters.count(connection, city.id, [record.number])
        elsewhere = external_ids.ids_of(connection, city.id, record.number)
    given = [event for event in view.events if isinstance(event, Assigned)]
    actors = {event.actor for event in view.events} | {
        account for event in given for account in (event.old, event.new)
    }
    return WholeRequest(
        view=view,
        parent=parent,
        children=children,
        nearby=_nearby(platform, city, record, principal),
        route=_route(city, record),
        deliveries=sent,
        photos=photos,
        supporters=people.get(record.number, 0),
        external_ids=elsewhere,
        personal_data=() if record.visibility is Visibility.PRIVATE else findings_of(record, view.events, city),
        commands=allowed_commands(record, principal, city),
        agency=Names(city, {}).agency(record),
        soon=city.due_soon,
        names=accounts.names_of(platform.database.hot.rows, actors | {record.assignee}),
    )


def read_reporter(
    platform: Platform, city: Jurisdiction, name: str | int, *, reason: str, principal: Principal, now: datetime
) -> tuple[RequestRecord, Reporter]:
    """Read who sent a request. This is personal data, so the audit trail stores who read it and why.

    Raises NotFound, Invalid if the reason is missing, and Forbidden for readers and for requests of other
    departments.
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
    """Open requests of the same service, in the account's departments and the service's radius for duplicates."""
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
