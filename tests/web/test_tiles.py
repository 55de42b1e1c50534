"""Map tiles show what the list shows, and nothing else. `test_search.py` tests their filters."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis.strategies import text

from open311.domain.places import Place
from open311.domain.requests import Status, Visibility
from open311.operations.platform import Platform
from tests import build, tiles
from tests.checked_client import platform_of
from tests.working import work

HERE = (24.9414, 60.1718)
CLOSE, FAR = tiles.tile_at(*HERE, 14), tiles.tile_at(*HERE, 10)


def path_of(tile: tiles.Tile) -> str:
    return f"{tiles.PATH}/{tile[0]}/{tile[1]}/{tile[2]}.mvt"


def ids(client: FlaskClient, tile: tiles.Tile, query: str = "") -> list[str]:
    return [one["service_request_id"] for _, one in tiles.layer(tiles.fetch(client, tile, query), "requests")]


def counts(client: FlaskClient, tile: tiles.Tile, query: str = "") -> list[int]:
    return [one["count"] for _, one in tiles.layer(tiles.fetch(client, tile, query), "cells")]


# --- What a tile shows


def test_a_tile_of_a_high_zoom_has_each_request_with_its_properties(
    client: FlaskClient, platform: Platform
) -> None:
    build.store(platform, service_request_id="R77")
    for zoom in range(12, 19):
        tile = tiles.tile_at(*HERE, zoom)
        [(place, properties)] = tiles.layer(tiles.fetch(client, tile), "requests")
        assert [place] == tiles.units(tile, *HERE)
        assert properties == {
            "service_request_id": "R77",
            "service_code": "potholes",
            "status": "open",
            "updated": "2026-03-01T12:00:00Z",
        }


def test_a_tile_of_a_low_zoom_has_cells_with_the_numbers_of_requests(
    client: FlaskClient, platform: Platform
) -> None:
    for status in ("open", "open", "closed"):
        build.store(platform, status=status)
    work(platform)
    for zoom in range(12):
        [(_, properties)] = tiles.layer(tiles.fetch(client, tiles.tile_at(*HERE, zoom)), "cells")
        assert properties == {"count": 3, "open": 2, "closed": 1}, zoom


def test_a_request_near_an_edge_is_also_in_the_neighbouring_tile(client: FlaskClient, platform: Platform) -> None:
    zoom, x, y = CLOSE
    west = x / 2**zoom * 360 - 180
    build.store(platform, place=Place(long=west + 0.0001, lat=HERE[1]))
    assert len(ids(client, CLOSE)) == len(ids(client, (zoom, x - 1, y))) == 1
    assert ids(client, (zoom, x + 1, y)) == []


def test_the_tiles_on_both_sides_of_the_180th_meridian_share_their_edge(
    client: FlaskClient, platform: Platform
) -> None:
    for number, long in enumerate((179.9999, -179.9999, 180.0, -180.0)):
        build.store(platform, service_request_id=f"M{number}", place=Place(long=long, lat=-16.8))
    work(platform)
    _, _, row = tiles.tile_at(179.9999, -16.8, 13)
    east, west = (13, 2**13 - 1, row), (13, 0, row)
    for tile in (east, west):
        found = tiles.layer(tiles.fetch(client, tile), "requests")
        assert {one["service_request_id"] for _, one in found} == {"M0", "M1", "M2", "M3"}
        assert all(-tiles.BUFFER <= place[0] <= tiles.EXTENT + tiles.BUFFER for place, _ in found)
    for tile in (tiles.tile_at(179.9999, -16.8, 10), tiles.tile_at(-180, -16.8, 10)):
        assert sorted(counts(client, tile)) == [1, 3], "180 degrees east are 180 degrees west"


@pytest.mark.parametrize("visibility", [one for one in Visibility if one is not Visibility.PUBLIC])
def test_requests_that_are_not_public_are_in_no_tile(
    client: FlaskClient, platform: Platform, visibility: Visibility
) -> None:
    build.store(platform, visibility=visibility)
    work(platform)
    assert tiles.fetch(client, CLOSE) == tiles.fetch(client, FAR) == b""


def test_a_tile_has_no_text_of_people(client: FlaskClient, platform: Platform) -> None:
    build.store(platform, description="Jane-in-text", status_notes="Jane-in-note")
    work(platform)
    assert b"Jane" not in tiles.fetch(client, CLOSE) + tiles.fetch(client, FAR)


def test_a_request_without_a_point_or_beyond_the_map_is_in_no_tile(client: FlaskClient, platform: Platform) -> None:
    build.store(platform, place=Place(address="5 Mill Lane"))
    for lat in (90.0, -90.0, 86.0):
        build.store(platform, place=Place(long=0.0, lat=lat))
    work(platform)
    assert counts(client, (0, 0, 0)) == []
    assert ids(client, (12, 2**11, 0)) == ids(client, (12, 2**11, 2**12 - 1)) == []


def test_without_dates_a_tile_has_requests_of_any_age(client: FlaskClient, platform: Platform) -> None:
    build.store(platform, at=build.NOON.replace(year=1998))
    assert len(ids(client, CLOSE)) == 1
    assert ids(client, CLOSE, "start_date=2026-01-01T00:00:00Z") == []


def test_a_tile_has_only_the_requests_inside_the_box_of_the_call(client: FlaskClient, platform: Platform) -> None:
    build.store(platform)
    assert len(ids(client, CLOSE, "bbox=24.94,60.17,24.95,60.18")) == 1
    assert ids(client, CLOSE, "bbox=24.95,60.17,24.96,60.18") == []
    assert len(ids(client, CLOSE, "bbox=24.94,60.17,-170,60.18")) == 1


def test_a_crowded_tile_has_the_newest_requests_and_says_that_there_are_more(
    client: FlaskClient, platform: Platform, multiply: Callable[..., None]
) -> None:
    multiply(platform, build.store(platform, service_request_id="old"), 500)
    newest = [build.store(platform, at=build.NOON.replace(day=day)).service_request_id for day in (2, 3)]
    answer = client.get(path_of(CLOSE))
    shown = {one["service_request_id"] for _, one in tiles.layer(answer.data, "requests")}
    assert len(shown) == 500
    assert shown >= set(newest)
    assert "old" not in shown
    assert tiles.layer(answer.data, "cut") == [((2_048, 2_048), {"shown": 500})]
    assert answer.headers["Warning"] == (
        '299 - "this tile has the newest 500 requests only; zoom in or send filters"'
    )
    one = client.get(f"{path_of(CLOSE)}?service_code=graffiti")
    assert "Warning" not in one.headers
    assert tiles.layer(one.data, "cut") == []


# --- As HTTP


def test_an_empty_tile_is_an_empty_body(client: FlaskClient) -> None:
    for tile in (CLOSE, FAR):
        answer = client.get(path_of(tile))
        assert (answer.status_code, answer.data) == (200, b"")
        assert answer.headers["ETag"]


@pytest.mark.parametrize("tile", [CLOSE, FAR])
def test_an_etag_changes_exactly_when_the_tile_changes(
    client: FlaskClient, platform: Platform, tile: tiles.Tile
) -> None:
    def send(etag: str = "") -> Any:
        work(platform)
        return client.get(path_of(tile), headers={"If-None-Match": etag})

    sent = build.store(platform).service_request_id
    first = send()
    assert first.status_code == 200
    assert first.headers["Cache-Control"] == "no-cache"
    again = send(first.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")
    build.change(platform, sent, status=Status.CLOSED)
    second = send(first.headers["ETag"])
    assert second.status_code == 200
    assert second.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("query", ["", "status=open", "q=pothole", "updated_after=2026-01-01T00:00:00Z"])
def test_a_tile_with_filters_is_revalidated_too(client: FlaskClient, platform: Platform, query: str) -> None:
    build.store(platform)
    first = client.get(f"{path_of(CLOSE)}?{query}").headers["ETag"]
    for _ in range(2):
        assert client.get(f"{path_of(CLOSE)}?{query}", headers={"If-None-Match": first}).status_code == 304
    assert client.get(f"{path_of(CLOSE)}?status=closed", headers={"If-None-Match": first}).status_code == 200


def test_a_tile_can_be_compressed_and_read_from_any_page(
    client: FlaskClient, platform: Platform, multiply: Callable[..., None]
) -> None:
    multiply(platform, build.store(platform), 200)
    plain, packed = (
        client.get(path_of(CLOSE), headers={"Accept-Encoding": coding}) for coding in ("identity", "gzip")
    )
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert plain.headers["Access-Control-Allow-Origin"] == "*"
    assert plain.headers["X-Attribution"]
    head = client.head(path_of(CLOSE))
    assert (head.status_code, head.data) == (200, b"")


# --- What callers do wrong


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("19/0/0", ["z"]),
        ("-1/0/0", ["z"]),
        ("z/x/y", ["z"]),
        ("12/4096/0", ["x"]),
        ("12/0/4096", ["y"]),
        ("12/-1/1e3", ["x", "y"]),
        ("0/1/1", ["x", "y"]),
        ("12/007/0", ["x"]),
        ("12/٣/0", ["x"]),
        ("12/0/0@2x", ["y"]),
        ("12/99999999999999999999999999/0", ["x"]),
        ("12/%00/0", ["x"]),
        ("12/0/'; DROP TABLE publication; --", ["y"]),
    ],
)
def test_a_path_that_names_no_tile_gets_400_that_names_the_number(
    client: FlaskClient, path: str, fields: list[str]
) -> None:
    answer = client.get(f"{tiles.PATH}/{path}.mvt")
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert [one["field"] for one in answer.json["errors"]] == fields


@given(text(max_size=20), text(max_size=20), text(max_size=20))
def test_no_path_leads_to_a_server_error(client: FlaskClient, z: str, x: str, y: str) -> None:
    path = "/".join(quote(part, safe="") for part in (z, x, y))
    assert client.get(f"{tiles.PATH}/{path}.mvt").status_code in (200, 308, 400, 404)


@pytest.mark.parametrize(
    "query",
    [
        "q=lamp",
        "department=streets",
        "agency_responsible=Streets",
        "area=Harbour",
        "has_photo=false",
        "start_date=2026-01-01T00:00:00Z",
        "end_date=2026-01-01T00:00:00Z",
        "updated_after=2026-01-01T00:00:00Z",
        "updated_before=2026-01-01T00:00:00Z",
        "bbox=24,60,25,61",
    ],
)
def test_the_error_for_a_filter_that_cells_do_not_have_names_the_lowest_zoom_for_it(
    client: FlaskClient, query: str
) -> None:
    [fault] = client.get(f"{tiles.PATH}/11/0/0.mvt?{query}").json["errors"]
    assert fault == {
        "field": query.partition("=")[0],
        "message": "filters tiles from zoom 12 on; leave it out for lower zooms.",
    }
    assert client.get(f"{tiles.PATH}/12/0/0.mvt?{query}").status_code == 200


def test_all_faults_of_a_call_are_reported_at_once(client: FlaskClient) -> None:
    answer = client.get(f"{tiles.PATH}/11/0/0.mvt?lat=99&long=1&radius=5&status=bogus&q=lamp&bbox=1,2,3")
    assert {one["field"] for one in answer.json["errors"]} == {"lat", "long", "radius", "status", "q", "bbox"}


def test_unknown_parameters_are_named_in_a_warning(client: FlaskClient) -> None:
    answer = client.get(f"{path_of(CLOSE)}?page=2&colour=red")
    assert answer.headers.getlist("Warning") == [
        '299 - "page is ignored; this call has no such parameter"',
        '299 - "colour is ignored; this call has no such parameter"',
    ]


def test_an_unknown_city_gets_404_and_an_unknown_department_a_warning(client: FlaskClient) -> None:
    answer = client.get(f"{path_of(CLOSE)}?jurisdiction_id=nowhere.example")
    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
    assert client.get(f"{tiles.PATH}.json?jurisdiction_id=nowhere.example").status_code == 404
    warning = client.get(f"{path_of(CLOSE)}?department=nope").headers["Warning"]
    assert "department nope is not one of city.example now" in warning


def test_without_a_database_a_tile_is_503(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    client = make_app(database_url=f"postgresql+psycopg2://nobody@/none?host={tmp_path}").test_client()
    for tile in (CLOSE, FAR):
        answer = client.get(path_of(tile))
        assert answer.status_code == 503
        assert answer.content_type == "application/problem+json"
        assert int(answer.headers["Retry-After"]) > 0
    assert client.get(f"{tiles.PATH}.json").status_code == 200


# --- Two cities


@pytest.fixture
def two_cities(make_app: Callable[..., Flask]) -> FlaskClient:
    """A server with two cities without boundaries; only the first one has a request."""
    app = make_app(build.city(), build.city(id="other.example", name="<b>Other & Sons</b>"))
    build.submit(platform_of(app))
    work(platform_of(app))
    return app.test_client()


def test_a_tile_has_the_requests_of_its_city_only(two_cities: FlaskClient) -> None:
    assert two_cities.get(path_of(CLOSE)).status_code == 400, "the city must be named"
    for city, number in (("test.example", 1), ("other.example", 0)):
        assert len(ids(two_cities, CLOSE, f"jurisdiction_id={city}")) == number
        assert len(counts(two_cities, FAR, f"jurisdiction_id={city}")) == number


# --- TileJSON


def test_tilejson_tells_a_map_where_the_tiles_are(client: FlaskClient, platform: Platform) -> None:
    build.store(platform)
    answer = client.get(f"{tiles.PATH}.json")
    found = answer.json
    assert found["tilejson"] == "3.0.0"
    assert (found["minzoom"], found["maxzoom"]) == (0, 18)
    west, south, east, north = found["bounds"]
    assert west < HERE[0] < east
    assert south < HERE[1] < north
    assert found["attribution"]
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    layers = {one["id"]: one for one in found["vector_layers"]}
    zoom, x, y = CLOSE
    url = found["tiles"][0].format(z=zoom, x=x, y=y)
    [(_, properties)] = tiles.layer(client.get(url).data, "requests")
    assert properties.keys() == layers["requests"]["fields"].keys()
    assert layers["requests"]["minzoom"] == layers["cells"]["maxzoom"] + 1 == 12


def test_tilejson_has_the_filters_of_the_call_in_the_address(client: FlaskClient) -> None:
    found = client.get(f"{tiles.PATH}.json?service_code=a%26b,c&status[]=open&colour=red&locale=es").json
    assert found["tiles"] == [
        "http://localhost/open311/v2/tiles/{z}/{x}/{y}.mvt"
        "?jurisdiction_id=city.example&service_code=a%26b%2Cc&status%5B%5D=open"
    ]
    assert found["minzoom"] == 0
    assert client.get(f"{tiles.PATH}.json?q=lamp").json["minzoom"] == 12
    assert client.get(f"{tiles.PATH}.json?status=bogus").status_code == 400


def test_a_city_without_a_boundary_has_the_bounds_of_the_world_and_no_name_is_markup(
    two_cities: FlaskClient,
) -> None:
    found = two_cities.get(f"{tiles.PATH}.json?jurisdiction_id=other.example").json
    assert found["bounds"] == [-180, -85.051129, 180, 85.051129]
    assert "<" not in found["attribution"]
