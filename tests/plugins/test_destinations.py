"""Which requests go to which back end: the most specific destination decides."""

from __future__ import annotations

import pytest

from open311.plugins import Destination
from tests import build

CITY = build.city(
    destinations=(
        Destination(backends=("all",)),
        Destination(backends=("streets",), department="streets"),
        Destination(backends=("north",), area="North"),
        Destination(backends=("streets-north",), area="North", department="streets"),
        Destination(backends=("holes",), service="potholes"),
        Destination(backends=("holes-north",), service="potholes", area="North"),
        Destination(backends=("second",), service="potholes", area="North"),
    )
)


@pytest.mark.parametrize(
    ("service", "department", "areas", "expected"),
    [
        ("trees", "parks", (), "all"),
        ("trees", "streets", (), "streets"),
        ("trees", "parks", ("South", "North"), "north"),
        ("trees", "streets", ("North",), "streets-north"),
        ("potholes", "streets", (), "holes"),
        ("potholes", "streets", ("South",), "holes"),
        ("potholes", "streets", ("North",), "holes-north"),
    ],
)
def test_the_most_specific_destination_decides(
    service: str, department: str, areas: tuple[str, ...], expected: str
) -> None:
    assert CITY.backends_for(service, department, areas) == (expected,)


def test_without_destinations_the_desk_is_the_back_office() -> None:
    assert build.city().backends_for("potholes", "streets", ("North",)) == ()
