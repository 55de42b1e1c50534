"""What the standard leaves to the operator: choices, compared with the default.

The rules are A01, A08, A09, A16, A22, A25, A58 and A67.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree
from werkzeug.test import TestResponse

from open311.clock import utc_now
from open311.errors import Misconfigured
from open311.operations.access.api_keys import add_key
from open311.settings import Settings
from tests import build
from tests.checked_client import platform_of

BASE = "/open311/v2"
DAY = timedelta(days=1)
FORM = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414"}
PAINT = FORM | {"service_code": "graffiti", "attribute[SURFACE]": "brick"}

MakeApp = Callable[..., Flask]
Serve = Callable[..., tuple[FlaskClient, Callable[..., TestResponse]]]
both_formats = pytest.mark.parametrize("format", ["json", "xml"])


@pytest.fixture
def serve(make_app: MakeApp) -> Serve:
    """A client of a server with some settings, and a function that posts to it."""

    def make(**changes: Any) -> tuple[FlaskClient, Callable[..., TestResponse]]:
        app = make_app(**changes)
        _, key = add_key(platform_of(app), label="tests", now=build.NOON)
        client = app.test_client()

        def post(data: dict[str, str], format: str = "json", **more: Any) -> TestResponse:
            return client.post(f"{BASE}/requests.{format}", data=data | {"api_key": key}, **more)

        return client, post

    return make


@both_formats
@pytest.mark.requirement("C161")
@pytest.mark.parametrize("service_code", ["potholes", "trees", "hotline"])
@pytest.mark.parametrize("status", [200, 201])
def test_the_operator_chooses_the_success_status_of_a_post(
    serve: Serve, format: str, service_code: str, status: int
) -> None:
    _, post = serve(created_status=status)
    answer = post(FORM | {"service_code": service_code}, format)
    assert answer.status_code == status
    assert answer.data
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("status", [202, 204, 302])
def test_other_success_statuses_are_refused(status: int) -> None:
    with pytest.raises(Misconfigured, match="OPEN311_CREATED_STATUS"):
        replace(Settings(), created_status=status).check()


SPANS: dict[str, dict[str, int | list[str]]] = {
    "refuse": {"both": 400, "start": ["120"], "end": ["300", "250"]},
    "clamp": {"both": ["300", "250"], "start": ["120"], "end": ["300", "250"]},
    "allow": {"both": ["300", "250", "120", "20"], "start": ["120", "20"], "end": ["400", "300", "250"]},
}


@both_formats
@pytest.mark.requirement("C203")
@pytest.mark.parametrize("policy", ["refuse", "clamp", "allow"])
def test_a_long_date_span_is_refused_cut_or_answered(serve: Serve, format: str, policy: str) -> None:
    client, _ = serve(span_policy=policy)
    app: Any = client.application
    now = utc_now()
    for days in (400, 300, 250, 120, 20):
        build.store(platform_of(app), service_request_id=str(days), at=now - days * DAY)

    def ask(**dates: float) -> int | list[str]:
        query = "&".join(f"{name}={quote((now - days * DAY).isoformat())}" for name, days in dates.items())
        answer = client.get(f"{BASE}/requests.{format}?sort=requested&{query}")
        if answer.status_code != 200:
            return answer.status_code
        if format == "json":
            return [item["service_request_id"] for item in answer.json]
        return [item.text or "" for item in etree.fromstring(answer.data).iter("service_request_id")]

    expected = SPANS[policy]
    assert ask(start_date=320, end_date=10) == expected["both"]
    assert ask(start_date=130) == expected["start"]
    assert ask(end_date=240) == expected["end"]
    assert ask() == ["20"], "without dates, the list has the last 90 days under every policy"
    assert ask(start_date=100, end_date=10) == ["20"]


@both_formats
@pytest.mark.requirement("C194")
@pytest.mark.parametrize(
    ("query", "strict_status"),
    [("service_code=nope", 404), ("service_code=potholes,nope", 404), ("service_code=potholes", 200), ("", 200)],
)
def test_an_unknown_service_filter_finds_nothing_or_gets_404(
    serve: Serve, format: str, query: str, strict_status: int
) -> None:
    client, _ = serve()
    assert client.get(f"{BASE}/requests.{format}?{query}").status_code == 200
    strict, _ = serve(unknown_service_is_404=True)
    assert strict.get(f"{BASE}/requests.{format}?{query}").status_code == strict_status


@both_formats
@pytest.mark.requirement("C042")
def test_a_single_city_refuses_or_ignores_a_wrong_jurisdiction_id(serve: Serve, format: str) -> None:
    client, _ = serve()
    lenient, post = serve(ignore_wrong_jurisdiction=True)
    for path in ("services", "services/potholes", "requests", "discovery"):
        refused = client.get(f"{BASE}/{path}.{format}?jurisdiction_id=nope.example")
        assert refused.status_code == 404
        assert "jurisdiction_id" in refused.text
        assert lenient.get(f"{BASE}/{path}.{format}?jurisdiction_id=nope.example").status_code == 200
    assert post(FORM | {"jurisdiction_id": "nope.example"}, format).status_code == 200


@pytest.mark.parametrize("ignore", [False, True])
def test_with_several_cities_a_wrong_jurisdiction_id_is_never_ignored(make_app: MakeApp, ignore: bool) -> None:
    cities = build.city(id="a.example"), build.city(id="b.example")
    client = make_app(*cities, ignore_wrong_jurisdiction=ignore).test_client()
    assert client.get(f"{BASE}/services.json?jurisdiction_id=nope.example").status_code == 404
    assert client.get(f"{BASE}/services.json").status_code == 400
    assert client.get(f"{BASE}/services.json?jurisdiction_id=B.EXAMPLE").status_code == 200


@both_formats
@pytest.mark.requirement("C136")
def test_an_unknown_attribute_is_ignored_or_refused(serve: Serve, format: str) -> None:
    _, post = serve()
    assert post(PAINT | {"attribute[NOPE]": "1"}, format).status_code == 200
    _, post = serve(refuse_unknown_attributes=True)
    refused = post(PAINT | {"attribute[NOPE]": "1", "attribute[INFO]": "read"}, format)
    assert refused.status_code == 400
    assert "NOPE is not an attribute of graffiti" in refused.text
    assert "INFO" not in refused.text


@both_formats
def test_the_name_of_a_value_is_refused_or_read_as_its_key(serve: Serve, format: str) -> None:
    named = PAINT | {"attribute[SURFACE]": "Brick"}
    _, post = serve()
    refused = post(named, format)
    assert refused.status_code == 400
    assert "SURFACE" in refused.text
    _, post = serve(accept_value_names=True)
    assert post(named, format).status_code == 200


@both_formats
def test_an_email_is_stored_unchecked_or_validated(serve: Serve, format: str) -> None:
    _, post = serve()
    assert post(FORM | {"email": "not an address"}, format).status_code == 200
    _, post = serve(check_email=True)
    assert post(FORM | {"email": "a@b.example"}, format).status_code == 200
    assert post(FORM | {"email": ""}, format).status_code == 200
    for bad in ("not an address", "a@b", "a b@c.example", "@b.example"):
        refused = post(FORM | {"email": bad}, format)
        assert refused.status_code == 400
        assert "email: " in refused.text
        assert bad not in refused.text


@pytest.mark.requirement("C275")
@pytest.mark.parametrize("callback", ["f", "alert(1)//"])
def test_the_callback_is_ignored_if_jsonp_is_off(client: FlaskClient, callback: str) -> None:
    plain = client.get(f"{BASE}/services.json")
    asked = client.get(f"{BASE}/services.json?callback={callback}")
    assert (asked.data, asked.content_type) == (plain.data, plain.content_type)


@pytest.mark.requirement("C276")
@pytest.mark.parametrize("path", ["services", "services/potholes", "requests", "discovery"])
@pytest.mark.parametrize("callback", ["f", "$", "_a1.b.c", "x" * 64])
def test_with_jsonp_json_is_wrapped_in_the_callback(make_app: MakeApp, path: str, callback: str) -> None:
    client = make_app(jsonp=True).test_client()
    plain = client.get(f"{BASE}/{path}.json")
    asked = client.get(f"{BASE}/{path}.json?callback={callback}")
    assert asked.content_type == "application/javascript; charset=utf-8"
    assert asked.data == b"/**/%s(%s);" % (callback.encode(), plain.data)
    head = client.head(f"{BASE}/{path}.json?callback={callback}")
    for name in ("Content-Type", "Content-Length", "ETag"):
        assert head.headers[name] == asked.headers[name]
    assert client.get(f"{BASE}/{path}.xml?callback={callback}").mimetype == "text/xml"


@pytest.mark.requirement("C277")
@pytest.mark.parametrize(
    "callback", ["alert(1)//", "", "1a", "a b", "a;b", "f\n", "ü", "x" * 65, "a-b", "<script>"]
)
def test_a_callback_that_is_not_a_plain_name_is_refused(make_app: MakeApp, callback: str) -> None:
    client = make_app(jsonp=True).test_client()
    refused = client.get(f"{BASE}/services.json?callback={quote(callback)}")
    assert refused.status_code == 400
    assert refused.mimetype == "application/json"


def test_with_jsonp_an_error_is_still_plain_json(make_app: MakeApp) -> None:
    refused = make_app(jsonp=True).test_client().get(f"{BASE}/requests/nope.json?callback=f")
    assert refused.status_code == 404
    assert refused.mimetype == "application/json"
    assert refused.json[0]["code"] == 404
