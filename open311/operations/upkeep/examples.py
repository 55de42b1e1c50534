"""Made-up requests for a demo: with real codes, places inside the boundary, plausible times, and no reporters."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from shapely import Point
from shapely.geometry.base import BaseGeometry

from open311.domain.attributes import Answer
from open311.domain.events import MadeUp
from open311.domain.forms import first_unmet
from open311.domain.places import Place
from open311.domain.requests import RequestRecord, Status
from open311.domain.routing import Draft
from open311.domain.services import Attribute, Datatype, Service, ServiceType
from open311.operations.platform import Platform
from open311.operations.publishing import Names
from open311.operations.upkeep.zone_places import place_of_zone
from open311.operations.workflow.apply import add_requests
from open311.plugins import Jurisdiction
from open311.storage import requests

DAYS = 120
SPREAD_DEGREES = 0.02
"""How far examples lie from the main place of a time zone."""
_HOURS = [1, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 10, 9, 9, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1]
"""The weight of each hour of a day. In real cities, most requests are made between 8 and 17 o'clock."""
_OUTCOMES = (
    ("The work is done.", 6),
    ("A crew looked and found nothing to do.", 2),
    ("Passed on to the owner of the property.", 1),
    ("Reported before; see the earlier request.", 1),
)


def add_examples(platform: Platform, jurisdiction: Jurisdiction, *, count: int, now: datetime) -> int:
    """Add `count` examples to a jurisdiction. Returns the number added: 0 if there are requests already."""
    with platform.database.transaction() as connection:
        if requests.has_requests(connection, jurisdiction.id):
            return 0
        records = _records(platform, jurisdiction, count, now)
        requests.insert_records(connection, records)
        add_requests(connection, [(record, [_made_up(record)]) for record in records], Names(jurisdiction, {}))
    return len(records)


def _made_up(record: RequestRecord) -> MadeUp:
    return MadeUp(at=record.requested_at, status=record.status, department=record.department)


def _records(platform: Platform, jurisdiction: Jurisdiction, count: int, now: datetime) -> list[RequestRecord]:
    random = Random(jurisdiction.id)  # noqa: S311  # a city has the same examples on every machine
    offered = jurisdiction.listed(jurisdiction.in_season(now))
    listed = [service for service in offered if service.type is not ServiceType.BLACKBOX]
    shares = [1 / rank for rank in range(1, len(listed) + 1)]  # a few services get most of the requests
    random.shuffle(listed)
    moments = sorted(_moment(jurisdiction, random, now) for _ in range(count))
    records = []
    for index, requested_at in enumerate(moments, start=1):
        service = random.choices(listed, shares)[0]
        number = platform.process.numbers.next(platform.database.hot)
        records.append(_record(jurisdiction, service, random, number, index, requested_at, now))
    return records


def _record(
    jurisdiction: Jurisdiction,
    service: Service,
    random: Random,
    number: int,
    index: int,
    requested_at: datetime,
    now: datetime,
) -> RequestRecord:
    place = _place(jurisdiction, index, random)
    draft = Draft(
        service=service,
        place=place,
        answers=_answers(service, random),
        requested_at=requested_at,
    )
    route = jurisdiction.route(draft)
    closed_at = requested_at + timedelta(hours=random.lognormvariate(3.8, 1.3))
    is_closed = closed_at < now and random.random() < 0.93
    changed_at = closed_at.replace(microsecond=0) if is_closed else requested_at
    return RequestRecord(
        jurisdiction_id=jurisdiction.id,
        number=number,
        service_request_id=jurisdiction.new_id(number, requested_at),
        service_code=service.code,
        status=Status.CLOSED if is_closed else Status.OPEN,
        status_notes=_note(random) if is_closed else "",
        description=f"Example {index}: {service.name}",
        department=route.department,
        route_reason=route.reason,
        is_triage=route.is_triage,
        service_notice=service.notice,
        requested_at=requested_at,
        updated_at=changed_at,
        changed_at=changed_at,
        expected_at=jurisdiction.due(service.code, route.department, requested_at, answers=draft.values),
        place=place,
        answers=draft.answers,
        source="example",
    )


def _moment(jurisdiction: Jurisdiction, random: Random, now: datetime) -> datetime:
    """A random instant in the last DAYS days. Its hour, in the city's time zone, follows `_HOURS`."""
    day = now.astimezone(jurisdiction.zone) - timedelta(days=random.uniform(0, DAYS))
    hour = random.choices(range(24), _HOURS)[0]
    moment = day.replace(hour=hour, minute=random.randrange(60), second=random.randrange(60), microsecond=0)
    return min(moment, now - timedelta(minutes=random.randrange(1, 600))).astimezone(now.tzinfo)


def _place(jurisdiction: Jurisdiction, index: int, random: Random) -> Place:
    """A random point inside the boundary, more often near the middle than near the edge.

    Without a boundary, the point is near the main place of the city's time zone. If no main place is known,
    the result is an address.
    """
    if jurisdiction.boundary is None:
        middle = place_of_zone(jurisdiction.time_zone)
        if middle is None:
            return Place(address=f"{index} Example Street")
        long, lat = (round(random.gauss(degrees, SPREAD_DEGREES), 6) for degrees in middle)
        return Place(lat=lat, long=long)
    point = _inside(jurisdiction.boundary, random)
    return Place(lat=round(point.y, 6), long=round(point.x, 6))


def _inside(boundary: BaseGeometry, random: Random) -> Point:
    west, south, east, north = boundary.bounds
    middle = boundary.representative_point()
    for _ in range(50):
        point = Point(random.gauss(middle.x, (east - west) / 6), random.gauss(middle.y, (north - south) / 6))
        if boundary.contains(point):
            return point
    return middle


def _answers(service: Service, random: Random) -> tuple[Answer, ...]:
    """Answers to the questions that people are asked. The id of an asset cannot be made up."""
    answered: dict[str, tuple[str, ...]] = {}
    for attribute in service.attributes:
        is_asked = attribute.variable and attribute.is_shown and not attribute.asset_layer
        if is_asked and first_unmet(attribute.only_if, answered) is None:
            answered[attribute.code] = (_answer(attribute, random),)
    return tuple(Answer(code, values) for code, values in answered.items())


def _answer(attribute: Attribute, random: Random) -> str:
    if attribute.datatype.is_list:
        return random.choice(attribute.values).key
    return {
        Datatype.NUMBER: str(random.randrange(1, 10)),
        Datatype.DATETIME: "2026-01-01T12:00:00Z",
    }.get(attribute.datatype, "Example")


def _note(random: Random) -> str:
    return random.choices([text for text, _ in _OUTCOMES], [weight for _, weight in _OUTCOMES])[0]
