from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from jurisdictions.baltimore import jurisdiction
from open311.plugins import Answer, Draft, Place, Route
from open311.plugins.testing import check_jurisdiction

TYPES_BY_PREFIX = {
    "BGE": 13,
    "ECC": 1,
    "FIN": 1,
    "FIR": 1,
    "FOR": 4,
    "HCD": 16,
    "HLTH": 16,
    "MOHS": 1,
    "PABC": 6,
    "RP": 5,
    "SW": 41,
    "TEC": 5,
    "TRC": 2,
    "TRM": 31,
    "TRS": 3,
    "TRT": 7,
    "TTR": 5,
    "WW": 17,
}


def route(code: str, **answers: str) -> Route:
    service = jurisdiction.service(code)
    assert service
    given = tuple(Answer(key, (value,)) for key, value in answers.items())
    return jurisdiction.route(Draft(service=service, place=Place(lat=39.2909, long=-76.6105), answers=given))


def test_check_jurisdiction_finds_no_fault() -> None:
    check_jurisdiction(jurisdiction)


def test_the_city_has_its_id_time_zone_and_request_ids() -> None:
    assert jurisdiction.id == "baltimorecity.gov"
    assert jurisdiction.time_zone == "America/New_York"
    assert jurisdiction.new_id(72082, datetime(2026, 3, 1, tzinfo=UTC)) == "26-00072082"


def test_the_catalogue_has_the_recorded_size() -> None:
    assert len(jurisdiction.services) == 175
    assert len(jurisdiction.departments) == 18
    assert len(jurisdiction.aliases) == 1


def test_each_prefix_is_a_department() -> None:
    assert Counter(service.code.split("-")[0] for service in jurisdiction.services) == TYPES_BY_PREFIX
    assert {department.code for department in jurisdiction.departments} == set(TYPES_BY_PREFIX)


@pytest.mark.parametrize("code", [service.code for service in jurisdiction.services])
def test_a_service_is_routed_by_its_prefix(code: str) -> None:
    decided = route(code)
    assert decided.department == code.split("-")[0]
    assert not decided.is_triage


@pytest.mark.parametrize(
    ("code", "department"),
    [
        ("SW-Dirty Alley", "Department of Public Works - Solid Waste"),
        ("TRM-Potholes", "Department of Transportation - Maintenance"),
        ("WW-Water Leak (Exterior)", "Department of Public Works - Water and Wastewater"),
        ("HLTH-Animal Barking Dog", "Health Department"),
        ("HCD-Vacant Building", "Department of Housing and Community Development"),
        ("BGE-StLight(s) Out", "Baltimore Gas and Electric"),
        ("TRT-Traffic Signal Repairs", "Department of Transportation - Traffic"),
        ("MOHS-Homeless Outreach", "Mayor's Office of Homeless Services"),
        ("WW-Surface Repair TRM-Curb Repair", "Department of Public Works - Water and Wastewater"),
    ],
)
def test_departments_have_full_names(code: str, department: str) -> None:
    assert jurisdiction.department(route(code).department).name == department


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("SW-Dirty Alley", "Dirty Alley"),
        ("TRM-StLight Pole Missing", "Street Light Pole Missing"),
        ("SW-Sandbag Pick Up", "Sandbag Pick Up (Solid Waste)"),
        ("TRM-Sandbag Pick Up", "Sandbag Pick Up (Street Maintenance)"),
    ],
)
def test_names_of_services_have_no_prefix(code: str, name: str) -> None:
    service = jurisdiction.service(code)
    assert service
    assert service.name == name


def test_no_two_services_have_the_same_name() -> None:
    assert len({service.name for service in jurisdiction.services}) == len(jurisdiction.services)


def test_a_code_with_a_straight_apostrophe_finds_the_curly_one() -> None:
    service = jurisdiction.service("SW-Clean Up (Mayor's Fall Cleanup)")
    assert service
    assert service.code == "SW-Clean Up (Mayor\N{RIGHT SINGLE QUOTATION MARK}s Fall Cleanup)"


@pytest.mark.parametrize(
    ("long", "lat"),
    [
        pytest.param(-76.6105, 39.2909, id="city hall"),
        pytest.param(-76.585, 39.224, id="curtis bay"),
        pytest.param(-76.67, 39.365, id="mount washington"),
        pytest.param(-76.7, 39.292, id="edmondson"),
        pytest.param(-76.66, 39.262, id="morrell park"),
    ],
)
def test_places_in_the_city_are_inside_the_boundary(long: float, lat: float) -> None:
    assert jurisdiction.covers(long, lat)


@pytest.mark.parametrize(
    ("long", "lat"),
    [
        pytest.param(-76.6019, 39.4015, id="towson"),
        pytest.param(-76.5205, 39.2507, id="dundalk"),
        pytest.param(-76.7319, 39.2721, id="catonsville"),
        pytest.param(-76.6163, 39.2273, id="brooklyn park"),
        pytest.param(-76.6684, 39.1754, id="airport"),
    ],
)
def test_neighbouring_places_are_outside_the_boundary(long: float, lat: float) -> None:
    assert not jurisdiction.covers(long, lat)
