"""Searches by place in SQL find the points that Python computes: boxes exactly, circles with a tolerance."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import asin, cos, degrees, pi, radians, sin, sqrt

import orjson
import pytest
from flask import Flask
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from open311.domain.places import Place
from open311.domain.search import Box, Circle, RequestSearch, box_around, halves
from open311.formats import JSON
from open311.operations.platform import Platform
from open311.operations.reading.find_requests import find_requests
from open311.storage.geometry import point_of
from tests import build
from tests.checked_client import platform_of

POINTS = 400
EARTH_RADIUS_M = 6_371_008.8
FLATTENING = 0.006
"""The maximum difference between distances on a sphere and on the ellipsoid, as a fraction."""


def random_point(random_source: random.Random) -> tuple[float, float]:
    """A random (long, lat), anywhere or close to the antimeridian, the poles or (0, 0)."""
    centre = random_source.choice([None, None, (180.0, 0.0), (180.0, 66.0), (0.0, 90.0), (0.0, -90.0), (0.0, 0.0)])
    if centre is None:
        return random_source.uniform(-180, 180), degrees(asin(random_source.uniform(-1, 1)))
    spread = 0.4 if abs(centre[1]) < 90 else 180.0
    long = (centre[0] + random_source.uniform(-spread, spread) + 180) % 360 - 180
    return long, max(-90.0, min(90.0, centre[1] + random_source.uniform(-0.4, 0.4)))


@pytest.fixture
def world(make_app: Callable[..., Flask]) -> tuple[Platform, dict[int, tuple[float, float]]]:
    """A city without a boundary, and the points of its many requests by number."""
    platform = platform_of(make_app(build.city()))
    random_source = random.Random(311)
    points = {number: random_point(random_source) for number in range(1, POINTS + 1)}
    points |= {POINTS + 1: (0.0, 0.0), POINTS + 2: (180.0, 10.0), POINTS + 3: (-180.0, 10.0)}
    build.store_all(
        platform,
        ({"number": number, "place": Place(long=long, lat=lat)} for number, (long, lat) in points.items()),
    )
    return platform, points


def found(platform: Platform, search: RequestSearch) -> set[int]:
    page = find_requests(platform, search, JSON)
    return {int(orjson.loads(item)["service_request_id"].removeprefix("R")) for item in page.items}


def metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """The great-circle distance of two (long, lat) points on a sphere, in metres."""
    lats = radians(one[1]), radians(other[1])
    chord = sin((lats[1] - lats[0]) / 2) ** 2
    chord += cos(lats[0]) * cos(lats[1]) * sin(radians(other[0] - one[0]) / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(chord)))


@pytest.mark.requirement("C266")
def test_a_circle_finds_the_points_inside_except_close_to_its_rim(
    world: tuple[Platform, dict[int, tuple[float, float]]],
) -> None:
    platform, points = world

    @settings(max_examples=150)
    @given(st.integers(1, POINTS), st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.floats(1, 50_000))
    @example(POINTS + 1, 0.0, 0.0, 1.0)
    @example(POINTS + 2, 0.0, 0.0, 1.0)
    @example(POINTS + 3, 0.0, 0.0, 1.0)
    def check(near: int, east: float, north: float, radius_m: float) -> None:
        long, lat = points[near]
        centre = ((long + east + 180) % 360 - 180, max(-90.0, min(90.0, lat + north)))
        circle = Circle(*centre, radius_m)
        answer = found(platform, RequestSearch(jurisdiction_id="test.example", near=circle))
        distances = {number: metres(centre, point) for number, point in points.items()}
        certain = {number for number, distance in distances.items() if distance < radius_m * (1 - FLATTENING)}
        possible = {number for number, distance in distances.items() if distance <= radius_m * (1 + FLATTENING)}
        assert certain <= answer <= possible

    check()


LONGS = st.floats(-180, 180).map(lambda degrees: round(degrees, 9)) | st.sampled_from([-180.0, 180.0, 0.0, 179.9])
LATS = st.floats(-90, 90).map(lambda degrees: round(degrees, 9)) | st.sampled_from([-90.0, 90.0, 0.0])


@pytest.mark.requirement("C268")
def test_a_box_finds_exactly_the_points_inside(
    world: tuple[Platform, dict[int, tuple[float, float]]],
) -> None:
    platform, points = world

    @settings(max_examples=150)
    @given(LONGS, LONGS, LATS, LATS)
    @example(-180.0, 180.0, -90.0, 90.0)
    @example(179.0, -179.0, -1.0, 1.0)
    @example(0.0, 0.0, 0.0, 0.0)
    @example(0.0, 0.0, -1.0, 1.0)
    @example(180.0, 180.0, 9.0, 11.0)
    @example(180.0, -180.0, 9.0, 11.0)
    def check(west: float, east: float, lat: float, other: float) -> None:
        south, north = sorted((lat, other))
        answer = found(platform, RequestSearch(jurisdiction_id="test.example", box=Box(west, south, east, north)))
        assert answer == {
            number
            for number, (long, lat) in points.items()
            if south <= lat <= north and (west <= long <= east if west <= east else long >= west or long <= east)
        }

    check()


@pytest.mark.requirement("C268")
def test_the_bounds_of_a_box_are_exact_to_the_last_digit(make_app: Callable[..., Flask]) -> None:
    platform = platform_of(make_app(build.city()))
    inside = build.store(platform, place=Place(long=24.9414001, lat=60.1718001))
    build.store(platform, place=Place(long=24.9414, lat=60.1718))
    search = RequestSearch(jurisdiction_id="test.example", box=Box(24.9414001, 60.0, 25.0, 60.5))
    assert found(platform, search) == {inside.number}
    search = RequestSearch(jurisdiction_id="test.example", box=Box(24.0, 60.1718001, 25.0, 60.5))
    assert found(platform, search) == {inside.number}


def test_the_box_around_a_circle_contains_the_circle_on_the_ellipsoid(platform: Platform) -> None:
    projected = "ST_Project(CAST(:centre AS geography), :radius, :azimuth)"
    rim = text(f"SELECT ST_X(p), ST_Y(p) FROM (SELECT CAST({projected} AS geometry) AS p) AS rims")

    @settings(max_examples=200)
    @given(st.floats(-180, 180), st.floats(-90, 90), st.floats(0.1, 50_000), st.floats(0, 2 * pi, exclude_max=True))
    @example(179.9999, 0.0, 500.0, pi / 2)
    @example(0.0, 89.55, 50_000.0, 0.1)
    @example(0.0, -89.5, 50_000.0, 3.0)
    @example(-180.0, 66.0, 50_000.0, 3 * pi / 2)
    def check(long: float, lat: float, radius_m: float, azimuth: float) -> None:
        centre = point_of(Place(long=long, lat=lat))
        values = {"centre": centre, "radius": radius_m, "azimuth": azimuth}
        x, y = connection.execute(rim, values).one()
        boxes = halves(box_around(Circle(long, lat, radius_m)))
        assert any(box.west <= x <= box.east and box.south <= y <= box.north for box in boxes), (x, y)

    with platform.database.reading() as connection:
        check()
