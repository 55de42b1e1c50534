from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jurisdictions.newyork import jurisdiction
from open311.plugins import Answer, Draft, Place, Route
from open311.plugins.testing import check_jurisdiction


def route(code: str, **answers: str) -> Route:
    service = jurisdiction.service(code)
    assert service
    given = tuple(Answer(key, (value,)) for key, value in answers.items())
    return jurisdiction.route(Draft(service=service, place=Place(lat=40.7128, long=-74.006), answers=given))


def test_check_jurisdiction_finds_no_fault() -> None:
    check_jurisdiction(jurisdiction)


def test_the_city_has_its_id_time_zone_and_request_ids() -> None:
    assert jurisdiction.id == "nyc.gov"
    assert jurisdiction.time_zone == "America/New_York"
    assert jurisdiction.new_id(42, datetime(2026, 3, 1, tzinfo=UTC)) == "311-00000042"


def test_the_catalogue_has_the_recorded_size() -> None:
    assert len(jurisdiction.services) == 82
    assert len(jurisdiction.departments) == 18
    assert len(jurisdiction.aliases) == 7


@pytest.mark.parametrize("code", [service.code for service in jurisdiction.services])
def test_a_service_goes_to_its_department_or_to_triage(code: str) -> None:
    service = jurisdiction.service(code)
    assert service
    decided = route(code)
    assert decided.is_triage == (not service.department)
    assert decided.department == (service.department or jurisdiction.triage)


@pytest.mark.parametrize(
    ("code", "department"),
    [
        ("PLUMBING", "HPD"),
        ("Plumbing", "DOB"),
        ("ELECTRIC", "HPD"),
        ("Electrical", "DOB"),
        ("Illegal Parking", "NYPD"),
        ("Noise", "DEP"),
        ("Noise - Residential", "NYPD"),
        ("HEAT/HOT WATER", "HPD"),
        ("Street Light Condition", "DOT"),
        ("Rodent", "DOHMH"),
        ("Damaged Tree", "DPR"),
        ("Missed Collection", "DSNY"),
        ("Homeless Person Assistance", "DHS"),
        ("Taxi Complaint", "TLC"),
        ("Awning/Canopy/Marquee", "DOB"),
        ("ACS Literature Request", "ACS"),
    ],
)
def test_a_complaint_type_goes_to_its_agency(code: str, department: str) -> None:
    assert route(code).department == department


@pytest.mark.parametrize(
    ("code", "descriptor", "department"),
    [
        ("Encampment", "", "NYPD"),
        ("Encampment", "site", "NYPD"),
        ("Encampment", "people", "DHS"),
        ("Street Condition", "", "DOT"),
        ("Street Condition", "Pothole", "DOT"),
        ("Street Condition", "Failed Street Repair", "DOT"),
        ("Street Condition", "Dump-Out/Drop-Off", "DSNY"),
    ],
)
def test_the_descriptor_refines_the_route(code: str, descriptor: str, department: str) -> None:
    answers = {"descriptor": descriptor} if descriptor else {}
    assert route(code, **answers).department == department


def test_codes_are_case_sensitive() -> None:
    assert jurisdiction.service("plumbing") is None
    assert jurisdiction.service("heat/hot water") is None


def test_no_attribute_is_required() -> None:
    assert not [item for service in jurisdiction.services for item in service.attributes if item.required]


@pytest.mark.parametrize(
    ("retired", "current"),
    [
        ("HEATING", "HEAT/HOT WATER"),
        ("PAINT - PLASTER", "PAINT/PLASTER"),
        ("Broken Muni Meter", "Broken Parking Meter"),
        ("Dirty Conditions", "Dirty Condition"),
        ("Missed Collection (All Materials)", "Missed Collection"),
        ("Traffic/Illegal Parking", "Illegal Parking"),
        ("Derelict Vehicle", "Abandoned Vehicle"),
    ],
)
def test_a_renamed_type_is_an_alias_of_its_successor(retired: str, current: str) -> None:
    service = jurisdiction.service(retired)
    assert service
    assert service.code == current


@pytest.mark.parametrize(
    ("long", "lat"),
    [
        pytest.param(-74.006, 40.7128, id="city hall"),
        pytest.param(-74.2441, 40.5083, id="tottenville"),
        pytest.param(-74.0765, 40.6437, id="st george"),
        pytest.param(-74.0445, 40.6892, id="liberty island"),
        pytest.param(-73.9122, 40.9005, id="riverdale"),
        pytest.param(-73.7865, 40.8468, id="city island"),
        pytest.param(-73.712, 40.747, id="glen oaks"),
        pytest.param(-73.7553, 40.6052, id="far rockaway"),
    ],
)
def test_places_in_the_city_are_inside_the_boundary(long: float, lat: float) -> None:
    assert jurisdiction.covers(long, lat)


@pytest.mark.parametrize(
    ("long", "lat"),
    [
        pytest.param(-74.0431, 40.7178, id="jersey city"),
        pytest.param(-74.0324, 40.744, id="hoboken"),
        pytest.param(-74.1143, 40.6687, id="bayonne"),
        pytest.param(-73.8988, 40.9312, id="yonkers"),
        pytest.param(-73.8371, 40.9126, id="mount vernon"),
        pytest.param(-73.7285, 40.8007, id="great neck"),
        pytest.param(-73.6579, 40.5884, id="long beach"),
    ],
)
def test_neighbouring_places_are_outside_the_boundary(long: float, lat: float) -> None:
    assert not jurisdiction.covers(long, lat)
