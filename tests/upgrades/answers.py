"""Reads what a server says about its requests: lists, single requests, tokens, downloads and the change feed by
HTTP; records, reporters and keys from the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from open311.domain.events import Event
from open311.operations.access.api_keys import list_keys
from open311.operations.platform import Platform
from open311.storage import requests
from open311.storage.history import load_events
from open311.storage.tables import reporter, request_token
from tests.upgrades.cities import OLDTOWN
from tests.waiting import settle

BASE = "/open311/v2"
BULK = "/open311/bulk/v1"
HEADERS = ("Content-Type", "Link", "X-Total-Count")
SPAN = {"start_date": "2026-02-01T00:00:00Z", "end_date": "2026-04-30T00:00:00Z"}
"""A query for the weeks of the recorded events. With these dates, no answer depends on the current day."""
LISTS: tuple[dict[str, str], ...] = (
    {"extensions": "true"},
    {"status": "open", "sort": "requested"},
    {"status": "closed", "sort": "updated", "updated_after": "2026-03-01T00:00:00Z"},
    {"service_code": "potholes,graffiti", "page_size": "3"},
    {"service_code": "wells"},
    {"service_code": "bridges"},
    {"lat": "60.1718", "long": "24.9414", "radius": "500"},
    {"bbox": "24.8,60.19,25.1,60.3", "extensions": "extended_attributes"},
    {"area": "North"},
    {"area": "Harbour"},
    {"q": "station"},
    {"q": "straßenlampe dark"},
    {"group": "Streets", "page_size": "2", "page": "2", "count": "true"},
    {"keyword": "paint"},
    {"agency_responsible": "Street Works"},
    {"agency_responsible": "Roads Agency"},
    {"has_photo": "true"},
)
CHANGES_A_STEP = 6
SINCE = ("2026-03-02T00:00:00Z", "2026-03-03T06:00:00Z", "2026-03-05T12:00:00Z")
"""Instants before the first mark of the change feed, and after each mark."""


def recorded(app: Flask, platform: Platform) -> dict[str, Any]:
    """All answers as JSON values."""
    settle(platform)
    client = app.test_client()
    document = {
        "calls": {path: _answer(client, path) for path in _paths(platform)},
        "records": _records(platform),
        "reporters": [
            _without(row, ("language", "sms_language"))
            for row in _rows(platform, select(reporter).order_by(reporter.c.request_id))
        ],
        "keys": [
            _without(asdict(key), ("may_update", "is_for_staff", "notice", "suspended_for", "things"))
            for key in list_keys(platform)
        ],
        "steps": {city.id: feed_steps(client, city.id) for city in platform.registry},
        "since": {at: feed_since(client, at) for at in SINCE},
    }
    return dict(orjson.loads(orjson.dumps(document)))


def _answer(client: FlaskClient, path: str) -> dict[str, Any]:
    response = client.get(path)
    headers = {name: response.headers[name] for name in HEADERS if name in response.headers}
    return {"status": response.status_code, "headers": headers, "body": response.text}


def _paths(platform: Platform) -> Iterator[str]:
    yield from _catalogue_paths(platform)
    for city in platform.registry:
        own = {"jurisdiction_id": city.id}
        for filters in LISTS if city is OLDTOWN else LISTS[:1]:
            yield f"{BASE}/requests.json?{urlencode(own | SPAN | filters)}"
        for ending in ("xml", "geojson", "csv", "ndjson", "atom"):
            yield f"{BASE}/requests.{ending}?{urlencode(own | SPAN | {'extensions': 'true'})}"
        for ending in ("csv", "json", "xml"):
            yield f"{BULK}/requests.{ending}?{urlencode(own)}"
    for record in _all_records(platform):
        if record.service_request_id:
            yield f"{BASE}/requests/{record.service_request_id}.json?jurisdiction_id={record.jurisdiction_id}"
    for row in _rows(platform, select(request_token).order_by(request_token.c.request_id)):
        yield f"{BASE}/tokens/{row['token']}.json?jurisdiction_id={row['jurisdiction_id']}"


def _catalogue_paths(platform: Platform) -> Iterator[str]:
    yield f"{BASE}/discovery.json"
    yield f"{BASE}/jurisdictions.json"
    for city in platform.registry:
        yield f"{BASE}/services.json?jurisdiction_id={city.id}"
        yield f"{BASE}/areas.json?jurisdiction_id={city.id}"
        for service in city.services:
            yield f"{BASE}/services/{quote(service.code, safe='')}.json?jurisdiction_id={city.id}"


def _all_records(platform: Platform) -> list[Any]:
    with platform.database.transaction() as connection:
        return [
            record
            for city in platform.registry
            for record in requests.load_batch(connection, city.id, after=0, rows=1_000)
        ]


def _records(platform: Platform) -> dict[str, Any]:
    """The view of staff: every record with its history, by the number of the record."""
    records = _all_records(platform)
    with platform.database.transaction() as connection:
        return {
            f"{record.jurisdiction_id} {record.number}": {
                "record": _record_fields(record),
                "events": [
                    _event_line(event) for event in load_events(connection, record.jurisdiction_id, record.number)
                ],
            }
            for record in records
        }


LATER = (
    *("version", "progress", "progress_detail", "assignee", "priority", "scheduled_at", "held_since"),
    *("merged_into", "unmasked"),
)
"""The fields of a record that release 0.1 did not have."""


def _without(fields: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def _record_fields(record: Any) -> dict[str, Any]:
    """The fields of a record as release 0.1 had them: without the fields in LATER.

    Of each answer, they have only the code and the values.
    """
    found = _without(asdict(record), LATER)
    found["answers"] = [{"code": answer.code, "values": list(answer.values)} for answer in record.answers]
    return found


def _event_line(event: Event) -> dict[str, Any]:
    """An event in the form of release 0.1: a kind, a line of text and whether it is public."""
    kind = "note" if event.kind == "outside" else event.kind  # release 0.1 had no kind "outside"
    return {"at": event.at, "kind": kind, "description": event.description, "is_public": event.is_public}


def _rows(platform: Platform, statement: Any) -> list[dict[str, Any]]:
    with platform.database.reading() as connection:
        return [{str(name): value for name, value in row._mapping.items()} for row in connection.execute(statement)]


def feed_steps(client: FlaskClient, city: str, cursor: str = "") -> list[dict[str, Any]]:
    """The change feed in small pages: the cursor and the items of each page."""
    query = {"jurisdiction_id": city, "page_size": CHANGES_A_STEP, "extensions": "true"}
    steps: list[dict[str, Any]] = []
    is_caught_up = False
    while not is_caught_up:
        response = client.get(f"{BASE}/changes.json?{urlencode(query | {'cursor': cursor})}")
        assert response.status_code == 200, response.text
        steps.append({"cursor": cursor, "items": response.json})
        cursor, is_caught_up = response.headers["X-Cursor"], response.headers["X-Caught-Up"] == "true"
    return [*steps, {"cursor": cursor, "items": []}]


def feed_since(client: FlaskClient, at: str) -> list[str]:
    """The ids in Oldtown's change feed after an instant."""
    response = client.get(f"{BASE}/changes.json?{urlencode({'jurisdiction_id': OLDTOWN.id, 'since': at})}")
    assert response.status_code == 200, response.text
    return [item["service_request_id"] for item in response.json or ()]
