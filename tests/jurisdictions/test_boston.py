from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jurisdictions.boston import jurisdiction
from open311.domain.forms import first_unmet
from open311.plugins import Answer, Draft, Place, Route
from open311.plugins.testing import check_jurisdiction

LITTER = "155a5e9b-8c3a-4279-bbab-f6bba6ddb0d0"
# The codes that the city redirected in 2017.
REDIRECTS = {
    "4f38920fe75084437f000188": "RODENTACT",
    "4f38920fe75084437f00019c": "ABNDBIKE",
    "4f38920fe75084437f0001a0": "BOS311GEN",
    "4f38920fe75084437f0001a9": "NWTRREQ",
    "4f38920fe75084437f0001b2": "TREEMAINT",
    "4f38920fe75084437f0001b3": "GENGRAFFITI",
    "4f38920fe75084437f0001ba": "EMPLITBSKT",
    "4f389210e75084437f0001c4": "PUDEADANML",
    "4f389210e75084437f0001ca": "REQPOTHL",
    "4f389210e75084437f0001ce": LITTER,
    "4f389210e75084437f0001d3": "SDWRPR",
    "4f389210e75084437f0001d8": "STRLGTOUT",
    "4f389210e75084437f0001de": "ABNDVHCL",
    "4f389210e75084437f0001e5": "PRKGENFORC",
    "4f389210e75084437f0001ec": "MISDMGSGN",
    "51f6012a2debc151cb9b5672": "EQUIPREPR",
    "51f6012b2debc151cb9b5675": "LGHTELEC",
    "549d8f0b0485971e64c7b37b": "TFCSGNINSP",
    "55563da904853fde08a10507": "NEEDRMVL",
    "55c2aa7a601827411b000001": "TREEMAINT",
    "56c2dc2a601827d70f000006": "IMPSTRTRSH",
}
LONG_CODES = {
    "Mayor's 24 Hour Hotline:General Request:General Request": "BOS311GEN",
    "Mayor's 24 Hour Hotline:Needle Program:Needle Pickup": "NEEDRMVL",
    "Public Works Department:Highway Maintenance:Request for Pothole Repair": "REQPOTHL",
    "Public Works Department:Highway Maintenance:Sidewalk Repair (Make Safe)": "SDWRPR",
    "Public Works Department:Code Enforcement:Improper Storage of Trash (Barrels)": "IMPSTRTRSH",
    "Property Management:Graffiti:Graffiti Removal": "GENGRAFFITI",
    "Inspectional Services:Environmental Services:Overflowing or Un-kept Dumpster": "UNSANTRSH",
    "Transportation - Traffic Division:Enforcement & Abandoned Vehicles:Parking Enforcement": "PRKGENFORC",
    "Transportation - Traffic Division:Signs & Signals:Sign Repair": "MISDMGSGN",
    "input.Illegal Graffiti": "GENGRAFFITI",
    "input.Litter": LITTER,
    "input.Rodent Sighting": "RODENTACT",
    "994a8200-95d6-4720-826c-19bd142847b5": "MTRECYDBI",
    "60b145be-aef5-4a3c-8754-51472cf44088": "ILGLDUMP",
}


def route(code: str, **answers: str) -> Route:
    service = jurisdiction.service(code)
    assert service
    given = tuple(Answer(key, (value,)) for key, value in answers.items())
    return jurisdiction.route(Draft(service=service, place=Place(lat=42.3604, long=-71.0579), answers=given))


def test_check_jurisdiction_finds_no_fault() -> None:
    check_jurisdiction(jurisdiction)


def test_the_city_has_its_id_time_zone_and_request_ids() -> None:
    assert jurisdiction.id == "cityofboston.gov"
    assert jurisdiction.time_zone == "America/New_York"
    assert jurisdiction.new_id(4143000, datetime(2026, 3, 1, tzinfo=UTC)) == "101004143000"


def test_the_catalogue_has_the_recorded_size() -> None:
    assert len(jurisdiction.services) == 126
    assert len(jurisdiction.departments) == 31
    assert len(jurisdiction.aliases) == 46


def test_the_118_short_codes_of_2018_are_served() -> None:
    short = [service for service in jurisdiction.services if service.code.isalnum() and service.code.isupper()]
    assert len(short) == 118
    assert [service.code for service in short if not service.department] == ["GENGRAFFITI"]
    assert len({service.department for service in short if service.department}) == 30


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
        ("REQPOTHL", "COB_PWD_HWY"),
        ("STRLGTOUT", "COB_PWD_STRL"),
        ("ABNDBIKE", "COB_BTDT_BIKES"),
        ("ABNDVHCL", "COB_BTDT_AVRS"),
        ("RODENTACT", "COB_ISD_ENVR"),
        ("HEAT", "COB_ISD_HOUS"),
        ("UCFOOD", "COB_ISD_HEALTH"),
        ("FIREHYDR", "BWSC"),
        ("NEEDRMVL", "BPHC_MOBSHRP"),
        ("TREEEMGNCY", "COB_PARKS_TREE"),
        ("BOS311GEN", "COB_MAYOR_CALLCTR"),
        ("Mayor's 24 Hour Hotline:Quality of Life:Encampments", "COB_MAYOR_CALLCTR"),
        ("Public Works Department:Highway Maintenance:PWD Graffiti", "COB_PWD_HWY"),
        (LITTER, "COB_PWD_HWY"),
    ],
)
def test_a_service_goes_to_its_department(code: str, department: str) -> None:
    assert route(code).department == department


@pytest.mark.parametrize(
    ("surface", "department"),
    [
        ("building", "PROP"),
        ("street", "COB_PWD_HWY"),
        ("other", "COB_MAYOR_CALLCTR"),
        ("", "COB_MAYOR_CALLCTR"),
    ],
)
def test_graffiti_is_routed_by_the_painted_object(surface: str, department: str) -> None:
    answers = {"SURFACE": surface} if surface else {}
    assert route("GENGRAFFITI", **answers).department == department


def test_the_city_redirected_21_codes() -> None:
    assert len(REDIRECTS) == 21


@pytest.mark.parametrize(("retired", "current"), [*REDIRECTS.items(), *LONG_CODES.items()])
def test_an_older_or_newer_code_leads_to_the_service(retired: str, current: str) -> None:
    service = jurisdiction.service(retired)
    assert service
    assert service.code == current


def test_conditional_questions_are_optional() -> None:
    service = jurisdiction.service("MTRECYDBI")
    assert service
    assert len(service.attributes) == 18
    assert [attribute.code for attribute in service.attributes if attribute.required] == ["SR-MTRECYDBI1"]


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ({}, {"PWD-CURBORALLEY", "SR-MTRECYDBI1"}),
        ({"SR-MTRECYDBI1": "Recycling"}, {"PWD-CURBORALLEY", "SR-MTRECYDBI1", "RCYCLCLCT"}),
        (
            {"SR-MTRECYDBI1": "Trash", "REC-TRSCOL": "Barrel"},
            {"PWD-CURBORALLEY", "SR-MTRECYDBI1", "CNSTRCT_MTRL", "REC-TRSCOL", "REC-BARLSIZE"},
        ),
        ({"REC-TRSCOL": "Barrel"}, {"PWD-CURBORALLEY", "SR-MTRECYDBI1"}),
    ],
)
def test_a_question_is_asked_only_after_certain_answers(answers: dict[str, str], asked: set[str]) -> None:
    service = jurisdiction.service("MTRECYDBI")
    assert service
    given: dict[str, tuple[str, ...]] = {}
    found = set()
    for attribute in service.attributes:
        if attribute.variable and first_unmet(attribute.only_if, given) is None:
            found.add(attribute.code)
            given[attribute.code] = (answers.get(attribute.code, ""),)
    assert found == asked


def test_attributes_that_only_inform_accept_no_answer() -> None:
    service = jurisdiction.service("MTRECYDBI")
    assert service
    shown = [attribute.code for attribute in service.attributes if not attribute.variable]
    assert shown == ["TRSHHHITMS", "BRLS-BGS", "BRSH-BNDLES", "IFYESTRSH"]


def test_keys_are_unchanged_and_names_are_corrected() -> None:
    service = jurisdiction.service("CEMTRYMAIN")
    assert service
    [needs, cemetery] = service.attributes
    assert needs.required
    assert cemetery.required
    assert cemetery.values[0].key == "Mount Hope Cemetery [ Mattapan]"
    assert cemetery.values[0].name == "Mount Hope Cemetery (Mattapan)"


@pytest.mark.parametrize(
    ("long", "lat"),
    [
        pytest.param(-71.0579, 42.3604, id="city hall"),
        pytest.param(-71.1524, 42.3495, id="brighton"),
        pytest.param(-71.1597, 42.2793, id="west roxbury"),
        pytest.param(-71.1325, 42.2388, id="readville"),
        pytest.param(-71.0047, 42.3868, id="orient heights"),
        pytest.param(-71.0665, 42.3782, id="charlestown"),
        pytest.param(-70.968, 42.32, id="long island"),
    ],
)
def test_places_in_the_city_are_inside_the_boundary(long: float, lat: float) -> None:
    assert jurisdiction.covers(long, lat)


@pytest.mark.parametrize(
    ("long", "lat"),
    [
        pytest.param(-71.1187, 42.334, id="brookline"),
        pytest.param(-71.1097, 42.3736, id="cambridge"),
        pytest.param(-71.0995, 42.3876, id="somerville"),
        pytest.param(-71.2092, 42.337, id="newton"),
        pytest.param(-71.0023, 42.2529, id="quincy"),
        pytest.param(-71.0662, 42.2496, id="milton"),
        pytest.param(-71.0328, 42.3918, id="chelsea"),
        pytest.param(-70.983, 42.3751, id="winthrop"),
    ],
)
def test_neighbouring_places_are_outside_the_boundary(long: float, lat: float) -> None:
    assert not jurisdiction.covers(long, lat)
