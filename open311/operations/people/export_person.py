"""Export what a city has of a person, so that the person can read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from open311.domain.access import Principal
from open311.domain.events import Event
from open311.domain.people import Person
from open311.domain.requests import Reporter, RequestRecord
from open311.operations.people.named import Told, require_right, told_systems
from open311.operations.platform import Platform
from open311.operations.publishing import notes_of
from open311.plugins import Jurisdiction
from open311.storage import audit, history, people, requests, tokens
from open311.storage.audit import Entry
from open311.storage.engine import Connection
from open311.storage.updates import Received

EXPORT_PERSON = "reporter.export"
AT_ONCE = 200
"""How many requests one page has."""


@dataclass(frozen=True, slots=True)
class ExportPage:
    """Some of a person's requests, as plain data. `last`: the number of the last one; 0 if no page follows."""

    requests: Sequence[dict[str, Any]]
    last: int


def export_person(
    platform: Platform,
    city: Jurisdiction,
    person: Person,
    *,
    reason: str,
    principal: Principal,
    now: datetime,
    after: int = 0,
) -> Iterator[ExportPage]:
    """Read what the city has of a person, page by page. The audit trail keeps who read it and why.

    A request of somebody else is there with the updates that the person sent, and with nothing of the other person.
    after  the number of a request: only requests with higher numbers
    Raises Forbidden and Invalid: see `require_right`.
    """
    why = require_right(principal, city, person, reason)
    with platform.database.transaction() as connection:
        entry = Entry(
            jurisdiction_id=city.id,
            at=now,
            actor=str(principal),
            act=EXPORT_PERSON,
            reason=why,
            details={"found_by": list(person.named_by), "after": after},
        )
        audit.add_entry(connection, entry)
    while True:
        with platform.database.snapshot() as connection:
            page = _page(platform, connection, city, person, after)
        yield page
        if not page.last:
            return
        after = page.last


def _page(platform: Platform, connection: Connection, city: Jurisdiction, person: Person, after: int) -> ExportPage:
    found = people.numbers_of(connection, city.id, person, after=after, rows=AT_ONCE + 1)
    numbers = found[:AT_ONCE]
    records = requests.load_numbers(connection, city.id, numbers)
    own = people.reporters_of(connection, city.id, numbers, person)
    told: dict[int, list[Told]] = {}
    for one in told_systems(platform, connection, city, own):
        told.setdefault(one.number, []).append(one)
    sent: dict[int, list[Received]] = {}
    for update in people.updates_of(connection, city.id, numbers, person):
        sent.setdefault(update.request_id, []).append(update)
    histories = history.load_histories(connection, city.id, numbers)
    known = tokens.tokens_of(connection, city.id, list(own))
    plain = [
        _plain_request(
            city,
            records[number],
            own.get(number),
            known.get(number, ""),
            histories.get(number, ()),
            sent.get(number, ()),
            told.get(number, ()),
        )
        for number in numbers
        if number in records
    ]
    return ExportPage(plain, numbers[-1] if len(found) > AT_ONCE else 0)


def _plain_request(
    city: Jurisdiction,
    record: RequestRecord,
    reporter: Reporter | None,
    token: str,
    events: Sequence[Event],
    sent: Sequence[Received],
    told: Sequence[Told],
) -> dict[str, Any]:
    """A request of a person (PersonRequestSchema)."""
    service = city.service(record.service_code)
    return {
        "number": record.number,
        "service_request_id": record.service_request_id or None,
        "token": token or None,
        "service_code": record.service_code,
        "service_name": service.name if service else record.service_code,
        "status": str(record.status),
        "requested_datetime": record.requested_at,
        "updated_datetime": record.updated_at,
        "report": None if reporter is None else _plain_report(record, reporter, events),
        "updates": [_plain_update(one, events) for one in sent],
        "systems": [
            {"system": one.system, "shared": None if one.shared is None else list(one.shared)} for one in told
        ],
    }


def _plain_report(record: RequestRecord, reporter: Reporter, events: Sequence[Event]) -> dict[str, Any]:
    """What the person reported, and what the city answered (PersonReportSchema)."""
    place = record.place
    return {
        **_plain_fields(asdict(reporter)),
        "description": record.description or None,
        "address": place.address or None,
        "zipcode": place.zipcode or None,
        "lat": place.lat,
        "long": place.long,
        "answers": [{"code": one.code, "values": list(one.values)} for one in record.answers],
        "media_urls": list(record.media_urls),
        "status_notes": record.status_notes or None,
        "notes": [
            {"datetime": note.at, "type": note.type, "description": note.description or None}
            for note in notes_of(events)
        ],
    }


def _plain_update(one: Received, events: Sequence[Event]) -> dict[str, Any]:
    """An update that the person sent (PersonUpdateSchema)."""
    texts = [event.note for event in events if event.version == one.version and event.note]
    names = ("email", "first_name", "last_name", "phone", "account_id")
    return {
        "update_id": one.update_id,
        "updated_datetime": one.at,
        "description": "\n".join(texts) or None,
        "media_urls": list(one.media_urls),
        **_plain_fields({name: getattr(one, name) for name in names}),
    }


def _plain_fields(values: Mapping[str, str]) -> dict[str, str | None]:
    return {name: value or None for name, value in values.items()}
