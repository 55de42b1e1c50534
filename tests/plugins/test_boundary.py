"""Whether points belong to a city: one by one, and many at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import box

from open311.domain.imports import SourceRow
from open311.operations.importing.matching import Matcher
from open311.plugins import Department, Jurisdiction, Service

IDENTITY: dict[str, Any] = {
    "id": "city.example",
    "name": "Demoville",
    "time_zone": "UTC",
    "services": (Service(code="lamp", name="Lamp"),),
    "departments": (Department("desk", "Desk"),),
    "triage": "desk",
}
CITY = Jurisdiction(
    **IDENTITY,
    boundary=box(0, 0, 10, 10),
    areas={"Lake": box(4, 4, 6, 6), "Other": box(8, 8, 9, 9)},
)
DEGREES = st.sampled_from((-1.0, 0.0, 1e-9, 3.0, 4.0, 5.0, 6.0, 10.0, 10.5, 95.0)) | st.floats()


@dataclass(frozen=True, kw_only=True)
class Grid(Jurisdiction):
    """A city that looks up a point in a table, so that it can only answer for points on the earth."""

    def covers(self, long: float, lat: float) -> bool:
        """Whether the point is in the eastern half."""
        return [False, True][int(long + 180) // 180 % 2 if abs(lat) <= 90 else 7]


@dataclass(frozen=True, kw_only=True)
class Island(Jurisdiction):
    """A city that decides by itself which points belong to it."""

    def covers(self, long: float, lat: float) -> bool:
        """Whether the point is on a line."""
        return long == lat


@pytest.mark.parametrize("boundary", [CITY.boundary, None])
@pytest.mark.parametrize("excluded", [(), ("Lake",)])
def test_many_points_belong_to_the_city_as_each_of_them_does(boundary: Any, excluded: tuple[str, ...]) -> None:
    city = replace(CITY, boundary=boundary, exclude_areas=excluded)

    @given(st.lists(st.tuples(DEGREES, DEGREES), max_size=8))
    def check(points: list[tuple[float, float]]) -> None:
        assert city.covers_each(points) == [city.covers(*point) for point in points]

    check()


def test_a_city_that_decides_by_itself_is_asked_for_each_point() -> None:
    city = Island(**IDENTITY, boundary=box(0, 0, 1, 1))
    assert city.covers_each([(5.0, 5.0), (0.2, 0.3)]) == [True, False]


@pytest.mark.parametrize("point", [("nan", "5"), ("5", "inf"), ("1012345.0", "204567.0"), ("60", ""), ("", "")])
def test_the_code_of_a_city_is_asked_only_for_points_on_the_earth(point: tuple[str, str]) -> None:
    matcher = Matcher(Grid(**IDENTITY))
    matcher.expect([SourceRow(position=1, lat=point[0], long=point[1]), SourceRow(position=2, lat="1", long="2")])
