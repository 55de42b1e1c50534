"""Our client and our server understand each other, and the README's program runs without the server's libraries."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from open311.clock import utc_now
from open311.federation.bodies import Format
from open311.federation.client import GeoReportClient, Limits, NewRequest, NewUpdate, Refused
from open311.federation.dialects import DialectPoint
from tests.conformance.conftest import Served
from tests.conformance.servers import REPOSITORY
from tests.conftest import CITY
from tests.spec.stub_extensions import NO_EXTENSIONS
from tests.spec.stub_server import StubServer, serve
from tests.working import work

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BARRED = ("flask", "flask_smorest", "werkzeug", "marshmallow", "sqlalchemy", "geoalchemy2", "psycopg", "psycopg2")
BAR = f"import sys; sys.modules.update(dict.fromkeys({BARRED!r}))\n"
FAULTS = (
    *("services are wrapped in JSON", "definition is an array in JSON", "discovery is wrapped in JSON"),
    *("token is an object in JSON", "single request is an object in JSON", "errors are wrapped in JSON"),
    *("wrong root of services", "wrong root of requests", "the root of errors is error"),
    *("XML is sent as application/xml", "XML has no declaration"),
    *(
        "unset group is null",
        "metadata is a word",
        "times have no zone",
        "coordinates are text",
    ),
    *("unset fields are left out", "errors have the status of success", "code is text", NO_EXTENSIONS),
)
"""The faults of the stub through which a client reads."""
FREE = Limits(rate_per_s=0)


@pytest.fixture(params=["json", "xml"])
def city(request: pytest.FixtureRequest, served: Served) -> Iterator[GeoReportClient]:
    """A client of our server, which asks for JSON or for XML."""
    with GeoReportClient(
        served.base_url, CITY, api_key=served.api_key, format=request.param, limits=FREE
    ) as client:
        yield client
        usual = {DialectPoint.RESERVED_IN_CODE}  # Demoville has such codes
        assert set(client.seen.points) <= usual, str(client.seen)


def test_discovery_and_catalogue_are_read(city: GeoReportClient) -> None:
    assert city.discovery().endpoints[0].type == "production"
    services = city.services()
    assert {"potholes", "Street:Lights & Poles"} <= {each.service_code for each in services}
    assert {each.type for each in services} >= {"realtime", "batch"}
    for service in services:
        if service.metadata:
            definition = city.definition(service.service_code)
            assert (definition.service_code, bool(definition.attributes)) == (service.service_code, True)
    assert city.definition("graffiti").attributes[0].values


def test_the_address_is_discovered(served: Served) -> None:
    url = f"{served.origin}/open311/discovery.xml"
    with GeoReportClient.discovered(url, CITY, limits=FREE) as client:
        assert (client.base_url, client.format) == (served.base_url, "xml")
        assert client.services()


def test_a_request_is_sent_once_and_found(city: GeoReportClient) -> None:
    new = NewRequest(
        service_code="graffiti",
        lat=60.1718,
        long=24.9414,
        description="On the bridge",
        email="jane@home.example",
        attribute={"SURFACE": "brick", "TAGS": ["a", "b"]},
    )
    key = f"sent-{city.format}-{utc_now().isoformat()}"
    receipt = city.post_request(new, key=key)
    assert city.post_request(new, key=key) == receipt
    found = city.request(receipt.service_request_id)
    assert (found.status, found.service_code, found.lat, found.long) == ("open", "graffiti", 60.1718, 24.9414)
    assert found.requested_datetime is not None
    assert found.requested_datetime.tzinfo is not None
    assert found in list(city.requests(service_code=["graffiti"], page_size=2))
    assert found in list(city.requests(start_date=utc_now() - timedelta(days=100), status=["open"]))


def test_pages_have_every_request_once(city: GeoReportClient) -> None:
    whole = [each.service_request_id for each in city.requests()]
    paged = [each.service_request_id for each in city.requests(page_size=3)]
    assert len(whole) > 6
    assert paged == whole


def test_a_token_becomes_an_id(city: GeoReportClient, served: Served) -> None:
    receipt = city.post_request(NewRequest(service_code="trees", lat=60.1718, long=24.9414))
    assert receipt.service_request_id == ""
    work(served.platform)
    assert city.token(receipt.token).service_request_id


def test_an_update_is_sent(city: GeoReportClient) -> None:
    receipt = city.post_request(NewRequest(service_code="potholes", lat=60.1718, long=24.9414))
    update = NewUpdate(
        service_request_id=receipt.service_request_id,
        update_id=f"{city.format}-{receipt.service_request_id}",
        status="fixed",
        updated_datetime=utc_now(),
        description="It is still there",
    )
    assert city.post_update(update).update_id == update.update_id
    assert city.warnings  # the status has no effect
    with pytest.raises(Refused, match=update.update_id) as caught:
        city.post_update(update)
    assert (caught.value.status, caught.value.is_uncertain) == (400, False)


def test_updates_that_are_read_have_a_time_and_a_status(city: GeoReportClient) -> None:
    now = utc_now()
    for update in city.updates(now - timedelta(days=20), now):
        assert update.updated_datetime is not None
        assert update.status


def test_errors_name_what_is_wrong(city: GeoReportClient) -> None:
    with pytest.raises(Refused, match="lat") as caught:
        city.post_request(NewRequest(service_code="graffiti", lat=95, long=24.9))
    assert caught.value.status == 400
    assert len(caught.value.problems) > 1
    with pytest.raises(Refused) as unknown:
        city.definition("no-such-service")
    assert unknown.value.status == 404


@pytest.fixture(scope="module")
def stubbed() -> Iterator[tuple[StubServer, str]]:
    """The stub of the conformance suite, and its origin."""
    stub = StubServer()
    with serve(stub) as origin:
        yield stub, origin


def everything(origin: str, format: Format) -> list[object]:
    """What a client reads from the stub."""
    url = f"{origin}/one/discovery.{format}"
    with GeoReportClient.discovered(url, "city.example", api_key="goodkey", limits=FREE) as client:
        services = client.services()
        requests = list(client.requests())
        receipt = client.post_request(NewRequest(service_code="trees", lat=60.1718, long=24.9414))
        with pytest.raises(Refused) as unknown:
            client.definition("no-such-thing-0")
        return [
            [replace(each, extra={}) for each in services],
            [client.definition(each.service_code) for each in services if each.metadata],
            [(each.service_request_id, each.status, each.lat, each.long, each.address) for each in requests],
            client.request(requests[0].service_request_id).service_code,
            bool(client.token(receipt.token).service_request_id),
            unknown.value.status,
        ]


@pytest.mark.parametrize("format", ["json", "xml"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_with_a_fault_is_read_like_a_server_without_faults(
    stubbed: tuple[StubServer, str], fault: str, format: Format
) -> None:
    stub, origin = stubbed
    stub.switch()
    expected = everything(origin, "json")
    stub.switch(fault)
    assert everything(origin, format) == expected


def test_the_program_of_the_readme_runs_without_the_libraries_of_the_server(served: Served) -> None:
    [program] = re.findall(r"```python\n(from open311\.federation.*?)```", README, re.DOTALL)
    assert len(program.strip().splitlines()) == 10
    program = program.replace("http://127.0.0.1:3111", served.origin).replace("YOUR-KEY", served.api_key)
    assert served.origin in program
    assert served.api_key in program
    done = subprocess.run(
        [sys.executable, "-c", BAR + program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "open" in done.stdout
