from __future__ import annotations

import pytest

from jurisdictions.sanfrancisco import jurisdiction
from open311.plugins import Answer, Draft, Place, Route
from open311.plugins.testing import check_jurisdiction

POTHOLES = "input:Pothole & Street Issues"
NATURE = "input.pothole.Nature_of_request"
CODES_2012 = [
    *(f"{number:03}" for number in (*range(1, 14), *range(15, 28), *range(29, 33))),
    *("068", "172", "174", "375", "376", "377", "378", "379"),
]
CODES_2026 = [
    POTHOLES,
    "PW:BSM:Damage Property",
    "PW:BUF:Tree Maintenance",
    "input:Parking & Traffic Sign Repair",
    "input:Illegal Postings",
    "HSOC:Homeless:Encampment",
    "PW:BSES:Illegal Postings",
]


def route(code: str, **answers: str) -> Route:
    service = jurisdiction.service(code)
    assert service
    given = tuple(Answer(key, (value,)) for key, value in answers.items())
    return jurisdiction.route(Draft(service=service, place=Place(lat=37.7797, long=-122.42), answers=given))


def test_check_jurisdiction_finds_no_fault() -> None:
    check_jurisdiction(jurisdiction)


def test_the_catalogue_has_the_recorded_size() -> None:
    assert len(CODES_2012) == 38
    assert len(jurisdiction.services) == 42
    assert len(jurisdiction.aliases) == 3


@pytest.mark.parametrize("code", CODES_2012 + CODES_2026)
def test_service_codes_of_2012_and_2026_are_served(code: str) -> None:
    assert jurisdiction.service(code)


@pytest.mark.parametrize("code", CODES_2012)
def test_codes_of_2012_have_no_required_attribute(code: str) -> None:
    service = jurisdiction.service(code)
    assert service
    assert not any(attribute.required for attribute in service.attributes)


@pytest.mark.parametrize(
    ("retired", "current"),
    [
        ("020", "PW:BUF:Tree Maintenance"),
        ("068", "input:Illegal Postings"),
        ("PW:BSES:Illegal Postings", "input:Illegal Postings"),
    ],
)
def test_a_retired_code_is_an_alias_of_its_successor(retired: str, current: str) -> None:
    assert jurisdiction.service(retired) == jurisdiction.service(current)


@pytest.mark.parametrize(
    ("nature", "department"),
    [
        ("pavement_defect", "PW"),
        ("utility_excavation", "PW"),
        ("construction_plate_shifted", "PW"),
        ("bike_lane_faded", "MTA"),
        ("crosswalk_faded", "MTA"),
        ("lane_markers", "MTA"),
        ("manhole_cover_off", "SF311"),
        ("other", "SF311"),
    ],
)
def test_a_street_issue_is_routed_by_its_nature(nature: str, department: str) -> None:
    assert route(POTHOLES, **{NATURE: nature}).department == department


@pytest.mark.parametrize(
    ("code", "department"),
    [
        ("PW:BSM:Damage Property", "PW"),
        ("input:Parking & Traffic Sign Repair", "MTA"),
        ("HSOC:Homeless:Encampment", "HSOC"),
        ("021", "PW"),
        ("022", "PUC"),
        ("379", "MTA"),
        ("020", "PW"),
    ],
)
def test_a_service_goes_to_its_department(code: str, department: str) -> None:
    assert route(code).department == department


def test_a_broken_traffic_signal_goes_to_the_transport_agency() -> None:
    answers = {"oform.pw_damaged_property.Nature_of_request": "traffic_signal"}
    assert route("PW:BSM:Damage Property", **answers).department == "MTA"


@pytest.mark.parametrize("code", ["010", "172", "174"])
def test_services_without_a_known_owner_go_to_triage(code: str) -> None:
    assert route(code) == Route(department="SF311", reason="triage", is_triage=True)


@pytest.mark.parametrize(
    ("lat", "long", "inside"),
    [
        (37.7797, -122.4200, True),  # Civic Center
        (37.7275, -122.4762, True),  # San Francisco State University
        (37.8235, -122.3705, True),  # Treasure Island
        (37.8267, -122.4230, True),  # Alcatraz
        (37.6983, -123.0034, True),  # Farallon Islands
        (37.8044, -122.2712, False),  # Oakland
        (37.6879, -122.4702, False),  # Daly City
        (37.8591, -122.4853, False),  # Sausalito
    ],
)
def test_the_boundary_contains_the_city_and_not_its_neighbours(lat: float, long: float, inside: bool) -> None:
    assert jurisdiction.covers(long, lat) is inside
