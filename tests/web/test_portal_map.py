"""The page with the map: its files, its filters, its list, and what it may load."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml.html import HtmlElement

from open311.clock import utc_now
from open311.domain.places import Place
from open311.domain.requests import Status
from open311.operations.platform import Platform
from tests import build
from tests.pages import checked, text_of

PAGE = "/map/city.example"
TILES = "https://tiles.maps.example/{z}/{x}/{y}.png?key=1"
SOURCE = "© <Map> makers"


def about(document: HtmlElement) -> dict[str, Any]:
    """What the script of the map gets."""
    (box,) = document.xpath("//div[@id='map']")
    found: dict[str, Any] = json.loads(box.get("data-about"))
    return found


def policy_of(client: FlaskClient, path: str = PAGE) -> str:
    return client.get(path).headers["Content-Security-Policy"]


def test_the_page_has_all_files_that_it_needs(client: FlaskClient) -> None:
    document = checked(client.get(PAGE))
    files = document.xpath("//script/@src | //link[@rel='stylesheet']/@href")
    assert len(files) == 4
    for file in files:
        with client.get(file) as answer:
            assert answer.status_code == 200
            assert "max-age=31536000" in answer.headers["Cache-Control"]
    found = about(document)
    for name in ("tiles", "city", "areas"):
        assert client.get(found[name]).status_code == 200
    assert found["services"]["potholes"] == "Pothole"


def test_the_page_may_load_only_its_own_files(client: FlaskClient) -> None:
    answer = client.get(PAGE)
    assert answer.headers.getlist("Content-Security-Policy") == [policy_of(client)]
    assert "connect-src 'self'; worker-src blob:" in policy_of(client)
    assert "http" not in policy_of(client)
    for path in ("/c/city.example/", f"{PAGE}?status=half", "/map/nowhere"):
        assert "worker-src" not in policy_of(client, path)
        assert "default-src 'none'" in policy_of(client, path)


def test_without_script_the_page_has_a_picture_and_a_list_with_the_same_numbers(
    client: FlaskClient, platform: Platform
) -> None:
    now = utc_now()
    build.store(platform, number=1, at=now - timedelta(days=1), place=Place(lat=60.175, long=24.95))
    build.store(platform, number=2, at=now - timedelta(days=2), place=Place(address="Mill Lane"))
    build.store(platform, number=3, at=now - timedelta(days=3), place=Place(lat=60.176, long=24.951))
    document = checked(client.get(PAGE))
    rows = [" ".join(row.text_content().split()) for row in document.xpath("//ol[@id='found']/li")]
    assert [row[:2] for row in rows] == ["1.", "2.", "3."]
    assert "Mill Lane" in rows[1]
    numbers = document.xpath("//div[@id='picture'][@role='img']//circle/following-sibling::text/text()")
    assert {"1", "3"} <= set(numbers)
    assert "2" not in numbers
    for link in document.xpath("//ol[@id='found']//a/@href"):
        checked(client.get(link))


def test_the_list_has_the_filters_of_the_map(client: FlaskClient, platform: Platform) -> None:
    build.store(platform, number=1, at=utc_now(), status=Status.OPEN, description="a deep hole")
    build.store(platform, number=2, at=utc_now(), status=Status.CLOSED, description="a wide hole")
    for query in ("status=open", "q=deep", "status=open&q=hole"):
        document = checked(client.get(f"{PAGE}?{query}"))
        assert len(document.xpath("//ol[@id='found']/li")) == 1, query
        assert not document.xpath("//form/details[@open]")
    assert document.xpath("//summary")[0].text_content() == "Filters: “hole” · Open"
    nothing = checked(client.get(f"{PAGE}?q=nothing"))
    assert "No report fits these filters." in text_of(nothing)


def test_the_page_leads_to_the_list_with_the_same_filters(client: FlaskClient) -> None:
    document = checked(client.get(f"{PAGE}?status=open&locale=es"))
    (link,) = [one for one in document.xpath("//main//a/@href") if "/requests" in one]
    assert link == "/c/city.example/requests?locale=es&status=open"
    assert client.get(link).status_code == 200


def test_map_and_list_have_the_same_filters(client: FlaskClient) -> None:
    listed = checked(
        client.get("/c/city.example/requests?status=open&service_code=potholes&q=&sort=requested&page_size=3")
    )
    (link,) = [one for one in listed.xpath("//main//a/@href") if one.startswith("/map/")]
    assert link == f"{PAGE}?status=open&service_code=potholes"
    tiles = client.get(about(checked(client.get(link)))["tiles"]).json
    assert tiles["tiles"][0].endswith("jurisdiction_id=city.example&status=open&service_code=potholes")


def test_a_filter_that_is_sent_twice_reaches_the_tiles(client: FlaskClient) -> None:
    found = about(checked(client.get(f"{PAGE}?service_code=potholes&service_code=graffiti")))
    assert client.get(found["tiles"]).json["tiles"][0].endswith("service_code=potholes%2Cgraffiti")


@pytest.mark.parametrize(
    ("query", "field"), [("status=half", "status"), ("start_date=soon", "start_date"), ("bbox=1", "")]
)
def test_the_fault_of_a_filter_is_shown_beside_its_field(client: FlaskClient, query: str, field: str) -> None:
    document = checked(client.get(f"{PAGE}?{query}"), 400)
    (summary,) = document.xpath("//div[@role='alert']")
    assert summary.xpath(".//a/@href") == ([f"#{field}"] if field else [])
    assert document.xpath("//form/details[@open]")
    assert not document.xpath("//script")


def test_names_of_services_are_escaped(make_app: Callable[..., Flask]) -> None:
    evil = replace(build.HOLE, name="'\"><script>alert(1)</script>")
    client = make_app(build.city(services=(evil,))).test_client()
    answer = client.get("/map/test.example")
    assert "<script>alert" not in answer.text
    assert about(checked(answer))["services"]["potholes"] == evil.name


def test_the_words_of_the_script_are_in_the_readers_language(client: FlaskClient) -> None:
    words = about(checked(client.get(f"{PAGE}?locale=es")))["words"]
    assert words["open"] == "Abierto"
    assert "{count}" in words["far"]


def test_an_unknown_city_is_not_found(client: FlaskClient) -> None:
    checked(client.get("/map/nowhere"), 404)


def test_a_background_is_allowed_only_by_the_policy_of_the_page_with_the_map(
    make_app: Callable[..., Flask],
) -> None:
    client = make_app(map_background=TILES, map_attribution=SOURCE).test_client()
    assert about(checked(client.get(PAGE)))["background"] == {
        "tiles": TILES,
        "attribution": "© &lt;Map&gt; makers",
    }
    assert "connect-src 'self' https://tiles.maps.example;" in policy_of(client)
    assert "img-src 'self' data: https://tiles.maps.example;" in policy_of(client)
    assert "maps.example" not in policy_of(client, "/c/city.example/")
    assert "tiles.maps.example" in text_of(checked(client.get("/c/city.example/privacy")))


def test_a_style_may_load_from_more_hosts(make_app: Callable[..., Flask]) -> None:
    client = make_app(
        map_background="https://maps.example/style.json",
        map_attribution=SOURCE,
        map_hosts=("https://fonts.maps.example:8443",),
    ).test_client()
    assert about(checked(client.get(PAGE)))["background"]["style"] == "https://maps.example/style.json"
    assert "connect-src 'self' https://maps.example https://fonts.maps.example:8443;" in policy_of(client)


def test_a_background_on_this_server_needs_no_other_host(make_app: Callable[..., Flask]) -> None:
    client = make_app(map_background="/base/{z}/{x}/{y}.png", map_attribution=SOURCE).test_client()
    assert "connect-src 'self';" in policy_of(client)
