"""API keys, HTTPS and rate limits: which calls are accepted, and how the others are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, TestResponse

from open311.operations.access.api_keys import add_key, revoke_key
from open311.operations.platform import Platform
from open311.web.gate import NO_HOST
from tests import build
from tests.checked_client import platform_of

BASE = "/open311/v2"
FORM = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414"}
PATHS = (BASE, "/inquiry/v1")
KEYLESS = "api_key: is missing; send a valid api_key"

MakeApp = Callable[..., Flask]
both_formats = pytest.mark.parametrize("format", ["json", "xml"])


def send(client: FlaskClient, format: str = "json", **more: Any) -> TestResponse:
    return client.post(f"{BASE}/requests.{format}", data=more.pop("data", FORM), **more)


@pytest.mark.requirement("C098")
@pytest.mark.requirement("C099")
@pytest.mark.requirement("C100")
@pytest.mark.parametrize(
    "way",
    [
        lambda key: {"data": FORM | {"api_key": key}},
        lambda key: {"data": FORM | {"api_key": f"  {key} "}},
        lambda key: {"query_string": {"api_key": key}},
        lambda key: {"headers": {"Authorization": f"Bearer {key}"}},
        lambda key: {"headers": {"Authorization": f"bearer  {key}"}},
        lambda key: {"headers": {"X-Api-Key": key}},
        lambda key: {"data": FORM | {"api_key": ""}, "headers": {"X-Api-Key": key}},
    ],
)
def test_the_key_is_read_from_every_permitted_place(
    client: FlaskClient, key: str, way: Callable[[str], dict[str, Any]]
) -> None:
    assert send(client, **way(key)).status_code == 200


@both_formats
@pytest.mark.parametrize(
    "way",
    [
        {},
        {"headers": {"Authorization": "Basic a2V5Og=="}},
        {"headers": {"Authorization": "Bearer"}},
        {"headers": {"Authorization": "Bearer badkey"}},
        {"headers": {"X-Api-Key": "\xff\xfe"}},
        {"query_string": "api_key=badkey"},
        {"data": FORM | {"api_key": "bad\x00key"}},
        {"data": {"service_code": "nope", "lat": "x"}},
        {"data": {"jurisdiction_id": "nowhere.example"}},
        {"data": {}},
    ],
)
@pytest.mark.requirement("C097")
def test_without_a_valid_key_only_the_key_is_reported(
    client: FlaskClient, format: str, way: dict[str, Any]
) -> None:
    answer = send(client, format, **way)
    assert answer.status_code == 403
    assert "api_key: is " in answer.text
    for word in ("service_code", "nope", "lat:", "jurisdiction_id", "nowhere"):
        assert word not in answer.text


def test_a_key_in_the_body_overrides_the_headers(client: FlaskClient, key: str) -> None:
    assert send(client, data=FORM | {"api_key": "bad"}, headers={"X-Api-Key": key}).status_code == 403


@pytest.mark.requirement("C051")
@pytest.mark.parametrize("path", ["services", "services/potholes", "requests", "discovery"])
def test_a_read_needs_no_key_and_ignores_a_wrong_key(client: FlaskClient, path: str) -> None:
    headers = {"Authorization": "Bearer bad", "X-Api-Key": "bad"}
    assert client.get(f"{BASE}/{path}.json").status_code == 200
    assert client.get(f"{BASE}/{path}.json?api_key=bad", headers=headers).status_code == 200


def test_a_key_for_one_city_is_valid_for_this_city_only(make_app: MakeApp) -> None:
    app = make_app(build.city(id="a.example"), build.city(id="b.example"))
    _, key = add_key(platform_of(app), label="a", jurisdiction_id="a.example", now=build.NOON)
    client = app.test_client()
    sent = FORM | {"api_key": key}
    assert send(client, data=sent | {"jurisdiction_id": "a.example"}).status_code == 200
    assert send(client, data=sent | {"jurisdiction_id": "www.A.example"}).status_code == 200
    refused = send(client, data=sent | {"jurisdiction_id": "b.example"})
    assert refused.status_code == 403
    assert "is not valid for b.example" in refused.text
    assert len(client.get(f"{BASE}/requests.json?jurisdiction_id=a.example").json) == 2
    assert client.get(f"{BASE}/requests.json?jurisdiction_id=b.example").json == []


def test_a_revoked_key_is_refused_immediately(client: FlaskClient, platform: Platform) -> None:
    number, key = add_key(platform, label="app", now=build.NOON)
    assert send(client, headers={"X-Api-Key": key}).status_code == 200
    revoke_key(platform, number, now=build.NOON)
    assert send(client, headers={"X-Api-Key": key}).status_code == 403


@both_formats
@pytest.mark.requirement("C101")
def test_a_test_key_request_is_accepted_and_readable_by_id_only(
    client: FlaskClient, platform: Platform, format: str
) -> None:
    _, key = add_key(platform, label="trial", is_test=True, now=build.NOON)
    created = send(client, headers={"X-Api-Key": key})
    assert created.status_code == 200
    found = created.json[0]["service_request_id"]
    (item,) = client.get(f"{BASE}/requests/{found}.json").json
    assert item["agency_responsible"] is None
    assert client.get(f"{BASE}/requests/{found}.{format}").status_code == 200
    for query in ("", f"service_request_id={found}", "status=open", "bbox=24,60,25,61"):
        assert found not in client.get(f"{BASE}/requests.{format}?{query}").text


# --- HTTPS


@pytest.fixture
def guarded(make_app: MakeApp) -> FlaskClient:
    """A client of a server whose public address is https."""
    return make_app(public_url="https://311.city.example").test_client()


@both_formats
@pytest.mark.requirement("C292")
def test_a_post_over_plain_http_is_refused_and_not_redirected(guarded: FlaskClient, format: str) -> None:
    answer = send(guarded, format)
    assert answer.status_code == 400
    assert "send it over https" in answer.text
    assert "Location" not in answer.headers


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_writing_calls_are_not_redirected(guarded: FlaskClient, method: str) -> None:
    assert guarded.open(f"{BASE}/requests.json", method=method).status_code == 400


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "path",
    [
        f"{BASE}/services.xml",
        f"{BASE}/requests.json?status=open&q=%C3%A9%26",
        f"{BASE}/services/50%2525%2Foff.json",
        "/",
    ],
)
def test_a_read_over_plain_http_is_redirected_to_the_public_address(
    guarded: FlaskClient, method: str, path: str
) -> None:
    answer = guarded.open(path, method=method, headers={"Host": "internal:3111"})
    assert answer.status_code == 308
    assert answer.headers["Location"] == f"https://311.city.example{path}"


def test_a_redirect_encodes_the_path_if_the_wsgi_server_gives_only_the_decoded_path(guarded: FlaskClient) -> None:
    answer = guarded.get(f"{BASE}/services/50%25.json", environ_overrides={"REQUEST_URI": "", "RAW_URI": ""})
    assert answer.headers["Location"] == f"https://311.city.example{BASE}/services/50%25.json"


@pytest.mark.parametrize("path", [f"{BASE}/requests.json", f"{BASE}/services.xml"])
def test_a_preflight_over_plain_http_is_answered(guarded: FlaskClient, path: str) -> None:
    answer = guarded.options(path, headers={"Origin": "https://app.example"})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert "X-Api-Key" in answer.headers["Access-Control-Allow-Headers"]


def test_a_redirect_ignores_a_forged_host_header(guarded: FlaskClient) -> None:
    answer = guarded.get(f"{BASE}/services.xml", headers={"Host": "evil.example"})
    assert answer.headers["Location"].startswith("https://311.city.example/")


@pytest.mark.requirement("C293")
def test_https_calls_are_answered_and_discovery_names_https(guarded: FlaskClient) -> None:
    answer = guarded.get("/open311/discovery.json", base_url="https://311.city.example")
    assert answer.status_code == 200
    found = [entry["url"] for entry in answer.json["endpoints"]]
    assert found == [f"https://311.city.example{path}" for path in PATHS]
    assert send(guarded, base_url="https://311.city.example").status_code == 403


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_load_balancer_may_check_health_over_plain_http(guarded: FlaskClient, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_x_forwarded_proto_of_a_trusted_proxy_is_read(make_app: MakeApp) -> None:
    headers = {"X-Forwarded-Proto": "https"}
    trusting = make_app(public_url="https://311.city.example", trusted_proxies=1).test_client()
    assert trusting.get(f"{BASE}/services.json", headers=headers).status_code == 200
    wary = make_app(public_url="https://311.city.example").test_client()
    assert wary.get(f"{BASE}/services.json", headers=headers).status_code == 308


@pytest.mark.parametrize("scheme", ["javascript", "ftp", "https://x", " "])
def test_a_forwarded_scheme_other_than_http_and_https_is_ignored(make_app: MakeApp, scheme: str) -> None:
    client = make_app(trusted_proxies=1).test_client()
    answer = client.get("/open311/discovery.json", headers={"X-Forwarded-Proto": scheme})
    assert [entry["url"] for entry in answer.json["endpoints"]] == [f"http://localhost{path}" for path in PATHS]


# --- Host

NO_HOSTS = ["", " ", ":80", "a,b", "a.example b", "a.example/x", "<script>", "a@b", "a:b", "é.example", "[::1"]
HOSTS = ["311.city.example", "LOCALHOST:3111", "10.0.0.7:80", "[2001:db8::1]:443", "web_1"]


@both_formats
@pytest.mark.parametrize("host", NO_HOSTS)
def test_an_invalid_host_header_gets_400(client: FlaskClient, format: str, host: str) -> None:
    answer = client.get(f"{BASE}/services.{format}", headers={"Host": host})
    assert (answer.status_code, NO_HOST in answer.text) == (400, True)
    assert client.get("/healthz", headers={"Host": host}).content_type == "application/problem+json"


def test_without_a_host_addresses_have_the_servers_own_name(client: FlaskClient) -> None:
    environ = EnvironBuilder("/open311/discovery.json", base_url="http://127.0.0.1:3111").get_environ()
    del environ["HTTP_HOST"]
    body = b"".join(client.application.wsgi_app(environ, lambda *_: None))
    assert b'"http://127.0.0.1:3111/open311/v2"' in body


@pytest.mark.parametrize("host", HOSTS)
def test_usual_hosts_are_served(client: FlaskClient, host: str) -> None:
    assert client.get(f"{BASE}/services.json", headers={"Host": host}).status_code == 200


def test_an_invalid_forwarded_host_gets_400(make_app: MakeApp) -> None:
    client = make_app(trusted_proxies=1).test_client()
    assert client.get(f"{BASE}/services.json", headers={"X-Forwarded-Host": "a b"}).status_code == 400


# --- Rates


@both_formats
@pytest.mark.requirement("C167")
def test_a_post_above_the_rate_gets_429_with_retry_after(make_app: MakeApp, format: str) -> None:
    client = make_app(post_rate="2 per minute").test_client()
    assert [send(client, format).status_code for _ in range(2)] == [403, 403]
    answer = send(client, format)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 61
    assert "Too many calls" in answer.text
    assert client.get(f"{BASE}/services.{format}").status_code == 200, "reads and writes have separate rates"


def test_a_method_in_lower_case_is_rate_limited_too(make_app: MakeApp) -> None:
    client = make_app(post_rate="1 per hour").test_client()
    for status in (403, 429):
        answer = client.open(f"{BASE}/requests.json", environ_overrides={"REQUEST_METHOD": "post"})
        assert answer.status_code == status


@both_formats
def test_reads_are_rate_limited_if_the_operator_sets_a_rate(make_app: MakeApp, format: str) -> None:
    client = make_app(get_rate="3 per hour").test_client()
    # The checked client reads each address in both formats.
    assert client.get(f"{BASE}/services.{format}").status_code == 200
    assert client.head(f"{BASE}/services.{format}").status_code == 200
    answer = client.get(f"{BASE}/services.{format}")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 3601
    assert client.get("/healthz").status_code == 200
    assert send(client, format).status_code == 403, "reads and writes have separate rates"


@pytest.mark.parametrize(
    ("trusted_proxies", "forwarded", "statuses"),
    [
        (0, ["1.1.1.1", "2.2.2.2", "3.3.3.3"], [403, 429, 429]),
        (1, ["1.1.1.1", "2.2.2.2", "1.1.1.1"], [403, 403, 429]),
        (1, ["9.9.9.1, 1.1.1.1", "9.9.9.2, 1.1.1.1", "9.9.9.3, 1.1.1.1"], [403, 429, 429]),
        (2, ["1.1.1.1, 7.7.7.7", "2.2.2.2, 7.7.7.7", "1.1.1.1, 7.7.7.8"], [403, 403, 429]),
    ],
)
def test_the_callers_address_is_taken_from_trusted_proxies_only(
    make_app: MakeApp, trusted_proxies: int, forwarded: list[str], statuses: list[int]
) -> None:
    client = make_app(post_rate="1 per hour", trusted_proxies=trusted_proxies).test_client()
    assert [send(client, headers={"X-Forwarded-For": item}).status_code for item in forwarded] == statuses


def test_no_other_header_sets_the_callers_address(make_app: MakeApp) -> None:
    client = make_app(post_rate="1 per hour", trusted_proxies=1).test_client()
    headers = ["X-Real-IP", "Forwarded", "Client-IP", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP"]
    statuses = [send(client, headers={name: "203.0.113.7"}).status_code for name in headers]
    assert statuses == [403, *[429] * (len(headers) - 1)]


def test_each_caller_address_has_its_own_rate(make_app: MakeApp) -> None:
    client = make_app(post_rate="1 per hour").test_client()
    for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1"):
        environ = {"REMOTE_ADDR": address}
        assert [send(client, environ_overrides=environ).status_code for _ in range(2)] == [403, 429]


def test_a_preflight_does_not_count_towards_the_rate(make_app: MakeApp) -> None:
    client = make_app(post_rate="1 per hour", get_rate="1 per hour").test_client()
    for _ in range(3):
        assert client.options(f"{BASE}/requests.json", headers={"Origin": "https://app.example"}).status_code == 200
