from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jurisdictions.toronto import jurisdiction
from open311.plugins import Answer, Draft, Place, Route
from open311.plugins.testing import check_jurisdiction


def route(code: str, **answers: str) -> Route:
    service = jurisdiction.service(code)
    assert service
    given = tuple(Answer(key, (value,)) for key, value in answers.items())
    return jurisdiction.route(Draft(service=service, place=Place(lat=43.6534, long=-79.3839), answers=given))


def test_check_jurisdiction_finds_no_fault() -> None:
    check_jurisdiction(jurisdiction)


def test_the_city_has_its_id_time_zone_and_request_ids() -> None:
    assert jurisdiction.id == "toronto.ca"
    assert jurisdiction.time_zone == "America/Toronto"
    assert jurisdiction.new_id(42, datetime(2026, 3, 1, tzinfo=UTC)) == "42"


def test_the_catalogue_has_the_recorded_size() -> None:
    assert len(jurisdiction.services) == 83
    assert len(jurisdiction.departments) == 7
    assert len(jurisdiction.aliases) == 2


@pytest.mark.parametrize("code", [service.code for service in jurisdiction.services])
def test_a_service_goes_to_its_department_or_to_triage(code: str) -> None:
    service = jurisdiction.service(code)
    assert service
    decided = route(code)
    assert decided.is_triage == (not service.department)
    assert decided.department == (service.department or jurisdiction.triage)


def test_the_six_codes_of_the_old_endpoint_are_served() -> None:
    codes = ["CSROWR-12", "CSROSC-14", "CSROWC-05", "CSROWBM-03", "SWLMALB-02", "30102"]
    assert [service.code for code in codes if (service := jurisdiction.service(code))] == codes


def test_names_of_divisions_with_commas_are_not_split() -> None:
    names = {department.name for department in jurisdiction.departments}
    assert {"Parks, Forestry & Recreation", "Environment, Climate & Forestry"} < names


@pytest.mark.parametrize(
    ("code", "division"),
    [
        ("CSROWR-12", "Transportation Services"),
        ("Road Pothole / Road Damage", "Transportation Services"),
        ("Sidewalk - Snow Clearing", "Transportation Services"),
        ("SWLMALB-02", "Solid Waste Management Services"),
        ("Res / Garbage / Not Picked Up", "Solid Waste Management Services"),
        ("Injured - Wildlife", "Municipal Licensing & Standards"),
        ("30102", "Municipal Licensing & Standards"),
        ("Watermain-Possible Break", "Toronto Water"),
        ("Storm Clean Up", "Parks, Forestry & Recreation"),
        ("General Pruning", "Environment, Climate & Forestry"),
        ("Publication Request - Solid Waste", "311 Toronto"),
    ],
)
def test_a_request_type_goes_to_its_division(code: str, division: str) -> None:
    assert jurisdiction.department(route(code).department).name == division


@pytest.mark.parametrize(
    ("request_type", "code"), [("Road - Pot hole", "CSROWR-12"), ("Graffiti on Private Property", "30102")]
)
def test_a_type_of_the_open_data_is_an_alias_of_the_recorded_code(request_type: str, code: str) -> None:
    service = jurisdiction.service(request_type)
    assert service
    assert service.code == code
    assert service.name == request_type


@pytest.mark.parametrize(
    ("long", "lat"),
    [
        pytest.param(-79.3839, 43.6534, id="city hall"),
        pytest.param(-79.487463, 43.683629, id="46 lambton avenue"),
        pytest.param(-79.13, 43.78, id="rouge hill"),
        pytest.param(-79.62, 43.745, id="rexdale"),
        pytest.param(-79.54, 43.592, id="long branch"),
        pytest.param(-79.38, 43.62, id="islands"),
    ],
)
def test_places_in_the_city_are_inside_the_boundary(long: float, lat: float) -> None:
    assert jurisdiction.covers(long, lat)


@pytest.mark.parametrize(
    ("long", "lat"),
    [
        pytest.param(-79.6441, 43.589, id="mississauga"),
        pytest.param(-79.6248, 43.6777, id="pearson airport"),
        pytest.param(-79.4983, 43.8361, id="vaughan"),
        pytest.param(-79.337, 43.8561, id="markham"),
        pytest.param(-79.0868, 43.8384, id="pickering"),
    ],
)
def test_neighbouring_places_are_outside_the_boundary(long: float, lat: float) -> None:
    assert not jurisdiction.covers(long, lat)
