"""The quick lane answers exactly as Flask does, including all headers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import product

import pytest
from flask import Flask
from flask.testing import FlaskClient

from open311.app import create_app
from open311.clock import utc_now
from open311.operations.platform import Platform
from open311.web.envelope import Envelope
from tests import build

BASE = "/open311/v2"
STRANGE = ["a%2Fb", "a.json", "x.xml.json", "%E2%82%AC", "nope", "a%00b", "nearby", "", "..%2F..", "a,R1"]
PATHS = [
    "/open311/discovery.json",
    f"{BASE}/discovery.xml",
    f"{BASE}/discovery",
    f"{BASE}/services.json",
    f"{BASE}/services.xml?locale=es",
    f"{BASE}/services.json?lat=60.17&long=24.94",
    f"{BASE}/services/graffiti.json",
    f"{BASE}/services/Street%3ALights%20%26%20Poles.xml",
    f"{BASE}/requests.json",
    # This call has dates. Without dates, the cursor of the next page would contain the current time.
    f"{BASE}/requests.xml?page_size=3&start-date=x&updated_after=2020-01-01T00:00:00Z",
    f"{BASE}/requests.json?page_size=3&count=true&page=2&extensions=true&updated_after=2020-01-01T00:00:00Z",
    f"{BASE}/requests.xml?status=odd&bbox=1",
    f"{BASE}/requests.json?jurisdiction_id=nowhere",
    f"{BASE}/requests.json?q=%FF",
    f"{BASE}/requests/R1.json?extensions=notes",
    f"{BASE}/requests/R1.xml",
    f"{BASE}//requests//R1.JSON",
    f"{BASE}/requests.geojson",
    f"{BASE}/changes.json",
    f"{BASE}/jurisdictions.xml",
    f"{BASE}/dumps.json",
    "/open311/bulk/v1/requests.json",
    *(f"{BASE}/requests/{code}.json" for code in STRANGE),
    *(f"{BASE}/services/{code}.xml" for code in STRANGE),
]
HEADERS = [
    {},
    {"Accept-Language": "es", "Accept-Encoding": "gzip"},
    {"If-None-Match": "*", "Origin": "https://app.example"},
    {"X-Request-Id": "mine", "Accept": "application/json"},
]


@pytest.fixture
def both(app: Flask, platform: Platform) -> tuple[FlaskClient, FlaskClient]:
    """A client of a server with the quick lane, and a client of the same server without the quick lane."""
    ages = {number: timedelta(hours=number) for number in range(1, 9)}
    rows = ({"number": n, "service_request_id": f"R{n}", "at": utc_now() - age} for n, age in ages.items())
    build.store_all(platform, rows)
    slow = create_app(platform.settings, platform)
    slow.wsgi_app = Envelope(type(slow).wsgi_app.__get__(slow))  # type: ignore[method-assign]
    return FlaskClient(app), FlaskClient(slow)


@pytest.mark.parametrize("path", PATHS)
def test_answers_with_and_without_the_lane_are_equal(both: tuple[FlaskClient, FlaskClient], path: str) -> None:
    for method, headers in product(["GET", "HEAD", "OPTIONS", "PUT"], HEADERS):
        quick, slow = (client.open(path, method=method, headers=headers, buffered=True) for client in both)
        assert quick.status_code == slow.status_code, (method, headers)
        assert quick.data == slow.data, (method, headers)
        own = {"X-Request-Id"} - set(headers)
        kept = [sorted((name, text) for name, text in one.headers if name not in own) for one in (quick, slow)]
        assert kept[0] == kept[1], (method, headers)
        assert len(quick.headers.getlist("Access-Control-Allow-Origin")) == 1


def test_the_lane_redirects_plain_http_if_https_is_required(make_app: Callable[..., Flask]) -> None:
    client = make_app(public_url="https://311.city.example").test_client()
    assert client.get(f"{BASE}/services.json").status_code == 308
    assert client.get(f"{BASE}/services.json", base_url="https://311.city.example").status_code == 200


def test_the_rate_limit_of_reads_counts_calls_in_the_lane(make_app: Callable[..., Flask]) -> None:
    client = FlaskClient(make_app(get_rate="2 per hour"))
    path = f"{BASE}/services.json"
    assert [client.get(path).status_code for _ in range(3)] == [200, 200, 429]
    refused = client.get(f"{BASE}/services.xml")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.content_type.startswith("text/xml")
    assert client.get("/healthz").status_code == 200


def test_an_exception_in_the_lane_is_logged_once_and_answered_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def fail(*_: object, **__: object) -> None:
        asked.append("once")
        raise RuntimeError("secret")

    monkeypatch.setattr("open311.web.georeport.requests.find_request", fail)
    answer = FlaskClient(app).get(f"{BASE}/requests/R1.json")
    assert (answer.status_code, asked) == (500, ["once"])
    assert "secret" not in answer.text
    assert capsys.readouterr().err.count('"event":"fault"') == 1
