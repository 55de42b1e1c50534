"""The page with the map: its files, its filters, and what it may load."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import build
from tests.pages import checked, text_of

PAGE = "/map/city.example"


def test_the_page_has_all_files_that_it_needs(client: FlaskClient) -> None:
    document = checked(client.get(PAGE))
    files = document.xpath("//script/@src | //link[@rel='stylesheet']/@href")
    assert len(files) == 4
    for file in files:
        with client.get(file) as answer:
            assert answer.status_code == 200
            assert "max-age=31536000" in answer.headers["Cache-Control"]
    (box,) = document.xpath("//div[@id='map']")
    for name in ("data-tiles", "data-cities", "data-areas"):
        assert client.get(box.get(name)).status_code == 200
    assert json.loads(box.get("data-services"))["potholes"] == "Pothole"


def test_the_page_may_load_only_its_own_files(client: FlaskClient) -> None:
    policy = client.get(PAGE).headers["Content-Security-Policy"]
    assert "connect-src 'self'" in policy
    assert "worker-src blob:" in policy
    assert "worker-src" not in client.get("/c/city.example/").headers["Content-Security-Policy"]


def test_without_script_the_page_leads_to_the_list(client: FlaskClient) -> None:
    document = checked(client.get(f"{PAGE}?status=open&locale=es"))
    (link,) = [one for one in document.xpath("//main//a/@href") if "/requests" in one]
    assert link == "/c/city.example/requests?locale=es&status=open"
    assert client.get(link).status_code == 200
    assert "necesita JavaScript" in text_of(document)


def test_map_and_list_have_the_same_filters(client: FlaskClient) -> None:
    listed = checked(
        client.get("/c/city.example/requests?status=open&service_code=potholes&q=&sort=requested&page_size=3")
    )
    (link,) = [one for one in listed.xpath("//main//a/@href") if one.startswith("/map/")]
    assert link == f"{PAGE}?status=open&service_code=potholes"
    (box,) = checked(client.get(link)).xpath("//div[@id='map']")
    about = client.get(box.get("data-tiles")).json
    assert about["tiles"][0].endswith("jurisdiction_id=city.example&status=open&service_code=potholes")


@pytest.mark.parametrize("query", ["status=half", "start_date=soon"])
def test_a_filter_that_cannot_be_read_is_a_page_that_says_so(client: FlaskClient, query: str) -> None:
    assert "A filter in the address of this page cannot be read." in text_of(
        checked(client.get(f"{PAGE}?{query}"), 400)
    )


def test_names_of_services_are_escaped(make_app: Callable[..., Flask]) -> None:
    evil = replace(build.HOLE, name="'\"><script>alert(1)</script>")
    client = make_app(build.city(services=(evil,))).test_client()
    answer = client.get("/map/test.example")
    assert "<script>alert" not in answer.text
    (box,) = checked(answer).xpath("//div[@id='map']")
    assert json.loads(box.get("data-services"))["potholes"] == evil.name


def test_an_unknown_city_is_not_found(client: FlaskClient) -> None:
    checked(client.get("/map/nowhere"), 404)
