"""The HTML pages, and the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import html
from schemathesis.specs.openapi.definitions import OPENAPI_30

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
    for answer in (page, summary):
        assert answer.headers["Vary"] == "Accept"
    assert client.get("/").mimetype == "text/html"
    assert client.get("/", headers={"Accept": "*/*"}).mimetype == "text/html"


def test_every_url_in_the_summary_gets_an_answer(client: FlaskClient) -> None:
    summary = client.get("/", headers={"Accept": "application/json"}).json
    (city,) = summary["jurisdictions"]
    for address in (summary["discovery"], summary["openapi"], city["services"], city["requests"]):
        assert client.get(address.removeprefix("http://localhost")).status_code == 200, address


def test_every_link_of_the_pages_gets_an_answer(client: FlaskClient) -> None:
    for path in ("/", "/docs"):
        document = html.fromstring(client.get(path).text)
        links = {str(found) for found in document.xpath("//a/@href | //link/@href | //script/@src | //img/@src")}
        own = {link.removeprefix("http://localhost") for link in links if not link.startswith("https://")}
        assert own
        for link in own:
            with client.get(link) as answer:
                assert answer.status_code == 200, link


def test_the_pages_load_no_file_from_other_hosts(client: FlaskClient) -> None:
    for path in ("/", "/docs"):
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
def test_no_other_file_is_served(client: FlaskClient, name: str) -> None:
    assert client.get(f"/docs/{name}").status_code == 404


def test_the_name_of_a_city_is_escaped_in_the_page(make_app: Callable[..., Flask]) -> None:
    client = make_app(build.city(name="<script>alert(1)</script> & Sons")).test_client()
    page = client.get("/").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Sons" in page


def test_the_public_address_is_on_the_page_and_in_discovery(make_app: Callable[..., Flask]) -> None:
    client = make_app(public_url="http://311.city.example/").test_client()
    assert "http://311.city.example/open311/v2/services.json" in client.get("/").text
    (endpoint,) = client.get("/open311/discovery.json").json["endpoints"]
    assert endpoint["url"] == "http://311.city.example/open311/v2"


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


def test_the_description_has_every_operation_in_both_formats(description: dict[str, Any], app: Flask) -> None:
    routes = {
        re.sub(r"<(?:[^:<>]*:)?(\w+)>", r"{\1}", rule.rule).replace("{suffix}", "*")
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/open311/") and "suffix" in rule.arguments
    }
    assert routes
    described = {re.sub(r"\.(json|xml)$", ".*", path.replace("{suffix}", "*")) for path in description["paths"]}
    assert routes <= described
    for path, calls in description["paths"].items():
        for method, call in calls.items():
            if method in ("get", "post"):
                if "{suffix}" in path:
                    assert set(call["responses"]["200"]["content"]) == {"application/json", "text/xml"}, path
                assert call["summary"], path
                for response in call["responses"].values():
                    assert response["description"], path


def test_every_parameter_and_field_is_described(description: dict[str, Any]) -> None:
    for name, schema in description["components"]["schemas"].items():
        for field, found in schema.get("properties", {}).items():
            inner = found.get("description") or found.get("allOf")
            assert inner, f"{name}.{field}"
    for path, calls in description["paths"].items():
        for call in calls.values():
            for parameter in call.get("parameters", ()) if isinstance(call, dict) else ():
                if "$ref" not in parameter and parameter["in"] == "query":
                    assert parameter.get("description"), (path, parameter["name"])
