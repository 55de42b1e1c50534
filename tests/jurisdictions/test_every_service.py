"""Every service of every built-in city accepts a request over HTTP and routes it to a department."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from open311.app import create_app
from open311.clock import utc_now
from open311.domain.requests import RequestRecord
from open311.operations.access.api_keys import add_key
from open311.operations.intake.resolve_token import resolve_token
from open311.operations.platform import Platform
from open311.operations.reading.find_requests import find_token
from open311.operations.workflow.read_request import read_history
from open311.plugins import Jurisdiction, Service, ServiceType
from open311.plugins.registry import load_registry
from open311.plugins.testing import example_answer, example_place
from open311.settings import Settings
from open311.storage import requests
from open311.storage.engine import Connection
from tests.checked_client import platform_of

REPOSITORY = Path(__file__).parents[2]
CITIES = sorted(load_registry(()).jurisdictions)


@pytest.fixture(scope="module")
def app(make_database: Callable[[str], str]) -> Iterator[Flask]:
    """One server with all built-in cities and its own database."""
    found = create_app(Settings(database_url=make_database("cities"), post_rate="", log_level="error"))
    yield found
    platform_of(found).close()


@pytest.fixture(scope="module")
def platform(app: Flask) -> Platform:
    return platform_of(app)


@pytest.fixture(scope="module")
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="module")
def key(platform: Platform) -> str:
    return add_key(platform, label="tests", now=utc_now())[1]


def test_all_built_in_cities_are_served() -> None:
    folders = {path.parent.name for path in (REPOSITORY / "jurisdictions").glob("*/jurisdiction.toml")}
    assert len(CITIES) == len(folders), "register each folder as an entry point in setup.cfg"
    assert load_registry(()).faults == ()


@pytest.mark.parametrize("jurisdiction_id", CITIES)
def test_every_service_accepts_a_request_and_routes_it(
    client: FlaskClient, platform: Platform, key: str, jurisdiction_id: str
) -> None:
    jurisdiction = platform.registry.jurisdictions[jurisdiction_id]
    listed = client.get("/open311/v2/services.json", query_string={"jurisdiction_id": jurisdiction_id}).json
    assert len(listed) == len(jurisdiction.listed(jurisdiction.in_season(utc_now())))
    faults = []
    for item in listed:
        service = jurisdiction.service(item["service_code"])
        assert service is not None
        response = client.post("/open311/v2/requests.json", data=report(jurisdiction, service, key))
        if response.status_code != 200 or len(response.json) != 1:
            faults.append(f"{service.code}: {response.status_code} {response.text}")
            continue
        record = stored_record(platform, jurisdiction, service, response.json[0])
        faults += [f"{service.code}: {fault}" for fault in misroutings(jurisdiction, service, record)]
    assert not faults, "\n".join(faults)


def report(jurisdiction: Jurisdiction, service: Service, key: str) -> dict[str, Any]:
    """A form for a request: a service, a point in the city and the required answers."""
    place = example_place(jurisdiction, service)
    answers = {
        f"attribute[{attribute.code}]": example_answer(attribute)
        for attribute in service.attributes
        if attribute.required and attribute.variable
    }
    return {
        "api_key": key,
        "jurisdiction_id": jurisdiction.id,
        "service_code": service.code,
        "lat": str(place.lat),
        "long": str(place.long),
        **answers,
    }


def stored_record(
    platform: Platform, jurisdiction: Jurisdiction, service: Service, receipt: dict[str, Any]
) -> RequestRecord:
    """The stored record of a receipt. If the receipt has a token, the token is resolved first."""
    names = {name for name in ("service_request_id", "token") if name in receipt}
    if service.type is ServiceType.BLACKBOX:
        assert names == set()
        return newest(platform, jurisdiction)
    if service.type is ServiceType.BATCH:
        assert names == {"token"}
        token = receipt["token"]
        number = newest(platform, jurisdiction).number
        resolve_token(platform, jurisdiction.id, number, token, utc_now())
        found = find_token(platform, jurisdiction.id, token).service_request_id
    else:
        assert names == {"service_request_id"}
        found = receipt["service_request_id"]
    record, _ = read_history(platform, jurisdiction, found)
    return record


def newest(platform: Platform, jurisdiction: Jurisdiction) -> RequestRecord:
    """The request of a city that was stored last."""
    with platform.database.transaction() as connection:
        record = requests.load_record(connection, jurisdiction.id, number=_last_number(connection, jurisdiction.id))
    assert record is not None
    return record


def _last_number(connection: Connection, jurisdiction_id: str) -> int:
    number: int = connection.exec_driver_sql(
        "SELECT max(id) FROM service_request WHERE jurisdiction_id = %(city)s", {"city": jurisdiction_id}
    ).scalar_one()
    return number


def misroutings(jurisdiction: Jurisdiction, service: Service, record: RequestRecord) -> Iterator[str]:
    """The faults in the routing of a request: no department, an undeclared one, or triage by mistake."""
    if record.service_code != service.code:
        yield f"was stored as {record.service_code}"
    if record.department not in {department.code for department in jurisdiction.departments}:
        yield f"went to {record.department!r}, which is not declared"
    if record.route_reason == "routing failed":
        yield "its routing failed"
    is_meant_for_triage = not service.department and record.route_reason == "triage"
    if record.is_triage != is_meant_for_triage:
        yield f"went to {record.department} by {record.route_reason}; triage is for services without a department"
    if record.is_triage and record.department != jurisdiction.triage:
        yield f"is marked for triage, but went to {record.department}"
    if record.is_outside:
        yield "its point is inside, but it was marked as outside"
