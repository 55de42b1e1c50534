"""Whether points belong to a city: one by one, and many at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import box

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
