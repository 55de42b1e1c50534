"""ETag and 304, HEAD, OPTIONS and CORS, for the reads of the standard."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from open311.clock import utc_now
from open311.domain.requests import Status
from open311.formats import JSON
from open311.operations.platform import Platform
from open311.web.answers import WholeResponse, send
from open311.web.calls import Answer, Call, Values
from tests import build

BASE = "/open311/v2"
ORIGIN = {"Origin": "https://app.example"}
READS = [
    "discovery",
    "services",
    "services/graffiti",
    "requests",
    "requests?status=open",
    "requests/R1",
    "tokens/t1",
]

both_formats = pytest.mark.parametrize("format", ["json", "xml"])
every_read = pytest.mark.parametrize("read", READS)


@pytest.fixture
def filled(client: FlaskClient, platform: Platform) -> FlaskClient:
    """A client of a server with a request R1 and a token t1."""
    build.store(platform, service_request_id="R1", at=utc_now())
    with platform.database.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO request_token (jurisdiction_id, token, request_id) SELECT jurisdiction_id, 't1', id"
            " FROM service_request"
        )
    return client


def address(read: str, format: str) -> str:
    path, question, query = read.partition("?")
    return f"{BASE}/{path}.{format}{question}{query}"


@both_formats
@every_read
@pytest.mark.requirement("C038")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_client_with_the_current_answer_gets_304(
    filled: FlaskClient, format: str, read: str, method: str
) -> None:
    first = filled.get(address(read, format))
    etag = first.headers["ETag"]
    for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        again = filled.open(address(read, format), method=method, headers={"If-None-Match": known})
        assert again.status_code == 304, known
        assert again.data == b""
        assert again.headers["ETag"] == etag
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
        assert again.headers["Vary"] == first.headers["Vary"]
    changed = filled.open(address(read, format), method=method, headers={"If-None-Match": '"other"'})
    assert changed.status_code == 200


def call_on(platform: Platform) -> Call:
    """A call without parameters."""
    request = Request(EnvironBuilder().get_environ())
    return Call(request=request, platform=platform, output=JSON, now=utc_now(), values=Values())


def test_no_body_is_kept_for_the_sake_of_its_etag(platform: Platform) -> None:
    body = b"x" * 10_000
    references = sys.getrefcount(body)
    send(call_on(platform), Answer(body=body))
    assert sys.getrefcount(body) == references


def test_an_answer_that_is_sent_knows_its_digest_and_needs_no_new_one(platform: Platform) -> None:
    answer = Answer(body=b"[]")
    send(call_on(platform), answer)
    first = answer.validator
    send(call_on(platform), answer)
    assert first
    assert answer.validator is first


@both_formats
@every_read
def test_caches_must_revalidate_and_vary_names_the_request_headers(
    filled: FlaskClient, format: str, read: str
) -> None:
    answer = filled.get(address(read, format))
    assert answer.headers["Cache-Control"] == "no-cache"
    assert {"Accept", "Accept-Language"} <= {name.strip() for name in answer.headers["Vary"].split(",")}


@both_formats
@every_read
@pytest.mark.requirement("C035")
def test_head_has_the_headers_of_get_and_no_body(filled: FlaskClient, format: str, read: str) -> None:
    get, head = filled.get(address(read, format)), filled.head(address(read, format))
    assert head.status_code == 200
    assert head.data == b""
    per_call = {"X-Request-Id", "Date"}
    assert {name: value for name, value in head.headers if name not in per_call} == {
        name: value for name, value in get.headers if name not in per_call
    }


def test_each_format_and_language_has_its_own_etag(client: FlaskClient) -> None:
    etags = {
        client.get(f"{BASE}/services.{suffix}?locale={locale}").headers["ETag"]
        for suffix in ("json", "xml")
        for locale in ("en", "es")
    }
    assert len(etags) == 4


@both_formats
def test_a_changed_request_changes_the_etag_of_every_answer_with_it(
    filled: FlaskClient, platform: Platform, format: str
) -> None:
    shown = [address(read, format) for read in ("requests", "requests/R1", "requests?service_request_id=R1")]
    before = {path: filled.get(path).headers["ETag"] for path in shown}
    (city,) = platform.registry
    build.change(platform, "R1", note="Soon.", now=utc_now(), city=city)
    for path in shown:
        answer = filled.get(path, headers={"If-None-Match": before[path]})
        assert answer.status_code == 200
        assert "Soon." in answer.text


@both_formats
def test_a_page_that_loses_or_gains_a_request_has_a_new_etag(
    filled: FlaskClient, platform: Platform, format: str
) -> None:
    path = address("requests?status=open", format)
    etags = [filled.get(path).headers["ETag"]]
    build.store(platform, service_request_id="R2", at=utc_now())
    etags.append(filled.get(path).headers["ETag"])
    (city,) = platform.registry
    build.change(platform, "R1", status=Status.CLOSED, now=utc_now(), city=city)
    etags.append(filled.get(path).headers["ETag"])
    build.change(platform, "R2", status=Status.CLOSED, now=utc_now(), city=city)
    etags.append(filled.get(path).headers["ETag"])
    assert len(set(etags)) == 4


@both_formats
def test_a_client_with_the_cached_last_page_gets_the_link_to_a_new_next_page(
    filled: FlaskClient, platform: Platform, format: str
) -> None:
    path = address("requests?page_size=1", format)
    before = filled.get(path)
    assert "Link" not in before.headers
    build.store(platform, service_request_id="older", at=utc_now() - timedelta(days=1))
    after = filled.get(path, headers={"If-None-Match": before.headers["ETag"]})
    assert 'rel="next"' in after.headers["Link"]


@both_formats
@pytest.mark.requirement("C039")
def test_answers_to_a_post_and_errors_are_not_cached(client: FlaskClient, key: str, format: str) -> None:
    data = {"api_key": key, "service_code": "potholes", "lat": "60.17", "long": "24.94"}
    assert client.post(f"{BASE}/requests.{format}", data=data).headers["Cache-Control"] == "no-store"
    for answer in (client.get(f"{BASE}/requests/nope.{format}"), client.post(f"{BASE}/requests.{format}")):
        assert answer.headers["Cache-Control"] == "no-store"
        assert "ETag" not in answer.headers


@both_formats
@pytest.mark.requirement("C037")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "services", 200),
        ("GET", "requests", 200),
        ("HEAD", "requests", 200),
        ("GET", "discovery", 200),
        ("GET", "requests/nope", 404),
        ("GET", "nothing/at/all", 404),
        ("GET", "requests?status=bogus", 400),
        ("POST", "requests", 403),
        ("DELETE", "requests", 405),
    ],
)
def test_any_origin_may_read_answers_and_errors(
    client: FlaskClient, format: str, method: str, path: str, status: int
) -> None:
    answer = client.open(address(path, format), method=method, headers=ORIGIN)
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    exposed = {name.strip() for name in answer.headers["Access-Control-Expose-Headers"].split(",")}
    assert {"Link", "X-Request-Id", "Retry-After", "ETag"} <= exposed


@pytest.mark.requirement("C036")
@pytest.mark.parametrize("path", [f"{BASE}/requests.json", f"{BASE}/requests.xml", f"{BASE}/requests"])
def test_a_preflight_allows_what_apps_send(client: FlaskClient, path: str) -> None:
    asked = "content-type, x-api-key, idempotency-key, authorization"
    headers = ORIGIN | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asked}
    answer = client.options(path, headers=headers)
    assert answer.status_code in (200, 204)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    allowed = {name.strip().lower() for name in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert set(asked.split(", ")) <= allowed


@both_formats
@every_read
def test_options_names_the_methods(filled: FlaskClient, format: str, read: str) -> None:
    answer = filled.options(address(read, format))
    assert answer.status_code == 200
    allowed = {"GET", "HEAD", "OPTIONS"} | ({"POST"} if read.startswith("requests") and "/" not in read else set())
    assert {name.strip() for name in answer.headers["Allow"].split(",")} == allowed


def test_pages_and_readyz_have_no_cors_headers(make_app: Callable[..., Flask]) -> None:
    client = make_app().test_client()
    for path in ("/", "/docs", "/readyz"):
        assert "Access-Control-Allow-Origin" not in client.get(path, headers=ORIGIN).headers


def test_an_answer_of_ours_has_all_attributes_of_an_answer_of_flask() -> None:
    ours, flasks = WholeResponse(b"[]", 200, []), Response("[]")
    assert set(vars(flasks)) < set(vars(ours))
    assert (ours.status, ours.status_code, ours.get_data()) == ("200 OK", 200, b"[]")
