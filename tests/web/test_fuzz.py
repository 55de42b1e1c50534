"""Bad input to any URL causes no server error, and every error has the standard's shape (A64)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest
import schemathesis
from flask import Flask, Response
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from open311.clock import utc_now
from open311.operations.platform import Platform
from open311.operations.statistics.forecasting import make_due_forecasts
from schemas.arguments import RequestSearchArguments, ServiceListArguments, SubmissionArguments
from spec.bodies import deviations
from tests import build
from tests.checked_client import kind_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

BASE = "/open311/v2"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
STANDARD = {
    f"{call}.{suffix}"
    for suffix in ("json", "xml")
    for call in (
        "GET /open311/discovery",
        "GET /open311/v2/discovery",
        "GET /open311/v2/services",
        "GET /open311/v2/services/{service_code}",
        "GET /open311/v2/requests",
        "POST /open311/v2/requests",
        "GET /open311/v2/requests/{service_request_id}",
        "GET /open311/v2/tokens/{token}",
    )
}


class _Closed:
    """Serves the app with a stricter OpenAPI document: a field that is not described is an error."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/openapi.json":
            return self._app(environ, start_response)
        document = self._app.test_client().get("/openapi.json").json
        for schema in document["components"]["schemas"].values():
            schema.setdefault("additionalProperties", False)
        return Response(json.dumps(document), content_type="application/json")(environ, start_response)


@pytest.fixture
def operations(described: dict[str, Any], platform: Platform) -> dict[str, Any]:
    """The server's operations; the server has one stored request."""
    build.store(platform, service_request_id="R1")
    return described


@pytest.fixture(scope="session")
def described(shared_app: Flask) -> dict[str, Any]:
    """The operations of the server that tests share, as schemathesis reads them from OpenAPI."""
    description = schemathesis.openapi.from_wsgi("/openapi.json", _Closed(shared_app))
    results = list(description.get_all_operations())
    found = [result.ok() for result in results if isinstance(result, Ok)]
    assert len(found) == len(results), results
    return {f"{operation.method.upper()} {operation.path}": operation for operation in found}


def test_every_operation_of_the_standard_is_in_openapi(operations: dict[str, Any]) -> None:
    assert set(operations) >= STANDARD


@pytest.mark.parametrize(
    ("call", "parameters", "query"),
    [
        (
            "GET /open311/v2/requests.json",
            {},
            {"extensions": "true", "start_date": "2026-03-01", "lat": "60.17", "long": "24.94", "radius": "999"},
        ),
        (
            "GET /open311/v2/requests/{service_request_id}.json",
            {"service_request_id": "R1"},
            {"extensions": "true"},
        ),
    ],
)
def test_answers_with_our_extensions_are_as_described(
    operations: dict[str, Any], call: str, parameters: dict[str, str], query: dict[str, str]
) -> None:
    case = operations[call].Case(path_parameters=parameters, query=query)
    answer = case.call(headers={"Accept-Encoding": "identity"})
    assert b'"extended_attributes"' in answer.content
    case.validate_response(answer, checks=CHECKS)


def try_out(operation: Any, key: str, mode: GenerationMode, examples: int = 15) -> None:
    """Send input that the OpenAPI document allows or forbids. The document must describe every answer."""

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        answer = case.call(headers={"X-Api-Key": key, "Accept-Encoding": "identity"})
        case.validate_response(answer, checks=CHECKS)
        kind = kind_of(case.formatted_path, operation.method.upper(), answer.status_code)
        if kind and answer.headers["content-type"][0].startswith(("application/json", "text/xml")):
            assert deviations(answer.content, media_type=answer.headers["content-type"][0], kind=kind) == []

    check()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("call", sorted(STANDARD))
def test_the_standards_operations_answer_as_described(
    operations: dict[str, Any], key: str, call: str, mode: GenerationMode
) -> None:
    try_out(operations[call], key, mode)


def test_our_extensions_answer_as_described(operations: dict[str, Any], platform: Platform, key: str) -> None:
    make_due_forecasts(platform, utc_now())  # without forecasts, the answer is 503
    for call in sorted(set(operations) - STANDARD):
        try_out(operations[call], key, GenerationMode.POSITIVE, examples=8)


# Input that OpenAPI does not describe: every parameter with every kind of value, on every URL, as raw bytes.

NAMES = sorted(
    {
        name
        for schema in (RequestSearchArguments(), SubmissionArguments(), ServiceListArguments())
        for parameter in schema.parameters.values()
        for name in parameter.names
    }
)
HOSTILE = [
    "",
    "0",
    "-1",
    "1e999",
    "9" * 40,
    "NaN",
    "\x00",
    "\ufffe\U0010ffff",
    "' OR 1=1; --",
    "%s%(x)s{0}{number}$1\\",
    "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
    "]]></description><x>",
    "../../etc/passwd",
    "0001-01-01",
    "9999-12-31T23:59:60-14:00",
    "2026-03-01T00:00:00Z",
    "-180,-90,180,90",
    "180,0,-180,0",
    "1,2,3,4,5",
    "open,closed,",
    "city.example",
    "potholes",
    "graffiti",
    "trees",
    "hotline",
    "R1",
    ",".join("x" * 50 for _ in range(60)),
    "W10",
    "[1,2]",
    "true",
]
VALUES = st.sampled_from(HOSTILE) | st.text(max_size=30)
ANSWERS = st.sampled_from(["SURFACE", "TAGS", "HEIGHT", "SEEN", "NOTE", "1", "", "]", "NOPE\x00"]).flatmap(
    lambda code: st.sampled_from([f"attribute[{code}]", f"attribute[{code}][]", f"attribute[{code}][3]"])
)
PAIRS = st.lists(st.tuples(st.sampled_from(NAMES) | ANSWERS | st.text(max_size=8), VALUES), max_size=6)
RAW = st.binary(max_size=40).map(lambda raw: quote(raw, safe="&=%+;[]"))
PLACES = ["requests", "services", "tokens", "discovery", "areas", "jurisdictions", "changes", "nearby", "dumps"]
SEGMENTS = st.sampled_from([*PLACES, "R1", "R1,R1", "potholes", "a/b", ""]) | VALUES
PATHS = st.lists(SEGMENTS, max_size=3).map(lambda parts: "/".join(quote(part, safe="/") for part in parts))
SUFFIXES = st.sampled_from([".json", ".xml", ".JSON", ".csv", ".geojson", ".atom", ".ndjson", "", ".html", "."])
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *("Accept", "Accept-Language", "If-None-Match", "If-Modified-Since", "Range", "Origin"),
            *("Authorization", "X-Api-Key", "Idempotency-Key", "X-Request-Id", "X-Forwarded-For"),
            "Access-Control-Request-Method",
        ]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30)
    | st.sampled_from(["*/*", "application/json;q=x", "es;q=2,;", 'W/"x"', "bytes=0-1", "Bearer ", "*", "é"]),
    max_size=3,
)
FORM = "application/x-www-form-urlencoded"
TYPES = st.sampled_from(
    [FORM, "", f"{FORM}; charset=latin-1", "multipart/form-data; boundary=x", "text/plain", ";"]
)


@pytest.fixture
def served(client: FlaskClient, platform: Platform) -> FlaskClient:
    """A client of a server with a request R1."""
    build.store(platform, service_request_id="R1", at=utc_now())
    return client


def test_no_url_gives_a_server_error(served: FlaskClient) -> None:
    @settings(max_examples=150)
    @given(
        PATHS, SUFFIXES, PAIRS, RAW, HEADERS, st.sampled_from(["GET", "GET", "GET", "HEAD", "OPTIONS", "DELETE"])
    )
    def check(
        path: str, suffix: str, pairs: list[tuple[str, str]], raw: str, headers: dict[str, str], method: str
    ) -> None:
        url = f"{BASE}/{path}{suffix}?{urlencode(pairs)}&{raw}"
        with served.open(url, method=method, headers=headers) as answer:
            assert answer.status_code < 500, url

    check()


def test_no_query_of_a_list_gives_a_server_error(served: FlaskClient) -> None:
    @settings(max_examples=150)
    @given(PAIRS, st.sampled_from(["json", "xml"]))
    def check(pairs: list[tuple[str, str]], format: str) -> None:
        url = f"{BASE}/requests.{format}?{urlencode(pairs)}"
        asks_for_own_id = any(name.startswith("service_request_id_ext") for name, _ in pairs)
        refusals = (403,) if asks_for_own_id else ()  # a partner's own id needs the partner's key
        assert served.get(url).status_code in (200, 400, 404, *refusals), url

    check()


@pytest.mark.requirement("C295")
def test_no_post_gives_a_server_error(served: FlaskClient, key: str) -> None:
    valid = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414", "api_key": key}

    @settings(max_examples=150)
    @given(
        st.sets(st.sampled_from(sorted(valid)), max_size=2),
        PAIRS,
        RAW,
        TYPES,
        HEADERS,
        st.sampled_from(["json", "xml"]),
    )
    def check(
        left_out: set[str], pairs: list[tuple[str, str]], raw: str, kind: str, headers: dict[str, str], format: str
    ) -> None:
        kept = [(name, value) for name, value in valid.items() if name not in left_out]
        body = f"{urlencode([*pairs, *kept])}&{raw}".encode()
        answer = served.post(f"{BASE}/requests.{format}", data=body, content_type=kind, headers=headers)
        assert answer.status_code in (200, 400, 403, 404, 415), body

    check()
