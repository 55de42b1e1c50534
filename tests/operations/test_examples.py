"""The examples of a demo: their places and due dates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from open311.cli.demo import fill_with_examples
from open311.domain.requests import RequestRecord
from open311.domain.service_levels import read_service_level
from open311.operations.platform import Platform
from open311.operations.upkeep.examples import add_examples
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.operations.upkeep.zone_places import place_of_zone
from open311.plugins import Jurisdiction
from open311.settings import Settings
from open311.storage import requests
from tests import build


def examples(platform: Platform, city: Jurisdiction) -> list[RequestRecord]:
    add_examples(platform, city, count=30, now=build.NOON)
    with platform.database.reading() as connection:
        return requests.load_batch(connection, city.id, after=0, rows=100)


@pytest.fixture
def cities(settings: Settings, clean: None) -> Iterator[tuple[Platform, Jurisdiction, Jurisdiction]]:
    """Two cities. One has service levels, and a time zone that is named after a place.

    The other has no service levels, and its time zone (UTC) is not named after a place.
    """
    departments = tuple(
        replace(one, service_level=read_service_level("4 hours")) for one in build.city().departments
    )
    levelled = build.city(time_zone="Europe/Helsinki", departments=departments)
    bare = build.city(id="other.example")
    platform = build.platform(settings, levelled, bare)
    ensure_synced(platform)
    yield platform, levelled, bare
    platform.close()


def test_examples_have_the_due_dates_of_their_service_levels(
    cities: tuple[Platform, Jurisdiction, Jurisdiction],
) -> None:
    platform, levelled, bare = cities
    found = examples(platform, levelled)
    assert found
    assert {(one.expected_at - one.requested_at).total_seconds() for one in found} == {4 * 3600.0}
    assert {one.expected_at for one in examples(platform, bare)} == {None}


def test_examples_of_a_city_without_a_boundary_are_near_the_place_of_its_time_zone_or_have_an_address(
    cities: tuple[Platform, Jurisdiction, Jurisdiction],
) -> None:
    platform, levelled, bare = cities
    for record in examples(platform, levelled):
        assert abs(record.place.lat - 60.17) < 0.2
        assert abs(record.place.long - 24.97) < 0.2
    for record in examples(platform, bare):
        assert (record.place.point, "Example Street" in record.place.address) == (None, True)


@pytest.mark.parametrize(
    ("zone", "place"),
    [
        ("Europe/Helsinki", (24.97, 60.17)),
        ("America/Los_Angeles", (-118.24, 34.05)),
        ("America/Indiana/Marengo", (-86.34, 38.38)),
        ("Australia/Sydney", (151.22, -33.87)),
        ("UTC", None),
        ("US/Eastern", None),
    ],
)
def test_a_time_zone_has_the_place_that_it_is_named_after(zone: str, place: tuple[float, float] | None) -> None:
    found = place_of_zone(zone)
    assert found == (place and pytest.approx(place, abs=0.01))


def test_only_the_cities_that_get_examples_are_counted(
    cities: tuple[Platform, Jurisdiction, Jurisdiction], capsys: pytest.CaptureFixture[str]
) -> None:
    platform, levelled, _ = cities
    examples(platform, levelled)
    fill_with_examples(platform, 5)
    assert capsys.readouterr().out.strip() == "Made up 5 example requests in 1 city."
