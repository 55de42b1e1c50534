from __future__ import annotations

from collections import Counter

import pytest

from jurisdictions.washington import jurisdiction
from open311.plugins import Datatype, Draft, Place, Route, ServiceType
from open311.plugins.testing import check_jurisdiction


def route(code: str) -> Route:
    service = jurisdiction.service(code)
    assert service
    return jurisdiction.route(Draft(service=service, place=Place(lat=38.9072, long=-77.0369)))


def test_check_jurisdiction_finds_no_fault() -> None:
    check_jurisdiction(jurisdiction)


def test_the_catalogue_has_86_realtime_services() -> None:
    assert len(jurisdiction.services) == 86
    assert all(service.type is ServiceType.REALTIME for service in jurisdiction.services)


def test_each_agency_has_its_number_of_services() -> None:
    shares = Counter(route(service.code).department for service in jurisdiction.services)
    assert shares == {"DPW": 35, "DDOT": 28, "DMV": 12, "FEMS": 3, "DOH": 2, "DPR": 1, "OUC": 5}


@pytest.mark.parametrize(
    ("code", "department"),
    [
        ("S0301", "DDOT"),
        ("S0016", "DDOT"),  # one agency repairs alleys
        ("S0011", "DPW"),  # another agency cleans them
        ("S0276", "DDOT"),  # one agency repairs meters
        ("S0261", "DPW"),  # another agency writes the tickets
        ("S0031", "DPW"),
        ("11", "DPW"),
        ("PRUNING", "DDOT"),
        ("DMV40", "DMV"),
        ("S0311", "DOH"),
        ("PARKRECR", "DPR"),
        ("FESAADNU", "FEMS"),
    ],
)
def test_a_service_goes_to_its_agency(code: str, department: str) -> None:
    assert route(code).department == department


@pytest.mark.parametrize("code", ["HMDCP", "HOMYDRCO", "PVDNUSIT"])
def test_services_without_a_known_agency_go_to_triage(code: str) -> None:
    assert route(code) == Route(department="OUC", reason="triage", is_triage=True)


def test_a_pothole_has_the_recorded_attributes() -> None:
    service = jurisdiction.service("S0301")
    assert service
    assert [(item.code, item.datatype, item.required, item.variable) for item in service.attributes] == [
        ("WHISPOLO", Datatype.SINGLEVALUELIST, True, True),
        ("WHMAISAL", Datatype.SINGLEVALUELIST, False, True),
        ("ISITHAZA", Datatype.SINGLEVALUELIST, False, True),
        ("WATHPRDA", Datatype.SINGLEVALUELIST, False, True),
        ("NOTE001", Datatype.TEXT, False, False),
        ("DSITR001", Datatype.TEXT, False, False),
    ]
    assert [value.key for value in service.attributes[0].values] == ["ALLEY002", "STREE001"]


@pytest.mark.parametrize(
    "name",
    [
        "Residential Bulk Collection",
        "Trash Collection - Missed",
        "Parking Meter Repair",
        "Recycling Collection - Missed",
        "Streetlight Repair Investigation",
        "Pothole",
        "Tree Inspection",
        "Traffic Lights and Pedestrian Walk Signals",
        "Sidewalk Repair",
        "Dead Animal Collection",
        "Tree Pruning",
        "Supercan - Delivery",
    ],
)
def test_the_most_used_services_have_their_current_names(name: str) -> None:
    assert name in [service.name for service in jurisdiction.services]


@pytest.mark.parametrize(
    ("lat", "long", "inside"),
    [
        (38.8951, -77.0364, True),  # the White House
        (38.9050, -77.0630, True),  # Georgetown
        (38.9550, -77.0830, True),  # Friendship Heights
        (38.8460, -76.9790, True),  # Congress Heights
        (38.8970, -76.9250, True),  # Deanwood
        (38.8910, -77.0853, False),  # Arlington
        (38.8065, -77.0609, False),  # Alexandria
        (38.9847, -77.0947, False),  # Bethesda
        (38.9897, -76.9378, False),  # College Park
    ],
)
def test_the_boundary_contains_the_district_and_not_its_neighbours(lat: float, long: float, inside: bool) -> None:
    assert jurisdiction.covers(long, lat) is inside
