from __future__ import annotations

from collections import Counter

import pytest

from jurisdictions.bloomington import jurisdiction
from open311.plugins import Draft, Place, Route
from open311.plugins.testing import check_jurisdiction

BY_NAME = {service.name: service for service in jurisdiction.services}


def route(name: str) -> Route:
    return jurisdiction.route(Draft(service=BY_NAME[name], place=Place(lat=39.165, long=-86.526)))


def test_check_jurisdiction_finds_no_fault() -> None:
    check_jurisdiction(jurisdiction)


def test_each_group_has_its_number_of_services() -> None:
    groups = Counter(service.group for service in jurisdiction.services)
    assert groups == {
        "Most Popular": 4,
        "Cleanup & Sanitation": 6,
        "Streets, Parking & Traffic": 14,
        "Parks & Recreation": 4,
        "Hazards": 7,
        "Water & Sewage Utility": 7,
        "Miscellaneous": 4,
    }


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("4e090d24992b941e78000027", "Graffiti"),
        ("4e7b3e4c992b945109000000", "Traffic Suggestions"),
        ("4f8c6cf4b1fe2c890a000000", "Brain Monitor"),
    ],
)
def test_service_codes_are_the_hex_codes_of_ureport(code: str, name: str) -> None:
    service = jurisdiction.service(code)
    assert service
    assert service.name == name


@pytest.mark.parametrize(
    ("name", "department"),
    [
        ("Traffic Suggestions", "Street Department"),
        ("Potholes, Other Street Repair", "Street Department"),
        ("Street Lights", "Street Department"),
        ("Graffiti", "Police Department"),
        ("Weeds", "Housing and Neighborhood Development"),
        ("Yard Waste", "Sanitation Department"),
        ("Blocked Street, Alley, Sidewalk", "Engineering Department"),
        ("iPhone App Feedback", "Information Services"),
        ("Trails", "Parks and Recreation Department"),
        ("Water Quality", "Utilities Department"),
        ("Bus Services (Bloomington Transit)", "Bloomington Transit"),
    ],
)
def test_a_service_goes_to_its_department(name: str, department: str) -> None:
    assert jurisdiction.department(route(name).department).name == department


@pytest.mark.parametrize("name", ["City Performance", "Noise", "Taxi Complaints", "Other"])
def test_services_without_an_assigned_department_go_to_triage(name: str) -> None:
    assert route(name) == Route(department="UREPORT", reason="triage", is_triage=True)


@pytest.mark.parametrize(
    ("lat", "long", "inside"),
    [
        (39.1653, -86.5264, True),  # the courthouse square
        (39.146551871103, -86.485448337464, True),
        (39.16442, -86.55201, True),
        (39.135199890459, -86.511475218063, True),
        (39.2339, -86.6250, False),  # Ellettsville
        (39.7684, -86.1581, False),  # Indianapolis
        (0.0, 0.0, False),
    ],
)
def test_the_boundary_contains_the_city_and_not_its_neighbours(lat: float, long: float, inside: bool) -> None:
    assert jurisdiction.covers(long, lat) is inside
