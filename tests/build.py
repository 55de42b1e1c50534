"""Makes small, valid values for tests. A keyword argument replaces a field of a value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from open311.domain import commands
from open311.domain.access import SHELL, Principal
from open311.domain.commands import Command
from open311.domain.events import Event, Imported, VisibilityChanged
from open311.domain.places import Place
from open311.domain.requests import PublicRequest, Receipt, RequestRecord, Status, Submission, Visibility
from open311.domain.services import Department, Service, ServiceType
from open311.domain.workflow import Outcome
from open311.formats.writing import bulk_csv_line
from open311.operations.access.api_keys import add_key, require_key
from open311.operations.intake.submit_request import submit_request
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.act import act
from open311.operations.workflow.apply import add_requests, change_requests, load_request
from open311.operations.workflow.read_request import read_history
from open311.plugins import Jurisdiction
from open311.plugins.registry import Registry
from open311.settings import Settings
from open311.storage import requests
from open311.storage.engine import open_database
from open311.storage.history import load_events
from open311.storage.queue import Queue, Task

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
# If an event has a field of another type, add an example here, and add the type to `plain` and `_value` in
# domain/events.
EVENT_FIELDS: dict[str, Any] = {
    "str": "some text",
    "str | None": "8841",
    "int": 41,
    "bool": True,
    "bool | None": False,
    "datetime": datetime(2026, 3, 2, 8, tzinfo=UTC),
    "datetime | None": datetime(2026, 3, 2, 9, tzinfo=UTC),
    "tuple[str, ...]": ("one", "two"),
    "tuple[str, ...] | None": ("one", "two"),
}
EVENT_STATE = {"status": "closed", "visibility": "unlisted"}
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
    """A platform that serves the given cities."""
    database = open_database(settings.sqlalchemy_url, pool_size=settings.pool_size)
    registry = Registry({item.id: item for item in cities}, (), settings.ignore_wrong_jurisdiction)
    return Platform(settings, database, registry, Queue(database))


def service_request(**changes: Any) -> PublicRequest:
    """The public view of an open request with a point and an address."""
    values: dict[str, Any] = {
        "service_request_id": "8841",
        "status": Status.OPEN,
        "service_code": "potholes",
        "service_name": "Pothole",
        "requested_at": NOON,
        "updated_at": NOON,
        "place": Place(lat=60.1718, long=24.9414, address="5 Mill Lane"),
    }
    return PublicRequest(**values | changes)


def record(jurisdiction: Jurisdiction, *, number: int, at: datetime = NOON, **changes: Any) -> RequestRecord:
    """The record of a pothole request with the id R{number}; `at` is its time of opening, update and change."""
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
    if "visibility" in changes:
        changes["visibility"] = Visibility(changes["visibility"])
    return RequestRecord(**values | changes)


def store(platform: Platform, **changes: Any) -> RequestRecord:
    """Store and publish one record in the only city, as if the request had been sent earlier."""
    with platform.database.transaction():
        number = platform.process.numbers.next(platform.database.hot)
    (stored,) = store_all(platform, [{"number": number} | changes])
    return stored


def store_all(platform: Platform, changes: Iterable[Mapping[str, Any]]) -> list[RequestRecord]:
    """Store and publish many records in the only city; each has its `number`."""
    (jurisdiction,) = platform.registry
    stored = [record(jurisdiction, **change) for change in changes]
    with platform.database.transaction() as connection:
        requests.insert_records(connection, stored)
        add_requests(connection, [(one, [imported(one)]) for one in stored], names_for(connection, jurisdiction))
    return stored


def imported(record: RequestRecord) -> Imported:
    """The event of an imported record."""
    return Imported(
        at=record.requested_at, cause="test", is_new=True, status=record.status, department=record.department
    )


def multiply(platform: Platform, original: RequestRecord, count: int) -> None:
    """Insert many copies of a stored record, with the ids M1, M2, …, by one statement for each table."""
    ids = "'id', 1000000 + n, 'service_request_id', 'M' || n"
    bodies = ", ".join(
        f"'{name}', replace({name}, '{before}{original.service_request_id}{after}', '{before}M' || n || '{after}')"
        for name, before, after in (("json", '"', '"'), ("xml", ">", "<"), ("bulk_csv", "", ","))
    )
    columns = {"service_request": ids, "publication": f"{ids}, {bodies}, 'digest', n"}
    with platform.database.transaction() as connection:
        for table, changes in columns.items():
            statement = (
                f"INSERT INTO {table} SELECT copy.* FROM {table} AS original, generate_series(1, :count) AS n,"
                f" LATERAL jsonb_populate_record(original, jsonb_build_object({changes})) AS copy"
                " WHERE original.id = :id"
            )
            connection.execute(text(statement), {"count": count, "id": original.number})
            connection.execute(
                text(f"ANALYZE {table}")
            )  # without statistics, foreign key checks scan the whole table


def submit(platform: Platform, *, key: Principal | None = None, now: datetime = NOON, **fields: Any) -> Receipt:
    """Send a request to the only city as the API does; by default a pothole with a point."""
    fields_sent = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414"} | fields
    jurisdiction = next(iter(platform.registry))
    return submit_request(
        platform, Submission(**fields_sent), jurisdiction=jurisdiction, principal=key or api_key(platform), now=now
    )


def api_key(platform: Platform, **changes: Any) -> Principal:
    """A new key, by default for all jurisdictions."""
    wanted: dict[str, Any] = {"label": "tests", "now": NOON} | changes
    _, secret = add_key(platform, **wanted)
    return require_key(platform, secret)


def change(
    platform: Platform,
    name: str,
    *,
    status: str | None = None,
    note: str = "",
    department: str | None = None,
    visibility: Visibility | None = None,
    expected_at: datetime | None = None,
    now: datetime = NOON,
    version: int | None = None,
    city: Jurisdiction | None = None,
) -> RequestRecord:
    """Change a request by commands, as an operator does in the shell. Skip a value that the request already has."""
    city = city or next(iter(platform.registry))
    record, _ = read_history(platform, city, name)
    orders: list[Command] = []
    if status == Status.OPEN != record.status:
        orders.append(commands.Reopen(note=note, reason="It is back."))
    if department not in (None, record.department):
        orders.append(commands.Transfer(department=str(department)))
    if status == Status.CLOSED != record.status:
        orders.append(commands.Close(outcome=Outcome.UNKNOWN, note=note))
    if note and status in (None, record.status):
        orders.append(commands.Note(text=note, public=True))
    if expected_at not in (None, record.expected_at):
        orders.append(commands.Reschedule(expected=expected_at, reason="It takes longer."))
    after = act(platform, city, name, orders, principal=SHELL, now=now, version=version)
    return after if visibility in (None, record.visibility) else _show(platform, city, name, visibility, now)


def _show(
    platform: Platform, city: Jurisdiction, name: str, visibility: Visibility | None, now: datetime
) -> RequestRecord:
    """Give a request any visibility, also one that no command gives."""
    with platform.database.transaction() as connection:
        record = load_request(connection, city, name)
        event = VisibilityChanged(at=now, actor="shell", old=record.visibility, new=str(visibility))
        [after] = change_requests(connection, [(record, [event])], names_for(connection, city))
    return after


def load(platform: Platform, **key: Any) -> RequestRecord:
    """The record in the only city that has this service_request_id or number."""
    jurisdiction = next(iter(platform.registry))
    with platform.database.transaction() as connection:
        record = requests.load_record(connection, jurisdiction.id, **key)
    assert record is not None, key
    return record


def history(platform: Platform, record: RequestRecord) -> list[Event]:
    """The events of a record, oldest first."""
    with platform.database.reading() as connection:
        return load_events(connection, record.jurisdiction_id, record.number)


def jobs(platform: Platform, task: Task) -> list[dict[str, Any]]:
    """The jobs of a task, oldest first: args, status, scheduled_at."""
    statement = text(
        "SELECT args, status, scheduled_at FROM procrastinate_jobs WHERE task_name = :task ORDER BY id"
    )
    with platform.database.reading() as connection:
        return [dict(row._mapping) for row in connection.execute(statement, {"task": task})]


def bulk_lines(items: Iterable[bytes]) -> list[bytes]:
    """The lines of GeoReport Bulk for the items of a list with extensions."""
    requests_and_extensions = map(json.loads, items)
    return [
        bulk_csv_line(request, request.get("extended_attributes", {})).encode()
        for request in requests_and_extensions
    ]


def event(kind: type[Event], **changes: Any) -> Event:
    """An event of a kind, with every field filled, but without a note."""
    own = {field.name: str(field.type) for field in fields(kind)} | {"at": "str", "version": "str"}
    values = {name: EVENT_STATE.get(name, EVENT_FIELDS[type_]) for name, type_ in own.items()}
    envelope = {"at": NOON, "actor": "key:3", "cause": "why", "version": 2, "note": "", "reason": "because"}
    return kind(**values | envelope | changes)
