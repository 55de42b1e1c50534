from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from jurisdictions.demo import jurisdiction
from open311.plugins import Answer, Attribute, Datatype, Draft, Place, Route, Service, ServiceType
from open311.plugins.testing import check_jurisdiction

CENTRE = Place(lat=60.1718, long=24.9414)
HARBOUR = Place(lat=60.14, long=24.95)


def service(code: str) -> Service:
    service = jurisdiction.service(code)
    assert service
    return service


def attribute(code: str, of: str) -> Attribute:
    return next(item for item in service(of).attributes if item.code == code)


def route(code: str, /, place: Place = CENTRE, at: str = "", **answers: str) -> Route:
    given = tuple(Answer(key, (value,)) for key, value in answers.items())
    when = local(at) if at else None
    return jurisdiction.route(Draft(service=service(code), place=place, answers=given, requested_at=when))


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=jurisdiction.zone)


def test_check_jurisdiction_finds_no_fault() -> None:
    check_jurisdiction(jurisdiction)


def test_the_city_has_the_services_that_the_conformance_suite_uses() -> None:
    types = {item.code: item.type for item in jurisdiction.services}
    assert jurisdiction.id == "city.example"
    assert types["potholes"] is types["graffiti"] is ServiceType.REALTIME
    assert types["trees"] is ServiceType.BATCH
    assert types["hotline"] is ServiceType.BLACKBOX
    assert not any(service(code).attributes for code in ("potholes", "trees", "hotline"))


@pytest.mark.parametrize(
    ("code", "datatype", "keys"),
    [
        ("SURFACE", Datatype.SINGLEVALUELIST, {"brick", "metal"}),
        ("TAGS", Datatype.MULTIVALUELIST, {"a", "b", "c", "x,y"}),
        ("HEIGHT", Datatype.NUMBER, set()),
        ("SEEN", Datatype.DATETIME, set()),
        ("NOTE", Datatype.TEXT, set()),
        ("PLATE", Datatype.STRING, set()),
    ],
)
def test_graffiti_has_the_attributes_that_the_suite_answers(code: str, datatype: Datatype, keys: set[str]) -> None:
    found = attribute(code, of="graffiti")
    assert found.datatype is datatype
    assert found.required is (code == "SURFACE")
    assert keys <= {value.key for value in found.values}


def test_the_city_has_every_datatype_every_type_of_service_and_odd_codes() -> None:
    attributes = [item for service in jurisdiction.services for item in service.attributes]
    assert {item.datatype for item in attributes} == set(Datatype)
    assert {item.type for item in jurisdiction.services} == set(ServiceType)
    assert not attribute("INFO", of="graffiti").variable
    assert "1" in [item.code for item in attributes]
    assert {"Street:Lights & Poles", "v1.2", "a/b", "001"} <= {item.code for item in jurisdiction.services}
    assert service("Street:Lights & Poles").name == "Straßenlampe – dark ☂"
    assert service("potholes").notice
    assert jurisdiction.outside == "refuse"


@pytest.mark.parametrize(
    ("code", "department"),
    [
        ("potholes", "Street Works"),
        ("graffiti", "City Cleaning"),
        ("trees", "Parks"),
        ("001", "City Cleaning"),
        ("v1.2", "Street Works"),
        ("hotline", "Citizens' Desk"),
    ],
)
def test_a_service_goes_to_its_department(code: str, department: str) -> None:
    assert jurisdiction.department(route(code).department).name == department


@pytest.mark.parametrize("code", ["potholes", "Street:Lights & Poles"])
def test_services_in_the_harbour_go_to_the_port(code: str) -> None:
    assert route(code, HARBOUR).department == "port"
    assert route(code, CENTRE).department == "streets"
    assert route(code, Place(address="5 Mill Lane")).department == "streets"


@pytest.mark.parametrize(
    ("code", "question", "answer", "department"),
    [
        ("graffiti", "SURFACE", "metal", "streets"),
        ("graffiti", "SURFACE", "brick", "cleaning"),
        ("a/b", "KIND", "car", "parking"),
        ("a/b", "KIND", "bicycle", "cleaning"),
    ],
)
def test_an_answer_decides_the_department(code: str, question: str, answer: str, department: str) -> None:
    assert route(code, CENTRE, **{question: answer}).department == department


@pytest.mark.parametrize(
    ("at", "department"),
    [
        ("2026-11-30T19:59", "streets"),
        ("2026-11-30T20:00", "parking"),
        ("2026-12-01T05:59", "parking"),
        ("2026-12-01T06:00", "streets"),
        ("2026-12-05T23:00", "parking"),
        ("2026-12-06T23:00", "streets"),
    ],
)
def test_the_hour_decides_the_department_except_on_sundays(at: str, department: str) -> None:
    assert route("v1.2", at=at).department == department


@pytest.mark.parametrize(
    ("at", "department"),
    [
        ("2026-12-23T12:00", "cleaning"),
        ("2026-12-24T00:00", "parks"),
        ("2026-12-25T23:59", "parks"),
        ("2026-12-27T12:00", "cleaning"),
        ("2027-01-01T12:00", "parks"),
        ("2027-01-06T12:00", "cleaning"),
    ],
)
def test_a_holiday_decides_the_department(at: str, department: str) -> None:
    assert route("001", at=at).department == department


@pytest.mark.parametrize(
    ("code", "department", "answers", "due"),
    [
        ("v1.2", "streets", {}, "2026-12-22T18:00"),
        ("001", "cleaning", {}, "2026-12-29T16:00"),
        ("a/b", "cleaning", {"KIND": ("bicycle",)}, "2027-01-08T15:00"),
        ("a/b", "parking", {"KIND": ("car",)}, ""),
        ("hotline", "desk", {}, ""),
        ("potholes", "streets", {}, ""),
    ],
)
def test_a_service_level_decides_the_due_date(
    code: str, department: str, answers: dict[str, tuple[str, ...]], due: str
) -> None:
    expected = local(due) if due else None
    assert jurisdiction.due(code, department, local("2026-12-22T10:00"), answers=answers) == expected


def test_a_vehicle_in_the_harbour_is_not_a_matter_of_the_city() -> None:
    assert not jurisdiction.offers(service("a/b"), HARBOUR.point)
    assert jurisdiction.offers(service("a/b"), CENTRE.point)


@pytest.mark.parametrize(
    ("retired", "current"),
    [
        ("pothole", "potholes"),
        ("Pot Holes (2019)", "potholes"),
        ("graff/iti", "graffiti"),
        ("lamp", "Street:Lights & Poles"),
    ],
)
def test_a_retired_code_is_an_alias_of_its_successor(retired: str, current: str) -> None:
    assert service(retired) is service(current)


def test_ids_contain_the_year() -> None:
    assert jurisdiction.new_id(8841, datetime(2026, 2, 1, tzinfo=UTC)) == "2026-0008841"


@pytest.mark.parametrize(
    ("place", "inside"),
    [
        (CENTRE, True),
        (HARBOUR, True),
        (Place(lat=60.24, long=25.0), True),
        (Place(lat=60.30, long=25.0), False),
        (Place(lat=24.9414, long=60.1718), False),
        (Place(lat=0.0, long=0.0), False),
    ],
)
def test_the_boundary_contains_only_the_city(place: Place, inside: bool) -> None:
    assert place.point
    assert jurisdiction.covers(*place.point) is inside


def texts_to_translate() -> Iterator[tuple[str, bool]]:
    """The name of each text of the catalogue in each other language, and whether the text is translated."""
    for language in jurisdiction.languages[1:]:
        translation = jurisdiction.translations[language]
        for item in jurisdiction.services:
            here = f"{language}: {item.code}"
            texts = translation.services[item.code]
            yield f"{here}: group", not item.group or bool(translation.groups.get(item.group))
            yield f"{here}: name", bool(texts.name)
            yield f"{here}: description", bool(texts.description) == bool(item.description)
            yield f"{here}: notice", bool(texts.notice) == bool(item.notice)
            yield f"{here}: keywords", bool(texts.keywords) == bool(item.keywords)
            for question in item.attributes:
                there = f"{here}: {question.code}"
                words = texts.attributes[question.code]
                yield f"{there}: description", bool(words.description)
                explained = bool(words.datatype_description) == bool(question.datatype_description)
                yield f"{there}: datatype_description", explained
                for value in question.values:
                    yield f"{there}: {value.key}", bool(words.values.get(value.key))


@pytest.mark.parametrize(("where", "is_there"), list(texts_to_translate()))
def test_every_text_is_translated(where: str, is_there: bool) -> None:
    assert is_there, where
