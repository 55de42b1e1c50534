"""Every error has the standard's shape and the format of the URL (A45, A54 to A61)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree
from werkzeug.test import TestResponse

from open311.errors import Open311Error
from open311.operations.access.api_keys import add_key
from open311.plugins import Jurisdiction
from open311.web.errors import STATUSES
from tests import build
from tests.checked_client import platform_of

BASE = "/open311/v2"
JSON, XML = "application/json; charset=utf-8", "text/xml; charset=utf-8"


def codes(response: TestResponse) -> set[int]:
    if response.mimetype == "application/json":
        return {row["code"] for row in response.json}
    return {int(element.text or 0) for element in etree.fromstring(response.data).iter("code")}


def kinds(base: type[Open311Error] = Open311Error) -> Iterator[type[Open311Error]]:
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_every_kind_of_error_has_its_status() -> None:
    assert set(kinds()) == set(STATUSES)


@pytest.mark.requirement("C253")
@pytest.mark.requirement("C254")
@pytest.mark.parametrize(
    ("path", "accept", "content_type"),
    [
        ("nothing.json", "", JSON),
        ("nothing.xml", "", XML),
        ("nothing", "", XML),
        ("nothing", "application/json", JSON),
        ("nothing.json", "text/xml", JSON),
        ("nothing.xml", "application/json", XML),
        ("services.yaml", "", XML),
        ("services.JSON.txt", "", XML),
        ("services.json/", "", XML),
        ("services.xml/", "", XML),
        ("", "", XML),
        ("requests/nope.JSON", "", JSON),
        ("requests/nope", "application/json", JSON),
        ("services/nope.Xml", "application/json", XML),
        ("tokens/nope", "text/html, application/json;q=0.5", JSON),
        ("nothing", "image/png", XML),
        ("nothing", "application/json;q=0", XML),
        ("../v3/services.json", "", JSON),
    ],
)
def test_an_unknown_resource_gets_404_in_the_format_of_the_url(
    client: FlaskClient, path: str, accept: str, content_type: str
) -> None:
    answer = client.get(f"{BASE}/{path}", headers={"Accept": accept} if accept else {})
    assert answer.status_code == 404
    assert answer.content_type == content_type
    assert codes(answer) == {404}


@pytest.mark.requirement("C028")
@pytest.mark.requirement("C029")
@pytest.mark.parametrize(
    ("path", "accept", "content_type"),
    [
        ("services", None, XML),
        ("services", "*/*", XML),
        ("services", "application/json", JSON),
        ("services", "application/xml", XML),
        ("services", "text/xml;q=0.5, application/json", JSON),
        ("services", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", XML),
        ("services", "application/*", XML),
        ("services", "gibberish", XML),
        ("services.json", "text/xml", JSON),
        ("services.xml", "application/json", XML),
        ("services.XML", None, XML),
        ("services.Json", None, JSON),
        ("/services.json", None, JSON),
        ("services/potholes.JSON", None, JSON),
    ],
)
def test_the_suffix_or_else_accept_chooses_the_format(
    client: FlaskClient, path: str, accept: str | None, content_type: str
) -> None:
    answer = client.get(f"{BASE}/{path}", headers={"Accept": accept} if accept else {})
    assert answer.status_code == 200
    assert answer.content_type == content_type


@pytest.mark.requirement("C251")
@pytest.mark.requirement("C252")
@pytest.mark.parametrize("suffix", [".json", ".xml", ""])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST"])
@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("services", "GET, HEAD, OPTIONS"),
        ("services/potholes", "GET, HEAD, OPTIONS"),
        ("discovery", "GET, HEAD, OPTIONS"),
        ("requests/1", "GET, HEAD, OPTIONS"),
        ("tokens/1", "GET, HEAD, OPTIONS"),
        ("requests", "GET, HEAD, OPTIONS, POST"),
    ],
)
def test_an_unsupported_method_gets_405_with_allow(
    client: FlaskClient, path: str, allowed: str, method: str, suffix: str
) -> None:
    if method == "POST" and "POST" in allowed:
        return
    answer = client.open(f"{BASE}/{path}{suffix}", method=method)
    assert answer.status_code == 405
    assert codes(answer) == {405}
    assert ", ".join(sorted(name.strip() for name in answer.headers["Allow"].split(","))) == allowed
    assert answer.content_type == (JSON if suffix == ".json" else XML)


@pytest.mark.requirement("C088")
@pytest.mark.requirement("C177")
@pytest.mark.requirement("C242")
@pytest.mark.parametrize("suffix", [".json", ".xml", ""])
@pytest.mark.parametrize(
    ("path", "name"), [("services/", "service_code"), ("tokens/", "token"), ("requests/", "service_request_id")]
)
def test_a_missing_code_or_id_gets_400_and_the_error_names_it(
    client: FlaskClient, path: str, name: str, suffix: str
) -> None:
    answer = client.get(f"{BASE}/{path}{suffix}")
    assert answer.status_code == 400
    assert f"{name}: is missing" in answer.text


@pytest.mark.requirement("C256")
def test_a_value_quoted_in_an_error_is_escaped(client: FlaskClient) -> None:
    answer = client.get(f"{BASE}/services/%3Cb%3E%26%22.xml")
    assert "&lt;b&gt;&amp;" in answer.text
    assert "'<b>&\"' is not in the service list" in (
        etree.fromstring(answer.data).findtext("error/description") or ""
    )


@pytest.mark.parametrize("path", ["services/" + "x" * 5000, "requests/" + "x" * 5000, "tokens/" + "x" * 5000])
def test_an_error_quotes_only_the_start_of_a_long_value(client: FlaskClient, path: str) -> None:
    answer = client.get(f"{BASE}/{path}.json")
    assert answer.status_code == 404
    assert len(answer.data) < 300


class Faulty(Jurisdiction):
    """A city whose `covers` raises an unexpected exception."""

    def covers(self, long: float, lat: float) -> bool:
        raise ZeroDivisionError("secret sentence")


@pytest.mark.requirement("C172")
@pytest.mark.parametrize(("suffix", "content_type"), [(".json", JSON), (".xml", XML), ("", XML)])
def test_an_unexpected_exception_gives_500_without_its_cause(
    make_app: Callable[..., Flask], suffix: str, content_type: str
) -> None:
    app = make_app(build.city(Faulty))
    _, key = add_key(platform_of(app), label="tests", now=build.NOON)
    data = {"api_key": key, "service_code": "potholes", "lat": "1", "long": "2"}
    answer = app.test_client().post(f"{BASE}/requests{suffix}", data=data)
    assert answer.status_code == 500
    assert codes(answer) == {500}
    assert answer.content_type == content_type
    assert "secret" not in answer.text
    assert "Error" not in answer.text


@pytest.mark.parametrize("path", ["/nothing", "/docs/nothing.js", "/docs/../../setup.cfg", "/favicon.ico"])
def test_an_error_outside_georeport_is_a_problem_document(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
    assert answer.json["status"] == 404


@pytest.mark.parametrize(
    "host", ["a b", "<script>", "ex ample", "[", "x" * 5000, "", "a:b:c", "%00", "host:99999999"]
)
@pytest.mark.parametrize("path", ["/", f"{BASE}/discovery.json", f"{BASE}/services.xml", f"{BASE}/requests.json"])
def test_an_invalid_host_header_causes_no_server_error(client: FlaskClient, host: str, path: str) -> None:
    environ = {"HTTP_HOST": host}
    answer: Any = super(type(client), client).open(path, environ_overrides=environ)
    assert answer.status_code < 500
    assert "<script>" not in answer.text


@pytest.mark.parametrize("given", ["abc-1.2_X", "x" * 64])
def test_a_request_id_from_the_caller_is_kept(client: FlaskClient, given: str) -> None:
    assert client.get(f"{BASE}/services.json", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "ü", "<b>", "{}"])
def test_a_malformed_request_id_is_replaced(client: FlaskClient, given: str) -> None:
    found = client.get(f"{BASE}/nothing.json", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert found != given
    assert len(found) == 16


@pytest.mark.parametrize("path", ["/", "/docs", f"{BASE}/services.json", f"{BASE}/nothing.xml", "/readyz"])
def test_pages_data_and_errors_forbid_content_type_sniffing(client: FlaskClient, path: str) -> None:
    assert client.get(path).headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.requirement("C172")
@pytest.mark.parametrize(("suffix", "content_type"), [(".json", JSON), (".xml", XML), ("", XML)])
def test_an_exception_in_a_read_gives_500_and_is_logged_once(
    make_app: Callable[..., Flask], capsys: pytest.CaptureFixture[str], suffix: str, content_type: str
) -> None:
    city = build.city()
    app = make_app(city)
    object.__setattr__(city, "services", None)  # so each use of the services raises an exception
    answer = app.test_client().get(f"{BASE}/services{suffix}")
    assert (answer.status_code, answer.content_type) == (500, content_type)
    assert codes(answer) == {500}
    assert capsys.readouterr().err.count('"event":"fault"') == 1
