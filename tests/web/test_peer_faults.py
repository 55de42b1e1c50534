"""Faults of other servers, each with a test that this server does not have it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree
from werkzeug.test import TestResponse

from open311.clock import utc_now
from open311.domain.places import Place
from open311.domain.requests import Status
from open311.jobs.dispatching import dispatch_all
from open311.operations.access.api_keys import add_key
from open311.operations.platform import Platform
from open311.plugins import Draft, Jurisdiction, Service
from open311.storage.queue import Task
from tests import build
from tests.checked_client import platform_of

BASE = "/open311/v2"
MakeApp = Callable[..., Flask]
Post = Callable[..., TestResponse]
both_formats = pytest.mark.parametrize("format", ["json", "xml"])


def ids(response: TestResponse) -> list[str]:
    assert response.status_code == 200, response.text
    if response.mimetype == "application/json":
        return [item["service_request_id"] for item in response.json]
    return [element.text or "" for element in etree.fromstring(response.data).iter("service_request_id")]


def field(response: TestResponse, name: str) -> str | None:
    """A field of the only request in a body of either format, as text."""
    if response.mimetype == "application/json":
        (item,) = response.json
        return None if item[name] is None else str(item[name])
    return str(etree.fromstring(response.data).findtext(f"request/{name}") or "") or None


def error_codes(response: TestResponse) -> set[int]:
    if response.mimetype == "application/json":
        return {row["code"] for row in response.json}
    return {int(element.text or 0) for element in etree.fromstring(response.data).iter("code")}


@pytest.fixture
def ocean(make_app: MakeApp) -> Flask:
    """A server of one city without a boundary."""
    return make_app(build.city())


@both_formats
@pytest.mark.requirement("C117")
@pytest.mark.parametrize(("lat", "long"), [("0", "0"), ("0", "24.9"), ("60.17", "0"), ("-0.0", "0.000")])
def test_zero_is_stored_and_returned_as_a_coordinate(ocean: Flask, format: str, lat: str, long: str) -> None:
    build.submit(platform_of(ocean), lat=lat, long=long, now=utc_now())
    answer = ocean.test_client().get(f"{BASE}/requests.{format}")
    assert (float(field(answer, "lat") or "x"), float(field(answer, "long") or "x")) == (float(lat), float(long))


@both_formats
@pytest.mark.requirement("C187")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=open,closed", {"O", "C"}),
        ("status=open&status=closed", {"O", "C"}),
        ("status=closed", {"C"}),
        ("status=open", {"O"}),
    ],
)
def test_every_value_of_a_status_list_is_read(
    client: FlaskClient, platform: Platform, format: str, query: str, expected: set[str]
) -> None:
    build.store(platform, service_request_id="O", at=utc_now())
    build.store(platform, service_request_id="C", at=utc_now(), status=Status.CLOSED)
    assert set(ids(client.get(f"{BASE}/requests.{format}?{query}"))) == expected


@both_formats
@pytest.mark.requirement("C239")
@pytest.mark.parametrize("path", ["requests/nope", "requests/1,2", "services/nope", "tokens/nope"])
def test_an_unknown_id_gets_404_with_an_error_body(client: FlaskClient, format: str, path: str) -> None:
    answer = client.get(f"{BASE}/{path}.{format}")
    assert answer.status_code == 404
    assert error_codes(answer) == {404}
    assert answer.content_type == {"json": "application/json", "xml": "text/xml"}[format] + "; charset=utf-8"


@both_formats
@pytest.mark.requirement("C094")
@pytest.mark.parametrize("sent", [{}, {"api_key": "wrong"}, {"api_key": ""}])
def test_a_missing_or_wrong_key_gets_403_in_status_and_body(
    client: FlaskClient, format: str, sent: dict[str, str]
) -> None:
    answer = client.post(f"{BASE}/requests.{format}", data={"service_code": "potholes", "lat": "60", **sent})
    assert answer.status_code == 403
    assert error_codes(answer) == {403}
    assert "api_key" in answer.text
    assert "long" not in answer.text, "a caller without a key gets no other error"


def test_the_parameter_long_cannot_be_sent_as_lon_and_jurisdiction_id_is_accepted(
    client: FlaskClient, post: Post
) -> None:
    refused = post(service_code="potholes", lat=60.17, lon=24.94)
    assert refused.status_code == 400
    assert refused.json[0]["description"].startswith("long: is missing")
    taken = post(service_code="potholes", lat=60.17, long=24.94, jurisdiction_id="city.example")
    assert taken.status_code == 200
    assert len(client.get(f"{BASE}/requests.json?jurisdiction_id=city.example").json) == 1


@pytest.mark.requirement("C266")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("lat=60&long=25&radius=90", {"centre"}),
        ("lat=60&long=25&radius=101", {"centre", "north", "east"}),
        ("lat=25&long=60&radius=50000", set()),
        ("lat=0&long=180&radius=20000", {"west of the line", "east of the line"}),
        ("lat=0&long=-179.95&radius=20000", {"west of the line", "east of the line"}),
        ("bbox=179.9,-1,-179.9,1", {"west of the line", "east of the line"}),
        ("bbox=24.9,59.9,25.1,60.1", {"centre", "north", "east"}),
    ],
)
def test_radius_unit_axis_order_and_antimeridian_are_right(ocean: Flask, query: str, expected: set[str]) -> None:
    places = {
        "centre": (60.0, 25.0),
        "north": (60.0009, 25.0),  # 100 m
        "east": (60.0, 25.0018),  # 100 m at this latitude; 200 m if the axes were swapped
        "west of the line": (0.0, 179.95),
        "east of the line": (0.0, -179.95),
    }
    for name, (lat, long) in places.items():
        place = Place(lat=lat, long=long)
        build.store(platform_of(ocean), service_request_id=name, place=place, at=utc_now())
    assert set(ids(ocean.test_client().get(f"{BASE}/requests.json?{query}"))) == expected


def definitions(client: FlaskClient) -> Iterator[tuple[str, str]]:
    """(jurisdiction_id, service_code) of every service of every built-in city."""
    for city in client.get("/", headers={"Accept": "application/json"}).json["jurisdictions"]:
        found = city["jurisdiction_id"]
        for service in client.get(f"{BASE}/services.json?jurisdiction_id={found}").json:
            yield found, service["service_code"]


@pytest.mark.requirement("C072")
def test_every_definition_of_every_city_is_well_formed_xml(make_app: MakeApp) -> None:
    app = make_app(jurisdictions=())
    app.test_client_class = (
        None  # The plain client is quicker for hundreds of services; other tests compare both formats.
    )
    client = app.test_client()
    seen = 0
    for city, code in definitions(client):
        answer = client.get(f"{BASE}/services/{quote(code, safe='')}.xml?jurisdiction_id={city}")
        assert answer.status_code == 200, (city, code)
        assert etree.fromstring(answer.data).findtext("service_code") == code
        seen += 1
    assert seen > 500


def test_a_box_combines_with_the_other_filters(client: FlaskClient, platform: Platform) -> None:
    inside, outside = Place(lat=60.15, long=24.95), Place(lat=60.2, long=24.95)
    for name, code, place, status in [
        ("wanted", "potholes", inside, Status.OPEN),
        ("elsewhere", "potholes", outside, Status.OPEN),
        ("other service", "trees", inside, Status.OPEN),
        ("done", "potholes", inside, Status.CLOSED),
    ]:
        build.store(platform, service_request_id=name, service_code=code, place=place, status=status, at=utc_now())
    query = "bbox=24.9,60.1,25.0,60.18&service_code=potholes&status=open"
    assert ids(client.get(f"{BASE}/requests.json?{query}")) == ["wanted"]


@both_formats
@pytest.mark.requirement("C200")
@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("start_date=yesterday", "start_date"),
        ("end_date=2024-02-30", "end_date"),
        ("updated_after=1714557600", "updated_after"),
        ("lat=60&long=25&radius=wide", "radius"),
        ("lat=60&long=25&radius=-5", "radius"),
        ("lat=60&long=25&radius=1e3", "radius"),
        ("lat=60&long=25&radius=50001", "radius"),
        ("lat=60&radius=25", "long"),
        ("radius=100", "lat"),
        ("lat=95&long=25&radius=10", "lat"),
        ("order_by=password", "sort"),
        ("sort=requested;drop", "sort"),
        ("bbox=1,2,3", "bbox"),
        ("bbox=1,2,3,x", "bbox"),
        ("bbox=1,3,2,2", "bbox"),
        ("page=one", "page"),
        ("page_size=0", "page_size"),
        ("page_size=-1", "page_size"),
        ("limit=many", "page_size"),
        ("status=finished", "status"),
    ],
)
def test_a_bad_argument_gets_400_and_the_error_names_it(
    client: FlaskClient, format: str, query: str, name: str
) -> None:
    answer = client.get(f"{BASE}/requests.{format}?{query}")
    assert answer.status_code == 400
    assert error_codes(answer) == {400}
    assert f"{name}: " in answer.text


@both_formats
@pytest.mark.requirement("C195")
def test_start_date_and_end_date_are_not_swapped(client: FlaskClient, platform: Platform, format: str) -> None:
    for day in (1, 2, 3):
        build.store(platform, service_request_id=str(day), at=build.NOON.replace(day=day))
    query = "start_date=2026-03-02T00:00:00Z&end_date=2026-03-02T23:59:59Z"
    assert ids(client.get(f"{BASE}/requests.{format}?{query}")) == ["2"]
    swapped = client.get(f"{BASE}/requests.{format}?start_date=2026-03-03&end_date=2026-03-01")
    assert swapped.status_code == 400


def test_xml_has_the_standards_names_and_json_is_an_array(
    client: FlaskClient, post: Post, platform: Platform
) -> None:
    post(service_code="potholes", lat=60.17, long=24.94)
    post(service_code="trees", lat=60.17, long=24.94)
    dispatch_all(platform)
    (job,) = build.jobs(platform, Task.RESOLVE)
    for path, root, item in [
        ("services", "services", "service"),
        ("requests", "service_requests", "request"),
        (f"requests/{ids(client.get(f'{BASE}/requests.json'))[0]}", "service_requests", "request"),
        (f"tokens/{job['args']['token']}", "service_requests", "request"),
        ("requests/nope", "errors", "error"),
    ]:
        document = etree.fromstring(client.get(f"{BASE}/{path}.xml").data)
        assert (document.tag, {child.tag for child in document}) == (root, {item}), path
        assert isinstance(client.get(f"{BASE}/{path}.json").json, list), path


@both_formats
@pytest.mark.requirement("C154")
@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/x.jpg",
        "http://LOCALHOST./x.jpg",
        "http://127.0.0.1/x.jpg",
        "http://127.1/x.jpg",
        "http://2130706433/x.jpg",
        "http://0x7f.0.0.1/x.jpg",
        "http://0177.0.0.1/x.jpg",
        "http://0/x.jpg",
        "http://10.1.2.3/x.jpg",
        "http://192.168.1.1:8080/x.jpg",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/x.jpg",
        "http://[::ffff:127.0.0.1]/x.jpg",
        "http://[fd00::1]/x.jpg",
        "http://100.64.0.1/x.jpg",
        "http://printer/x.jpg",
        "http://db.internal/x.jpg",
        "http://nas.local/x.jpg",
        "http://user:secret@pictures.example/x.jpg",
        "https://pictures.example\\@127.0.0.1/x.jpg",
        "https://pictures.example:port/x.jpg",
        "ftp://pictures.example/x.jpg",
        "javascript:alert(1)",
        "//pictures.example/x.jpg",
        "https://pictures.example/a b.jpg",
        'https://pictures.example/"onload="x',
        "https://" + "x" * 2000 + ".example/",
        "https://",
    ],
)
def test_a_media_url_without_a_public_host_is_refused(post: Post, format: str, url: str) -> None:
    answer = post(format=format, service_code="potholes", lat=60.17, long=24.94, media_url=url)
    assert answer.status_code == 400
    assert "media_url: " in answer.text


@pytest.mark.requirement("C155")
@pytest.mark.parametrize(
    "url",
    [
        "https://pictures.example/1.jpg?size=2&x=%20",
        "http://93.184.216.34/1.jpg",
        "http://[2606:2800:220:1::1]:8080/1.jpg",
        "https://bücher.example/ü.jpg",
    ],
)
def test_a_public_media_url_is_accepted_and_the_first_of_several_shown(
    client: FlaskClient, post: Post, url: str
) -> None:
    pairs = [("media_url", url), ("media_url", "https://pictures.example/2.jpg")]
    assert post(pairs, service_code="potholes", lat=60.17, long=24.94).status_code == 200
    assert client.get(f"{BASE}/requests.json").json[0]["media_url"] == url


@both_formats
@pytest.mark.requirement("C166")
@pytest.mark.parametrize("kind", ["form", "multipart"])
def test_the_size_of_a_post_is_limited(make_app: MakeApp, format: str, kind: str) -> None:
    client = make_app(max_body_bytes=10_000).test_client()
    big: Any = {"description": "x" * 20_000}
    content_type = {"form": "application/x-www-form-urlencoded", "multipart": "multipart/form-data"}[kind]
    answer = client.post(f"{BASE}/requests.{format}", data=big, content_type=content_type)
    assert answer.status_code == 413
    assert error_codes(answer) == {413}


@both_formats
def test_a_caller_cannot_set_status_or_times(client: FlaskClient, post: Post, format: str) -> None:
    forged = {
        "status": "closed",
        "status_notes": "done",
        "requested_datetime": "2001-01-01T00:00:00Z",
        "updated_datetime": "2001-01-01T00:00:00Z",
        "expected_datetime": "2001-01-01T00:00:00Z",
        "agency_responsible": "Me",
        "service_request_id": "mine",
        "service_notice": "mine",
        "zipcode": "1",
    }
    assert post(format=format, service_code="trees", lat=60.17, long=24.94, **forged).status_code == 200
    answer = post(format=format, service_code="v1.2", lat=60.17, long=24.94, **forged)
    assert answer.status_code == 200
    (item,) = client.get(f"{BASE}/requests.json").json
    assert item["status"] == "open"
    assert item["agency_responsible"] in {"Street Works", "Parking & Towing"}  # the second department at night
    assert item["requested_datetime"] > (utc_now() - timedelta(minutes=5)).isoformat()
    assert not {item["service_request_id"], item["service_notice"], item["zipcode"], item["status_notes"]} & {
        *forged.values()
    }


@both_formats
@pytest.mark.requirement("C259")
def test_a_page_past_the_end_is_empty(client: FlaskClient, platform: Platform, format: str) -> None:
    build.store(platform, at=utc_now())
    assert ids(client.get(f"{BASE}/requests.{format}?page=2")) == []
    assert ids(client.get(f"{BASE}/requests.{format}?page=999999999")) == []


@pytest.mark.requirement("C261")
def test_the_size_of_a_page_is_capped(client: FlaskClient, platform: Platform) -> None:
    build.store_all(platform, ({"number": 10_000 + number, "at": utc_now()} for number in range(1001)))
    answer = client.get(f"{BASE}/requests.json?page_size=100000")
    assert len(ids(answer)) == 1000
    assert 'rel="next"' in answer.headers["Link"]


class LeakingPlugin(Jurisdiction):
    """A plugin whose back office fails with an exception that contains secrets."""

    def check(self, draft: Draft) -> list[Any]:
        raise RuntimeError("ORA-00942 at 10.0.0.7: secret sentence")

    def new_id(self, number: int, at: object) -> str:
        raise RuntimeError("ORA-00942 at 10.0.0.7: secret sentence")


@both_formats
@pytest.mark.requirement("C172")
def test_the_exception_of_a_back_office_never_reaches_the_caller(make_app: MakeApp, format: str) -> None:
    app = make_app(build.city(LeakingPlugin))
    _, secret = add_key(platform_of(app), label="tests", now=utc_now())
    answer = app.test_client().post(
        f"{BASE}/requests.{format}",
        data={"api_key": secret, "service_code": "potholes", "lat": "1", "long": "2"},
    )
    assert answer.status_code == 500
    assert error_codes(answer) == {500}
    for word in ("ORA", "10.0.0.7", "secret", "Traceback", "RuntimeError", ".py"):
        assert word not in answer.text
        assert word not in str(answer.headers)


@both_formats
def test_a_forged_x_forwarded_for_does_not_reset_the_rate(make_app: MakeApp, format: str) -> None:
    client = make_app(post_rate="2 per hour").test_client()
    statuses = [
        client.post(f"{BASE}/requests.{format}", headers={"X-Forwarded-For": f"203.0.113.{number}"}).status_code
        for number in range(4)
    ]
    assert statuses == [403, 403, 429, 429]


@pytest.mark.parametrize("name", ["users", "user", "accounts", "reporters", "keys", "admin"])
def test_there_is_no_public_list_of_people(client: FlaskClient, app: Flask, name: str) -> None:
    assert client.get(f"{BASE}/{name}.json").status_code == 404
    assert client.get(f"/{name}").status_code == 404
    rules = (rule.rule for rule in app.url_map.iter_rules())
    assert not [rule for rule in rules if name in rule and not rule.startswith(("/staff/", "/desk/"))]


ODD_CODES = [
    "Mayor's 24 Hour Hotline:General Request:General Request",
    "a/b/c",
    "/starts and ends/",
    "100% & more? #1",
    "v1.2",
    "ends.xml",
    "plus+sign",
    "Straße ☂",
    "..",
    "a//b",
    "semi;colon=x",
    "back\\slash",
    "50%25",
]


@both_formats
@pytest.mark.requirement("C090")
@pytest.mark.requirement("C092")
@pytest.mark.parametrize("code", ODD_CODES)
def test_any_service_code_works_in_the_path_and_in_a_post(make_app: MakeApp, format: str, code: str) -> None:
    app = make_app(build.city(services=(Service(code=code, name="Odd", department="desk"),)))
    client = app.test_client()
    answer = client.get(f"{BASE}/services/{quote(code, safe='')}.{format}")
    assert answer.status_code == 200, answer.text
    found = (
        answer.json["service_code"] if format == "json" else etree.fromstring(answer.data).findtext("service_code")
    )
    assert found == code
    receipt = build.submit(platform_of(app), service_code=code, now=utc_now())
    query = f"service_code={quote(code, safe='')}"
    assert ids(client.get(f"{BASE}/requests.{format}?{query}")) == [receipt.service_request_id]


@both_formats
@pytest.mark.requirement("C244")
@pytest.mark.parametrize("found", ["CRM/7 b", "100%", "Ä☂", "1.2", "x.json", "a&b?c#d", "1,2"])
def test_any_id_works_in_the_path(client: FlaskClient, platform: Platform, format: str, found: str) -> None:
    build.store(platform, service_request_id=found)
    answer = client.get(f"{BASE}/requests/{quote(found, safe='')}.{format}")
    assert field(answer, "service_request_id") == found
