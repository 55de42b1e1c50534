"""Values to test with: small, valid, changed where a test cares."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from open311.domain.places import Place
from open311.domain.requests import Record, ServiceRequest, Status
from open311.domain.services import Department, Service, ServiceType
from open311.operations.platform import Platform
from open311.operations.publishing import names_for, publish
from open311.plugins import Jurisdiction
from open311.plugins.registry import Registry
from open311.settings import Settings
from open311.storage import requests
from open311.storage.engine import open_database
from open311.storage.queue import Queue

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOLE = Service(code="potholes", name="Pothole", department="streets", notice="Seen within a day.")
TREE = Service(code="trees", name="Tree", department="parks", type=ServiceType.BATCH)
TALK = Service(code="hotline", name="Talk to us", type=ServiceType.BLACKBOX, notice="Thank you.")


def city(kind: type[Jurisdiction] = Jurisdiction, **changes: Any) -> Jurisdiction:
    """A jurisdiction of three services, one of each type, without a boundary."""
    values: dict[str, Any] = {
        "id": "test.example",
        "name": "Testville",
        "time_zone": "UTC",
        "services": (HOLE, TREE, TALK),
        "departments": (
            Department("streets", "Streets"),
            Department("parks", "Parks"),
            Department("desk", "Desk"),
        ),
        "triage": "desk",
    }
    return kind(**values | changes)


def platform(settings: Settings, *cities: Jurisdiction) -> Platform:
    """A platform that serves these cities."""
    database = open_database(settings.sqlalchemy_url, pool_size=settings.pool_size)
    registry = Registry({item.id: item for item in cities}, (), settings.ignore_wrong_jurisdiction)
    return Platform(settings, database, registry, Queue(database))


def service_request(**changes: Any) -> ServiceRequest:
    """What the public sees of an open request with a point and an address."""
    values: dict[str, Any] = {
        "service_request_id": "8841",
        "status": Status.OPEN,
        "service_code": "potholes",
        "service_name": "Pothole",
        "requested_at": NOON,
        "updated_at": NOON,
        "place": Place(lat=60.1718, long=24.9414, address="5 Mill Lane"),
    }
    return ServiceRequest(**values | changes)


def record(jurisdiction: Jurisdiction, *, number: int, at: datetime = NOON, **changes: Any) -> Record:
    """A pothole as it is kept, with the id R{number}; requested, updated and changed `at`."""
    values: dict[str, Any] = {
        "jurisdiction_id": jurisdiction.id,
        "number": number,
        "service_request_id": f"R{number}",
        "service_code": "potholes",
        "place": Place(lat=60.1718, long=24.9414),
        "requested_at": at,
        "updated_at": at,
        "changed_at": at,
    }
    return Record(**values | changes)


def store(platform: Platform, jurisdiction: Jurisdiction | None = None, **changes: Any) -> Record:
    """Store and publish a record as if it had come earlier; in the only city unless one is named."""
    found = jurisdiction or next(iter(platform.registry))
    with platform.database.transaction() as connection:
        stored = record(found, **{"number": platform.numbers.next(connection)} | changes)
        requests.insert_records(connection, [stored], "imported")
        publish(connection, [stored], names_for(connection, found))
    return stored
