"""The HTML pages, and the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urljoin

import jsonschema
import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import html
from schemathesis.specs.openapi.definitions import OPENAPI_30

from open311.clock import utc_now
from open311.operations.platform import Platform
from open311.operations.statistics.forecasting import make_forecasts
from tests import build

BASE = "/open311/v2"


def test_the_root_is_a_page_for_browsers_and_json_for_programs(client: FlaskClient) -> None:
    page = client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.content_type == "text/html; charset=utf-8"
    assert "Demoville" in page.text
    summary = client.get("/", headers={"Accept": "application/json"})
    assert summary.content_type == "application/json"
    (city,) = summary.json["jurisdictions"]
    assert city["jurisdiction_id"] == "city.example"
    assert page.headers["Vary"] == "Accept, Accept-Language"
    assert summary.headers["Vary"] == "Accept"
    assert client.get("/").mimetype == "text/html"
    assert client.get("/", headers={"Accept": "*/*"}).mimetype == "text/html"


@pytest.mark.parametrize(
    ("accepted", "language"), [("", "en"), ("es-PE", "es"), ("fi", "en"), ("ar-EG", "ar"), ("zh-TW", "zh-Hans")]
)
def test_the_root_is_in_the_readers_language(client: FlaskClient, accepted: str, language: str) -> None:
    page = client.get("/", headers={"Accept-Language": accepted, "Accept": "text/html"})
    document = html.fromstring(page.text)
    assert (page.headers["Content-Language"], document.get("lang")) == (language, language)
    lead, base = document.findtext(".//p[@class='lead']"), "http://localhost/open311/v2"
    assert ("Este servidor recibe solicitudes de servicio para 1 ciudad y publica" in lead) is (language == "es")
    assert ("This server accepts service requests for 1 city and publishes" in lead) is (language == "en")
    assert f'<a href="{base}/discovery.json">JSON</a>' in page.text


def test_every_url_in_the_summary_gets_an_answer(client: FlaskClient) -> None:
    summary = client.get("/", headers={"Accept": "application/json"}).json
    (city,) = summary["jurisdictions"]
    for address in (summary["discovery"], summary["openapi"], city["services"], city["requests"]):
        assert client.get(address.removeprefix("http://localhost")).status_code == 200, address


GUIDES = ("/docs/extensions", "/docs/georeport-v2")


def test_every_link_of_the_pages_gets_an_answer(client: FlaskClient) -> None:
    for path in ("/", "/docs", *GUIDES):
        document = html.fromstring(client.get(path).text)
        links = {str(found) for found in document.xpath("//a/@href | //link/@href | //script/@src | //img/@src")}
        outside = ("https://", "http://wiki.open311.org/")
        own = {link.removeprefix("http://localhost") for link in links if not link.startswith(outside)}
        assert own
        for link in own:
            with client.get(urljoin(path, link)) as answer:
                assert answer.status_code == 200, link


@pytest.mark.parametrize("path", GUIDES)
def test_a_guide_is_a_page_whose_rules_can_be_linked(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.content_type == "text/html; charset=utf-8"
    document = html.fromstring(answer.text)
    rows = {str(row.get("id")): row.text_content() for row in document.xpath("//tr[@id]")}
    number, words = ("F2", "FeatureCollection") if "extensions" in path else ("C001", "discovery.xml")
    assert words in rows[number]
    assert not re.search(r"[\w-]+\.(md|py)\b|\bspec/", document.text_content().replace("georeport-v2.md", ""))


def test_the_pages_load_no_file_from_other_hosts(client: FlaskClient) -> None:
    for path in ("/", "/docs", *GUIDES):
        answer = client.get(path)
        document = html.fromstring(answer.text)
        sources = document.xpath("//link/@href | //script/@src | //img/@src")
        assert not [source for source in sources if "//" in source]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert not document.xpath("//script[not(@src)]"), (
            "the page's content security policy forbids inline scripts"
        )


def test_the_api_pages_files_come_from_this_server(client: FlaskClient) -> None:
    for name, kind in (
        ("swagger-ui.css", "text/css"),
        ("swagger-ui-bundle.js", "javascript"),
        ("start.js", "javascript"),
    ):
        with client.get(f"/docs/{name}") as answer:
            assert answer.status_code == 200
            assert kind in answer.content_type
            assert b"/openapi.json" in answer.data or name != "start.js"


@pytest.mark.parametrize(
    "name", ["../web/app.py", "..%2f..%2fsetup.cfg", "/etc/passwd", "%2e%2e/%2e%2e/setup.cfg", ".."]
)
def test_no_path_of_the_guides_leads_to_another_file(client: FlaskClient, name: str) -> None:
    assert client.get(f"/docs/{name}").status_code == 404


def test_the_name_of_a_city_is_escaped_in_the_page(make_app: Callable[..., Flask]) -> None:
    client = make_app(build.city(name="<script>alert(1)</script> & Sons")).test_client()
    page = client.get("/").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Sons" in page


def test_the_public_address_is_on_the_page_and_in_discovery(make_app: Callable[..., Flask]) -> None:
    client = make_app(public_url="http://311.city.example/").test_client()
    assert "http://311.city.example/open311/v2/services.json" in client.get("/").text
    endpoint, inquiry = client.get("/open311/discovery.json").json["endpoints"]
    assert endpoint["url"] == "http://311.city.example/open311/v2"
    assert inquiry["url"] == "http://311.city.example/inquiry/v1"


@pytest.mark.parametrize(("own", "other"), [("production", "test"), ("test", "production")])
def test_discovery_lists_the_other_endpoint_of_the_city(
    make_app: Callable[..., Flask], own: str, other: str
) -> None:
    client = make_app(endpoint_type=own, other_endpoint="https://other.example/open311/v2").test_client()
    for path in ("/open311/discovery.json", "/open311/v2/discovery.json"):
        endpoints = client.get(path).json["endpoints"]
        assert [found["type"] for found in endpoints] == [own, other, own]
        assert endpoints[1]["url"] == "https://other.example/open311/v2"


@pytest.fixture
def description(client: FlaskClient) -> dict[str, Any]:
    """The OpenAPI document."""
    found: dict[str, Any] = client.get("/openapi.json").json
    return found


def test_the_description_is_valid_openapi(description: dict[str, Any]) -> None:
    jsonschema.validate(description, OPENAPI_30)


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    return set().union(*map(references, node)) if isinstance(node, list) else set()


def test_every_reference_of_the_description_resolves(description: dict[str, Any]) -> None:
    found = references(description)
    assert found
    for reference in found:
        node: Any = description
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
        assert node


def calls_of(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each path with each of its operations."""
    for path, found in description["paths"].items():
        yield from ((path, call) for method, call in found.items() if method in ("get", "post"))


def test_the_description_has_all_operations_in_both_formats_except_dumps_and_tiles(
    description: dict[str, Any],
) -> None:
    calls = {(path, call["operationId"]): call for path, call in calls_of(description)}
    xml = {path.removesuffix(".xml") for path, _ in calls if path.endswith(".xml")}
    assert xml == {path.removesuffix(".json") for path, _ in calls if path.endswith(".json")} - {
        "/open311/v2/dumps",
        "/open311/v2/tiles",
    }
    for (path, _), call in calls.items():
        [success] = [call["responses"][status] for status in ("200", "201") if status in call["responses"]][:1]
        (media_type,) = success["content"]
        assert media_type.endswith(path.rpartition(".")[2]) or not path.endswith((".json", ".xml")), path
        assert call["summary"], path
        for response in call["responses"].values():
            assert "$ref" in response or response["description"], path


def test_each_operation_has_a_unique_id(description: dict[str, Any]) -> None:
    ids = [call["operationId"] for _, call in calls_of(description)]
    assert len(set(ids)) == len(ids)
    assert {"list_services", "list_requests", "create_request", "create_request_as_xml"} <= set(ids)


def test_the_description_names_the_servers_own_address(make_app: Callable[..., Flask]) -> None:
    client = make_app(public_url="http://311.city.example/").test_client()
    description = client.get("/openapi.json").json
    assert description["servers"] == [{"url": "http://311.city.example"}]
    assert description["externalDocs"]["url"] == "http://311.city.example/docs/extensions"


def test_the_description_asks_for_a_key_to_send_and_for_subscriptions_and_sensors(
    description: dict[str, Any],
) -> None:
    schemes = description["components"]["securitySchemes"]
    assert {(one["type"], one.get("name", one.get("scheme"))) for one in schemes.values()} == {
        ("apiKey", "X-Api-Key"),
        ("apiKey", "api_key"),
        ("http", "bearer"),
    }
    secured = [(path, call) for path, call in calls_of(description) if "security" in call]
    staff = [call["security"] for path, call in secured if path.startswith("/staff/")]
    assert staff
    assert len({str(one) for one in staff}) == 1
    with_key = {call["operationId"]: call["security"] for path, call in secured if not path.startswith("/staff/")}
    sending = {"create_request", "create_update", "support_request", "remove_support"}
    of_owners = {call["operationId"] for path, call in secured if "/subscriptions" in path}
    of_things = {call["operationId"] for path, call in secured if path.startswith("/sensors/")}
    assert set(with_key) == sending | {f"{name}_as_xml" for name in sending} | of_owners | of_things
    assert with_key["create_request"] == [{"api_key_header": []}, {"api_key_bearer": []}, {"api_key_query": []}]
    assert "api_key" in description["components"]["schemas"]["Submission"]["properties"]


def test_the_form_of_a_new_request_is_described_in_both_media_types(description: dict[str, Any]) -> None:
    content = description["paths"]["/open311/v2/requests.json"]["post"]["requestBody"]["content"]
    assert set(content) == {"application/x-www-form-urlencoded", "multipart/form-data"}
    schemas = description["components"]["schemas"]
    form, parts = schemas["Submission"], schemas["SubmissionParts"]
    assert form["properties"] == parts["properties"]
    assert form["required"] == ["service_code"]
    assert form["properties"]["lat"]["type"] == "number"
    assert form["properties"]["media_url"]["type"] == "array"
    for schema in (form, parts):
        assert "attribute[KIND]" in schema["additionalProperties"]["description"]


def test_fields_that_every_body_has_are_required_and_times_are_marked(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    required = {name: set(schema.get("required", ())) for name, schema in schemas.items()}
    extras = {"extended_attributes", "notes", "attributes"}
    standard = set(schemas["ExtendedRequest"]["properties"]) - extras - {"distance"}
    assert required["ExtendedRequest"] == standard
    assert required["Nearby"] == standard | {"distance"}
    assert required["Change"] == {"service_request_id"}
    assert set(schemas["Change"]["properties"]) == standard | extras | {"withdrawn"}
    assert required["ExtendedReceipt"] == {"service_notice", "account_id"}
    assert required["Token"] == {"token"}
    for name, schema in schemas.items():
        for field, found in schema.get("properties", {}).items():
            is_time = field in (
                "datetime",
                "at",
                "as_of",
                "visit",
                "expected",
                "expires",
                "expiration",
                "timestamp",
                "since",
            ) or field.endswith(("_datetime", "_at", "_since", "_until"))
            assert (found.get("format") == "date-time") == is_time, f"{name}.{field}"


def test_headers_of_answers_are_described(description: dict[str, Any]) -> None:
    calls = dict(
        calls_of(
            {
                "paths": {
                    path: {"get": found["get"]} for path, found in description["paths"].items() if "get" in found
                }
            }
        )
    )
    lists = calls["/open311/v2/requests.json"]["responses"]
    assert set(lists["200"]["headers"]) == {"ETag", "Link", "Warning", "X-Request-Id", "X-Total-Count"}
    changes = calls["/open311/v2/changes.json"]["responses"]
    assert {"X-Cursor", "X-Caught-Up", "Link"} <= set(changes["200"]["headers"])
    for status in ("429", "503"):
        name = lists[status]["$ref"].rpartition("/")[2]
        assert "Retry-After" in description["components"]["responses"][name]["headers"]


def test_the_description_has_all_headers_of_reads_without_values_in_their_path(
    client: FlaskClient, platform: Platform, key: str, description: dict[str, Any]
) -> None:
    """Headers that HTTP itself defines, those of CORS, and those of every answer need no description."""
    for number in range(3):
        build.store(platform, service_request_id=f"R{number}")
    (city,) = platform.registry
    make_forecasts(platform, city, utc_now())
    plain = {"Content-Type", "Content-Length", "Cache-Control", "Vary", "Content-Encoding"}
    always = {"X-Open311-Server", "X-Content-Type-Options", "Access-Control-Allow-Origin"}
    for path, found in description["paths"].items():
        if "{" in path or "get" not in found or path.startswith(("/staff/", "/sensors/")):
            continue
        query = "?page_size=1&count=true&pagesize=2&lat=60.17&long=24.94&radius=9&service_code=potholes&q=hole"
        answer = client.get(path + query, headers={"X-Api-Key": key}, buffered=True)
        described = found["get"]["responses"]["200"]["headers"]
        rest = set(answer.headers.keys()) - set(described) - plain - always - {"Access-Control-Expose-Headers"}
        assert not rest, path
        assert answer.status_code == 200, path


def test_the_description_names_no_file_and_no_number_of_a_rule(description: dict[str, Any]) -> None:
    def texts(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from (node[name] for name in ("description", "summary") if isinstance(node.get(name), str))
        for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            yield from texts(value)

    for text in texts(description):
        assert not re.search(r"\.md\b|\bspec/|\b[A-Z]\d{1,3}\b", text), text


def test_no_parameter_or_field_has_a_blank_default_or_example(description: dict[str, Any]) -> None:
    def check(node: Any) -> None:
        if isinstance(node, dict):
            assert "" not in (node.get("default"), node.get("example")), node
        for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            check(value)

    check(description)


def test_every_parameter_and_field_is_described(description: dict[str, Any]) -> None:
    for name, schema in description["components"]["schemas"].items():
        for field, found in schema.get("properties", {}).items():
            inner = found.get("description") or found.get("allOf")
            assert inner, f"{name}.{field}"
    for path, calls in description["paths"].items():
        for call in calls.values():
            for parameter in call.get("parameters", ()) if isinstance(call, dict) else call:
                assert "$ref" in parameter or parameter.get("description"), (path, parameter["name"])
