from __future__ import annotations

import pytest

from jurisdictions.losangeles import jurisdiction
from open311.plugins import Draft, Place, Route
from open311.plugins.testing import check_jurisdiction


def route(code: str) -> Route:
    service = jurisdiction.service(code)
    assert service
    return jurisdiction.route(Draft(service=service, place=Place(lat=34.0537, long=-118.2427)))


def test_check_jurisdiction_finds_no_fault() -> None:
    check_jurisdiction(jurisdiction)


def test_the_catalogue_has_12_services_whose_codes_are_their_names() -> None:
    assert len(jurisdiction.services) == 12
    assert all(service.code == service.name for service in jurisdiction.services)


@pytest.mark.parametrize(
    ("code", "department"),
    [
        ("Animal Remains", "Sanitation Bureau"),
        ("Bulky Items", "Sanitation Bureau"),
        ("Illegal Dumping", "Sanitation Bureau"),
        ("Graffiti", "Office of Community Beautification"),
        ("Single Streetlight", "Street Lighting Bureau"),
        ("Multiple Streetlights", "Street Lighting Bureau"),
        ("Water Waste", "Department of Water and Power"),
    ],
)
def test_a_service_goes_to_its_bureau(code: str, department: str) -> None:
    assert jurisdiction.department(route(code).department).name == department


@pytest.mark.parametrize("code", ["Feedback", "Other"])
def test_services_without_a_bureau_go_to_triage(code: str) -> None:
    assert route(code) == Route(department="MYLA311", reason="triage", is_triage=True)


@pytest.mark.parametrize(
    ("code", "portal_name"),
    [
        ("Animal Remains", "Dead Animal Removal"),
        ("Metal Appliances", "Metal/Household Appliances"),
        ("Water Waste", "Report Water Waste"),
    ],
)
def test_the_name_on_the_citys_own_site_is_a_keyword(code: str, portal_name: str) -> None:
    service = jurisdiction.service(code)
    assert service
    assert portal_name in service.keywords


@pytest.mark.parametrize(
    ("lat", "long", "inside"),
    [
        (34.0537, -118.2427, True),  # City Hall
        (34.1899, -118.4514, True),  # Van Nuys
        (34.2011, -118.5981, True),  # Canoga Park
        (34.3075, -118.4490, True),  # Sylmar
        (33.7361, -118.2922, True),  # San Pedro
        (33.9850, -118.4695, True),  # Venice
        (34.0901, -118.1750, True),  # El Sereno
        (34.1478, -118.1445, False),  # Pasadena
        (33.7701, -118.1937, False),  # Long Beach
        (33.8358, -118.3406, False),  # Torrance
        (34.0259, -118.7798, False),  # Malibu
    ],
)
def test_the_boundary_contains_the_city_and_not_its_neighbours(lat: float, long: float, inside: bool) -> None:
    assert jurisdiction.covers(long, lat) is inside
