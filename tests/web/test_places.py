"""Our extensions for places: cities and areas as data, the services at a point, requests by area."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import shapely
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree
from shapely.geometry import box, shape

from open311.clock import utc_now
from open311.domain.places import Place
from open311.operations.platform import Platform
from open311.operations.upkeep.recompute_areas import count_requests, recompute_areas
from tests import build
from tests.checked_client import platform_of
from tests.conftest import CITY

BASE = "/open311/v2"
HARBOUR = "lat=60.13&long=24.95"
INLAND = "lat=60.2&long=24.95"
ABROAD = "lat=10&long=10"

both_formats = pytest.mark.parametrize("format", ["json", "xml"])
MakeApp = Callable[..., Flask]


def rows(client: FlaskClient, path: str, format: str) -> list[dict[str, Any]]:
    """The items of a list of places, with their boundaries as geometries."""
    address, _, query = path.partition("?")
    answer = client.get(f"{BASE}/{address}.{format}?{query}")
    assert answer.status_code == 200, answer.text
    if format == "xml":
        return [
            {child.tag: [part.text for part in child] or child.text for child in item}
            | {"boundary": _text_shape(item.findtext("boundary"))}
            for item in etree.fromstring(answer.data)
        ]
    if format == "geojson":
        assert answer.mimetype == "application/geo+json"
        return [
            item["properties"] | {"boundary": shape(item["geometry"]) if item["geometry"] else None}
            for item in answer.get_json(force=True)["features"]
        ]
    return [
        item | {"boundary": shape(item["boundary"]) if item["boundary"] else None} for item in answer.json or ()
    ]


def _text_shape(text: str | None) -> Any:
    return shapely.from_wkt(text) if text else None


@pytest.mark.parametrize("path", ["jurisdictions", "areas"])
def test_all_formats_have_the_same_data(client: FlaskClient, platform: Platform, path: str) -> None:
    found = rows(client, path, "json")
    assert found == rows(client, path, "xml") == rows(client, path, "geojson")
    (item,) = found
    (city,) = platform.registry
    assert item["jurisdiction_id"] == CITY
    assert item["boundary"] == (city.boundary if path == "jurisdictions" else city.areas["Harbour"])


def test_a_jurisdiction_has_its_description_and_base_url(client: FlaskClient) -> None:
    (item,) = rows(client, "jurisdictions", "json")
    assert item["name"] == "Demoville"
    assert item["time_zone"] == "Europe/Helsinki"
    assert item["languages"] == ["en", "es", "fr", "zh-Hans", "ht", "ar"]
    for name in ("services_url", "requests_url", "changes_url", "areas_url"):
        assert client.get(item[name]).status_code == 200


@pytest.mark.parametrize("format", ["json", "xml", "geojson"])
def test_a_city_is_found_from_a_point(make_app: MakeApp, format: str) -> None:
    west = build.city(id="west.example", boundary=box(0, 0, 10, 10))
    east = build.city(id="east.example", boundary=box(10, 0, 20, 10))
    client = make_app(west, east).test_client()

    def ids(query: str) -> list[str]:
        return [item["jurisdiction_id"] for item in rows(client, f"jurisdictions?{query}", format)]

    assert ids("") == ["east.example", "west.example"]
    assert ids("lat=5&long=5") == ["west.example"]
    assert ids("lat=5&long=10") == ["east.example", "west.example"], "a point on the border is in both cities"
    assert ids("lat=50&long=50") == []
    assert ids("jurisdiction_id=west.example") == ["west.example"]
    assert ids("jurisdiction_id=west.example&lat=5&long=15") == []


def test_a_city_without_a_boundary_covers_every_point_and_has_no_geometry(make_app: MakeApp) -> None:
    client = make_app(build.city()).test_client()
    for format in ("json", "xml", "geojson"):
        (item,) = rows(client, "jurisdictions?lat=1&long=2", format)
        assert item["boundary"] is None


@pytest.mark.parametrize("format", ["json", "xml", "geojson"])
def test_areas_are_found_from_a_point(client: FlaskClient, format: str) -> None:
    assert [item["name"] for item in rows(client, f"areas?{HARBOUR}", format)] == ["Harbour"]
    assert rows(client, f"areas?{INLAND}", format) == []


@both_formats
@pytest.mark.requirement("C070")
def test_services_at_a_point_are_the_services_of_its_city(client: FlaskClient, format: str) -> None:
    whole = client.get(f"{BASE}/services.{format}")
    assert client.get(f"{BASE}/services.{format}?{INLAND}").data == whole.data
    abroad = client.get(f"{BASE}/services.{format}?{ABROAD}")
    assert abroad.data in (b"[]", b'<?xml version="1.0" encoding="UTF-8"?>\n<services/>')
    assert abroad.headers["ETag"] != whole.headers["ETag"]


@pytest.mark.parametrize(
    "path", ["services.json", "services.xml", "areas.json", "areas.xml", "areas.geojson", "jurisdictions.geojson"]
)
@pytest.mark.parametrize(
    ("query", "named"),
    [("lat=1", "long: "), ("long=1", "lat: "), ("lat=91&long=x", "lat: 91"), ("lat=a&long=1", "lat: ")],
)
def test_an_incomplete_or_invalid_point_gets_400(client: FlaskClient, path: str, query: str, named: str) -> None:
    answer = client.get(f"{BASE}/{path}?{query}")
    assert answer.status_code == 400
    assert named in answer.text
    assert ("json" in answer.mimetype) is path.endswith("json")


@pytest.mark.parametrize("path", ["jurisdictions.json", "jurisdictions.geojson", "areas.xml", "areas.geojson"])
def test_places_can_be_cached_for_a_limited_time(client: FlaskClient, path: str) -> None:
    answer = client.get(f"{BASE}/{path}")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    same = client.get(f"{BASE}/{path}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (same.status_code, same.headers["Cache-Control"]) == (304, "public, max-age=300")


# --- Requests and their areas


@pytest.fixture
def redrawn(make_app: MakeApp) -> Platform:
    """A city whose only ward was redrawn after two requests were stored; one of them has no point."""
    app = make_app(build.city(areas={"Ward 2": box(24, 60, 25, 61), "Centre": box(24.9, 60.1, 25, 60.2)}))
    platform = platform_of(app)
    build.store(platform, service_request_id="A", areas=("Ward 1",), at=utc_now())
    build.store(platform, service_request_id="B", place=Place(address="5 Mill Lane"), at=utc_now())
    return platform


def test_requests_are_filtered_by_area(client: FlaskClient, post: Callable[..., Any]) -> None:
    inside = post(service_code="potholes", lat=60.13, long=24.95).json[0]["service_request_id"]
    post(service_code="potholes", lat=60.2, long=24.95)
    for format in ("json", "xml"):
        assert client.get(f"{BASE}/requests.{format}?area=Harbour").text.count(inside) == 1
    (item,) = client.get(f"{BASE}/requests.json?area=Harbour&extensions=extended_attributes").json
    assert item["service_request_id"] == inside
    assert item["extended_attributes"]["areas"] == ["Harbour"]
    assert client.get(f"{BASE}/requests.json?area=harbour").json == []


def test_recomputed_areas_are_stored_and_the_history_has_the_former_areas(redrawn: Platform) -> None:
    (city,) = redrawn.registry
    before = build.load(redrawn, service_request_id="A")
    assert count_requests(redrawn, city) == 2
    assert recompute_areas(redrawn, city, now=build.NOON) == 1
    after = build.load(redrawn, service_request_id="A")
    assert after.areas == ("Ward 2", "Centre")
    assert (after.updated_at, after.changed_at) == (before.updated_at, before.changed_at)
    event = build.history(redrawn, after)[-1]
    assert (event.kind, event.description, event.is_public) == ("areas", "was: Ward 1", False)
    assert recompute_areas(redrawn, city, now=build.NOON) == 0, "a second run changes nothing"
    assert len(build.history(redrawn, after)) == 2


def test_recomputed_areas_are_public_immediately(redrawn: Platform, make_app: MakeApp) -> None:
    (city,) = redrawn.registry
    client = make_app(city).test_client()
    assert len(client.get(f"{BASE}/requests.json?area=Ward%201").json) == 1
    recompute_areas(redrawn, city, now=build.NOON)
    assert client.get(f"{BASE}/requests.json?area=Ward%201").json == []
    (item,) = client.get(f"{BASE}/requests.json?area=Ward%202&extensions=true").json
    assert item["extended_attributes"]["areas"] == ["Ward 2", "Centre"]
    assert not any("Ward 1" in note["description"] for note in item["notes"])
