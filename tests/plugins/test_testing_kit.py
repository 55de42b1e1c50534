from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from shapely import Polygon, box

from open311.domain.workflow import CitizenText
from open311.plugins import (
    Accepted,
    Attribute,
    AttributeTranslation,
    Datatype,
    Department,
    Draft,
    Jurisdiction,
    Privacy,
    Problem,
    Resolution,
    Rule,
    Service,
    ServiceTranslation,
    Translation,
    Value,
)
from open311.plugins.testing import check_jurisdiction, example_draft, example_place, find_faults

KIND = Attribute(
    code="KIND",
    description="Which?",
    datatype=Datatype.SINGLEVALUELIST,
    required=True,
    values=(Value("wall", "Wall"), Value("pole", "Pole")),
)
LAMP = Service(code="lamp", name="Lamp", group="Streets", department="streets", attributes=(KIND,))
OTHER = Service(code="other", name="Other")
GOOD = Jurisdiction(
    id="city.example",
    name="Demoville",
    time_zone="Europe/Helsinki",
    services=(LAMP, OTHER),
    departments=(Department("streets", "Street Works"), Department("desk", "Citizens' Desk")),
    triage="desk",
    languages=("en", "es"),
    boundary=box(24.0, 60.0, 25.0, 61.0),
    areas={"Harbour": box(24.0, 60.0, 24.1, 60.1)},
    aliases={"old": "lamp"},
    rules=(Rule(department="desk", service="lamp", answers={"KIND": ("pole",)}, area="Harbour"),),
    translations={"es": Translation(groups={"Streets": "Calles"})},
)


def with_attribute(**changes: Any) -> dict[str, Any]:
    """A catalogue whose only service has an attribute that is valid except for these changes."""
    return {"services": (replace(LAMP, attributes=(replace(KIND, **changes),)),), "rules": ()}


def with_service(**changes: Any) -> dict[str, Any]:
    """A catalogue whose first service is valid except for these changes."""
    return {"services": (replace(LAMP, **changes), OTHER)}


def test_a_valid_jurisdiction_has_no_faults() -> None:
    check_jurisdiction(GOOD)

    assert find_faults(GOOD) == []


def test_the_error_of_check_jurisdiction_lists_every_fault() -> None:
    faulty = replace(GOOD, triage="nobody", aliases={"old": "gone"})

    with pytest.raises(AssertionError, match=r"city\.example:\n(?s:.*)'nobody'(?s:.*)'gone'"):
        check_jurisdiction(faulty)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": ""}, "id '' must be lower case"),
        ({"id": "City.example"}, "must be lower case"),
        ({"id": " city.example"}, "without blanks"),
        ({"id": "www.city.example"}, "must not begin with www."),
        ({"name": " "}, "name is empty"),
        ({"time_zone": "Europe/Demoville"}, "is not the name of an IANA zone"),
        ({"time_zone": "../etc/passwd"}, "is not the name of an IANA zone"),
        ({"id_pattern": "{year}"}, "must contain {number}"),
        ({"id_pattern": "{number}/{month}"}, "not {month}"),
        ({"id_pattern": "{number} x"}, "may hold only letters"),
        ({"services": ()}, "has no services"),
        ({"triage": "nobody"}, "triage names department 'nobody'"),
        ({"triage": ""}, "triage names department ''"),
        ({"departments": (*GOOD.departments, GOOD.departments[0])}, "department 'streets' is declared 2 times"),
        ({"departments": (Department("streets", " "), GOOD.departments[1])}, "department streets is empty"),
        (with_service(department="nobody"), "service lamp names department 'nobody'"),
        ({"rules": (Rule(department="nobody"),)}, "route any service names department 'nobody'"),
        ({"services": (LAMP, LAMP)}, "service 'lamp' is declared 2 times"),
        (with_service(code="lamp "), "code is empty or has blanks"),
        (with_service(name=""), "name is empty"),
        (with_service(name="La\x00mp"), "characters that XML cannot carry"),
        (with_service(description="dark\x07"), "characters that XML cannot carry"),
        (with_service(keywords=("dark\x07",)), "characters that XML cannot carry"),
        (with_service(attributes=(KIND, KIND)), "attribute 'KIND' is declared 2 times"),
        (with_attribute(code=""), "code is empty"),
        (with_attribute(code="a[b]"), "brackets in a code"),
        (with_attribute(description=""), "description is empty"),
        (with_attribute(values=()), "a list must have values"),
        (with_attribute(datatype=Datatype.STRING), "only the two list datatypes can have values"),
        (with_attribute(values=(Value("a", "A"), Value("a", "B"))), "value 'a' is declared 2 times"),
        (with_attribute(values=(Value("", "A"),)), "value key is empty"),
        (with_attribute(values=(Value("a", " "),)), "value name is empty"),
        ({"aliases": {"other": "lamp"}}, "alias 'other' is also the code of a service"),
        ({"aliases": {"old": "gone"}}, "leads to 'gone', which is not a service"),
        ({"rules": (Rule(department="desk", area="Hill"),)}, "an area that areas.geojson lacks"),
        ({"rules": (Rule(department="desk", service="gone"),)}, "names an unknown service"),
        (
            {"rules": (Rule(department="desk", service="lamp", answers={"COLOUR": ("red",)}),)},
            "asks for attribute 'COLOUR', which the service does not have",
        ),
        (
            {"rules": (Rule(department="desk", service="lamp", answers={"KIND": ("roof",)}),)},
            "asks for KIND = 'roof', which is not a key",
        ),
        ({"languages": ("en",)}, "the key languages does not contain es"),
    ],
)
def test_each_fault_is_reported(changes: dict[str, Any], words: str) -> None:
    faults = find_faults(replace(GOOD, **changes))

    assert any(words in fault for fault in faults), faults


class Sound(Jurisdiction):
    """Overrides every hook in a permitted way, and has more methods."""

    def department_for(self, draft: Draft, *, at_night: bool = False) -> str | None:
        return "desk" if self._is_late(draft) or at_night else None

    def check(self, *drafts: Draft) -> list[Problem]:
        return []

    @staticmethod
    def resolve(token: str, draft: Draft) -> Resolution:
        return Accepted(token)

    def _is_late(self, draft: Draft) -> bool:
        return draft.requested_at.hour >= 22

    def wards(self) -> list[str]:
        return sorted(self.areas)


def jurisdiction_with(**members: Any) -> Jurisdiction:
    """The valid jurisdiction, as an instance of a subclass with these members."""
    kind: type[Jurisdiction] = type("City", (Jurisdiction,), members)
    return kind(**{row.name: getattr(GOOD, row.name) for row in fields(GOOD)})


def test_hooks_with_the_right_parameters_have_no_faults() -> None:
    assert find_faults(Sound(**{row.name: getattr(GOOD, row.name) for row in fields(GOOD)})) == []


async def waits(self: Jurisdiction, draft: Draft) -> None:
    pass


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (
            {"departement_for": lambda self, draft: None},
            "'departement_for' is never called; rename it to department_for",
        ),
        ({"departmentFor": lambda self, draft: None}, "rename it to department_for, or to _departmentFor"),
        ({"checks": lambda self, draft: []}, "'checks' is never called; rename it to check"),
        ({"resolve_": lambda self, token, draft: None}, "rename it to resolve"),
        ({"check": lambda self: []}, "'check' has other parameters than def check(self, draft)"),
        ({"department_for": lambda self, draft, at: None}, "than def department_for(self, draft)"),
        ({"resolve": lambda self, token: None}, "than def resolve(self, token, draft)"),
        ({"new_id": lambda self, number: ""}, "than def new_id(self, number, at)"),
        ({"check": waits}, "'check' must not be async: def check(self, draft)"),
        ({"check": []}, "check must be a method: def check(self, draft)"),
    ],
)
def test_a_hook_that_the_server_would_not_call_or_could_not_call_is_a_fault(
    members: dict[str, Any], words: str
) -> None:
    [fault] = find_faults(jurisdiction_with(**members))
    assert words in fault


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ({"groups": {"Roads": "Calles"}}, "translates group 'Roads', which no service has"),
        ({"services": {"gone": {}}}, "translates 'gone', which is not a service"),
        ({"services": {"lamp": {"COLOUR": {}}}}, "'lamp': 'COLOUR', which is not an attribute"),
        ({"services": {"lamp": {"KIND": {"roof": "Techo"}}}}, "'lamp': KIND: 'roof', which is not a key"),
    ],
)
def test_a_translation_of_an_undeclared_text_is_reported(toml: dict[str, Any], words: str) -> None:
    services = {
        code: ServiceTranslation(
            attributes={name: AttributeTranslation(values=values) for name, values in attributes.items()}
        )
        for code, attributes in toml.get("services", {}).items()
    }
    translation = Translation(groups=toml.get("groups", {}), services=services)

    faults = find_faults(replace(GOOD, translations={"es": translation}))

    assert len(faults) == 1
    assert words in faults[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"groups": {"Streets": " "}}, "group 'Streets' is empty or has blanks"),
        ({"texts": (CitizenText(outcome="fixed", text="Hecho\0"),)}, "text fixed holds characters"),
        ({"services": {"lamp": ServiceTranslation(name=" ")}}, "'lamp' name is empty or has blanks"),
        ({"services": {"lamp": ServiceTranslation(notice="a\x07")}}, "'lamp' holds characters"),
        ({"services": {"lamp": ServiceTranslation(keywords=("a\x07",))}}, "'lamp' holds characters"),
    ],
)
def test_a_translation_that_cannot_be_shown_is_reported(changes: dict[str, Any], words: str) -> None:
    (fault,) = find_faults(replace(GOOD, translations={"es": Translation(**changes)}))

    assert f"languages/es.toml: {words}" in fault


def test_a_text_for_citizens_that_cannot_be_sent_is_reported() -> None:
    texts = (CitizenText(outcome="fixed", text="Done\0"),)

    assert find_faults(replace(GOOD, texts=texts)) == ["text fixed holds characters that XML cannot carry"]


def test_a_plugin_for_another_api_version_is_reported() -> None:
    class Future(Jurisdiction):
        api_version = 99

    future = Future(
        id="a.example", name="A", time_zone="UTC", services=(OTHER,), departments=GOOD.departments, triage="desk"
    )

    assert find_faults(future) == ["api_version is 99; this server supports 1"]


def with_hooks(kind: type[Jurisdiction]) -> Jurisdiction:
    return kind(
        id="a.example", name="A", time_zone="UTC", services=(LAMP,), departments=GOOD.departments, triage="desk"
    )


def test_a_hook_that_names_an_unknown_department_is_reported() -> None:
    class UnknownDepartment(Jurisdiction):
        def department_for(self, draft: Draft) -> str | None:
            return "nobody"

    assert find_faults(with_hooks(UnknownDepartment)) == [
        "service 'lamp' is routed to 'nobody', which is not declared, for an example with a point at"
        " 2026-03-01T09:30:00Z"
    ]


def test_a_hook_that_refuses_everything_is_reported() -> None:
    class RefusesAll(Jurisdiction):
        def check(self, draft: Draft) -> list[Problem]:
            return [Problem("lat", "is not ours.")]

    assert find_faults(with_hooks(RefusesAll)) == ["service 'lamp' refuses an example: lat: is not ours."]


def test_an_example_request_is_inside_the_city_and_answers_every_attribute() -> None:
    draft = example_draft(GOOD, LAMP)

    assert draft.place.point
    assert GOOD.covers(*draft.place.point)
    assert draft.answered("KIND") == ("wall",)


def test_without_a_boundary_an_example_request_is_at_the_point_zero() -> None:
    assert example_place(replace(GOOD, boundary=None)).point == (0.0, 0.0)


@pytest.mark.parametrize(
    ("zone", "boundary", "is_fault"),
    [
        ("Europe/Helsinki", box(60.0, 24.0, 61.0, 25.0), True),
        ("America/Chicago", box(41.6, -87.9, 42.0, -87.5), True),
        ("America/Los_Angeles", box(10.0, 50.0, 11.0, 51.0), False),  # far away both ways
        ("Europe/Helsinki", box(24.0, 60.0, 25.0, 61.0), False),
        ("Asia/Shanghai", box(87.0, 43.0, 88.0, 44.0), False),  # Urumqi
        ("Africa/Lagos", box(3.4, 6.4, 3.6, 6.6), False),
        ("UTC", box(60.0, 24.0, 61.0, 25.0), False),  # this zone has no place
    ],
)
def test_a_boundary_with_swapped_axes_is_a_fault(zone: str, boundary: Polygon, is_fault: bool) -> None:
    city = replace(GOOD, time_zone=zone, boundary=boundary, areas={}, rules=())
    faults = [fault for fault in find_faults(city) if "swapped" in fault]
    assert bool(faults) is is_fault


@pytest.mark.parametrize(
    ("policy", "fault"),
    [
        (Privacy(phone_region="UK"), "phone_region is 'UK'; it must be a country of ISO 3166"),
        (Privacy(plate_pattern="[A-Z"), "plate_pattern is no regular expression: unterminated character set"),
        (Privacy(plate_pattern="[A-Z]*"), "plate_pattern matches an empty text"),
    ],
)
def test_a_faulty_policy_for_personal_data_is_reported(policy: Privacy, fault: str) -> None:
    assert any(fault in found for found in find_faults(replace(GOOD, privacy=policy)))
