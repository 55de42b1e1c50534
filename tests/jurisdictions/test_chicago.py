from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jurisdictions.chicago import jurisdiction
from open311.plugins import Answer, Draft, Place, Route, ServiceType
from open311.plugins.testing import check_jurisdiction

# The owner of most requests of a type when they were closed, March 2026.
OWNERS: dict[str, tuple[str, ...]] = {
    "BACP": (
        "Business Complaints",
        "Cab Feedback",
        "Cable TV Complaint",
        "Consumer Fraud Complaint",
        "Consumer Retail Business Complaint",
        "Inaccurate Fuel Pump Complaint",
        "Inaccurate Retail Scales Complaint",
        "Liquor Establishment Complaint",
        "No Solicitation Complaint",
        "Outdated Merchandise Complaint",
        "Paid Sick Leave Violation",
        "Public Vehicle/Valet Complaint",
        "Renters and Foreclosure Complaint",
        "Ridesharing Complaint",
        "Shared Housing/Vacation Rental Complaint",
        "Tobacco - General Complaint",
        "Tobacco - Sale to Minors Complaint",
        "Wage Complaint",
    ),
    "CACC": (
        "Animal In Trap Complaint",
        "Coyote Interaction Complaint",
        "Nuisance Animal Complaint",
        "Pet Wellness Check Request",
        "Report an Injured Animal",
        "Stray Animal Complaint",
        "Vicious Animal Complaint",
    ),
    "CDOT": (
        "Alley Light Out Complaint",
        "Alley Pothole Complaint",
        "Bicycle Request/Complaint",
        "Inspect Public Way Request",
        "Pothole in Street Complaint",
        "Protected Bike Lane - Debris Removal",
        "Shared Cost Sidewalk Program Request",
        "Sidewalk Inspection Request",
        "Sign Repair Request - All Other Signs",
        "Sign Repair Request - Do Not Enter Sign",
        "Sign Repair Request - One Way Sign",
        "Sign Repair Request - Stop Sign",
        "Snow Removal - Protected Bike Lane or Bridge Sidewalk",
        "Snow – Uncleared Sidewalk Complaint",
        "Street Light On During Day Complaint",
        "Street Light Out Complaint",
        "Street Light Pole Damage Complaint",
        "Street Light Pole Door Missing Complaint",
        "Traffic Signal Out Complaint",
        "Viaduct Light Out Complaint",
    ),
    "CDPH": (
        "Lead Inspection Request",
        "Licensed Pharmaceutical Representative Complaint",
        "Pushcart Food Vendor Complaint",
        "Restaurant Complaint",
        "Smokeless Tobacco at Sports Event Complaint",
    ),
    "CFD": ("Commercial Fire Safety Inspection Request",),
    "CLERK": ("City Vehicle Sticker Violation",),
    "DOB": (
        "Buildings - Plumbing Violation",
        "No Air Conditioning",
        "No Building Permit and Construction Violation",
        "Porch Inspection Request",
        "Vacant/Abandoned Building Complaint",
    ),
    "DOH": (
        "Bungalow/Vintage Home Information Request",
        "Home Buyer Program Info Request",
    ),
    "DSS": (
        "Abandoned Vehicle Complaint",
        "Bee/Wasp Removal",
        "Blue Recycling Cart",
        "Clean Vacant Lot Request",
        "Clean and Green Program Request",
        "Dead Animal Pick-Up Request",
        "Dead Bird",
        "Fly Dumping Complaint",
        "Garbage Cart Maintenance",
        "Graffiti Removal Request",
        "Ice and Snow Removal Request",
        "Missed Garbage Pick-Up Complaint",
        "Recycling Inspection Request",
        "Recycling Pick Up",
        "Rodent Baiting/Rat Complaint",
        "Sanitation Code Violation",
        "Snow - Object/Dibs Removal Request",
        "Street Cleaning Request",
        "Tree Debris Clean-Up Request",
        "Tree Emergency",
        "Tree Planting Request",
        "Weed Removal Request",
        "Wire Basket Request",
        "Yard Waste Pick-Up Request",
    ),
    "DWM": (
        "Alley Sewer Inspection Request",
        "Check for Leak",
        "Low Water Pressure Complaint",
        "No Water Complaint",
        "Open Fire Hydrant Complaint",
        "Sewer Cave-In Inspection Request",
        "Sewer Cleaning Inspection Request",
        "Water On Street Complaint",
        "Water in Basement Complaint",
    ),
    "OUTSIDE": (
        "Divvy Bike Parking Complaint",
        "E-Scooter Parking Complaint",
    ),
}


def route(code: str, **answers: str) -> Route:
    service = jurisdiction.service(code)
    assert service
    given = tuple(Answer(key, (value,)) for key, value in answers.items())
    return jurisdiction.route(Draft(service=service, place=Place(lat=41.8838, long=-87.632), answers=given))


def test_check_jurisdiction_finds_no_fault() -> None:
    check_jurisdiction(jurisdiction)


def test_the_city_has_its_id_time_zone_and_request_ids() -> None:
    assert jurisdiction.id == "cityofchicago.org"
    assert jurisdiction.time_zone == "America/Chicago"
    assert jurisdiction.new_id(42, datetime(2026, 3, 1, tzinfo=UTC)) == "SR26-00000042"


def test_the_catalogue_has_the_recorded_size() -> None:
    assert len(jurisdiction.services) == 191
    assert len(jurisdiction.departments) == 14
    assert len(jurisdiction.aliases) == 1


def test_the_owner_table_has_94_rows() -> None:
    assert sum(len(names) for names in OWNERS.values()) == 94


@pytest.mark.parametrize(("department", "name"), [(code, name) for code, names in OWNERS.items() for name in names])
def test_a_service_goes_to_its_recorded_owner(department: str, name: str) -> None:
    [service] = [service for service in jurisdiction.services if service.name == name]
    decided = route(service.code)
    assert decided.department == department
    assert not decided.is_triage


@pytest.mark.parametrize(
    ("name", "department"),
    [
        ("Tree Removal Request", "DSS"),
        ("Sidewalk Cafe Complaint", "BACP"),
        ("O'Hare Facilities Complaint", "CDA"),
        ("Buildings - Elevator Violation", "DOB"),
        ("Animal Fighting Suspicion", "CACC"),
        ("CHA Miscellaneous", "OUTSIDE"),
    ],
)
def test_a_service_without_a_row_in_the_owner_table_has_a_department(name: str, department: str) -> None:
    [service] = [service for service in jurisdiction.services if service.name == name]
    assert route(service.code).department == department


@pytest.mark.parametrize("name", ["Police Miscellaneous", "Shelter Request", "Wire Down", "Red Light Camera"])
def test_services_without_a_recorded_owner_go_to_311_city_services(name: str) -> None:
    [service] = [service for service in jurisdiction.services if service.name == name]
    decided = route(service.code)
    assert decided.is_triage
    assert jurisdiction.department(decided.department).name == "311 City Services"


@pytest.mark.parametrize("code", [service.code for service in jurisdiction.services])
def test_a_service_goes_to_its_department_or_to_triage(code: str) -> None:
    service = jurisdiction.service(code)
    assert service
    decided = route(code)
    assert decided.is_triage == (not service.department)
    assert decided.department == (service.department or jurisdiction.triage)


def test_all_services_answer_with_a_token() -> None:
    assert {service.type for service in jurisdiction.services} == {ServiceType.BATCH}


def test_the_code_for_several_broken_lamps_is_an_alias_of_the_code_for_one() -> None:
    assert jurisdiction.service("4fd3bd3de750846c530000b9") == jurisdiction.service("4ffa9f2d6018277d400000c8")


def test_the_service_for_abandoned_vehicles_asks_for_the_plate_and_not_for_a_phone_number() -> None:
    service = jurisdiction.service("4ffa4c69601827691b000018")
    assert service
    required = {attribute.code for attribute in service.attributes if attribute.required}
    assert required == {"FQSKA1", "FQSKA11"}
    assert [attribute.code for attribute in service.attributes] == ["FQSKA1", "FQSKA11", "A511OPTN"]


@pytest.mark.parametrize(
    ("code", "attribute", "keys"),
    [
        ("4fd3b656e750846c53000004", "WHEREIST", ["INTERSEC", "BIKE", "CROSS", "CURB", "TRAFFIC"]),
        ("4fd3b9bce750846c5300004a", "DOYOUWAN", ["BAITBYAR", "NOTOBAIT"]),
        ("4ffa9f2d6018277d400000c8", "ISTHELI2", ["COMPLETE", "ONOFF"]),
    ],
)
def test_recorded_attributes_have_their_recorded_keys(code: str, attribute: str, keys: list[str]) -> None:
    service = jurisdiction.service(code)
    assert service
    assert [(item.code, [value.key for value in item.values]) for item in service.attributes] == [(attribute, keys)]


@pytest.mark.parametrize(
    ("long", "lat"),
    [
        pytest.param(-87.632, 41.8838, id="city hall"),
        pytest.param(-87.9048, 41.9786, id="ohare"),
        pytest.param(-87.7522, 41.7868, id="midway"),
        pytest.param(-87.546, 41.654, id="hegewisch"),
        pytest.param(-87.6676, 42.0096, id="rogers park"),
        pytest.param(-87.6051, 41.8917, id="navy pier"),
    ],
)
def test_places_in_the_city_are_inside_the_boundary(long: float, lat: float) -> None:
    assert jurisdiction.covers(long, lat)


@pytest.mark.parametrize(
    ("long", "lat"),
    [
        pytest.param(-87.6877, 42.0451, id="evanston"),
        pytest.param(-87.79, 41.888, id="oak park"),
        pytest.param(-87.7539, 41.8456, id="cicero"),
        pytest.param(-87.7579, 41.72, id="oak lawn"),
        pytest.param(-87.5, 41.583, id="hammond"),
    ],
)
def test_neighbouring_places_are_outside_the_boundary(long: float, lat: float) -> None:
    assert not jurisdiction.covers(long, lat)
