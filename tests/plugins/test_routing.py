from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from shapely import box

from open311.plugins import (
    Answer,
    Attribute,
    Calendar,
    Datatype,
    DayKind,
    Department,
    Draft,
    Hours,
    Jurisdiction,
    Place,
    Route,
    Rule,
    Service,
    Value,
)

KIND = Attribute(
    code="KIND",
    description="Which?",
    datatype=Datatype.MULTIVALUELIST,
    values=tuple(Value(key, key) for key in ("wall", "pole", "bridge")),
)
LAMP = Service(code="lamp", name="Lamp", department="streets", attributes=(KIND,))
NOISE = Service(code="noise", name="Noise")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
IN_HARBOUR = Place(lat=60.05, long=24.05)
INLAND = Place(lat=60.5, long=24.5)
CITY = Jurisdiction(
    id="city.example",
    name="Demoville",
    time_zone="UTC",
    services=(LAMP, NOISE),
    departments=tuple(Department(code, code) for code in ("streets", "bridges", "port", "police", "desk")),
    triage="desk",
    areas={"Harbour": box(24.0, 60.0, 24.1, 60.1)},
)
ON_BRIDGES = Rule(department="bridges", service="lamp", answers={"KIND": ("bridge", "pole")})
IN_THE_PORT = Rule(department="port", area="Harbour")


def route(
    service: Service, *kinds: str, place: Place = INLAND, rules: tuple[Rule, ...] = (), city: Jurisdiction = CITY
) -> Route:
    return replace(city, rules=rules).route(draft(service, *kinds, place=place))


def draft(service: Service, *kinds: str, place: Place = INLAND) -> Draft:
    return Draft(service=service, place=place, answers=(Answer("KIND", kinds),) if kinds else ())


WARDS = {
    "West": box(24.0, 60.0, 24.1, 60.1),
    "East": box(24.1, 60.0, 24.2, 60.1),
    "North": box(24.0, 60.1, 24.2, 60.2),
    "Old town": box(24.05, 60.05, 24.1, 60.1),
    "Lake": box(24.2, 60.0, 24.3, 60.2),
}
"""Four wards that share edges, and a district inside the first ward. Its edges lie on edges of the ward."""


@pytest.mark.parametrize(
    ("long", "lat", "areas"),
    [
        (24.02, 60.02, ("West",)),
        (24.1, 60.02, ("West",)),
        (24.15, 60.1, ("East",)),
        (24.1, 60.1, ("West", "Old town")),
        (24.1, 60.07, ("West", "Old town")),
        (24.07, 60.07, ("West", "Old town")),
        (24.0, 60.0, ("West",)),
        (24.2, 60.1, ("East",)),
        (24.2, 60.15, ("North",)),
        (24.3, 60.2, ("Lake",)),
        (24.4, 60.0, ()),
    ],
)
def test_a_point_on_a_shared_edge_belongs_to_the_first_of_the_neighbours(
    long: float, lat: float, areas: tuple[str, ...]
) -> None:
    city = replace(CITY, areas=WARDS)
    assert city.areas_at(Place(lat=lat, long=long)) == areas
    assert tuple(area for area in WARDS if city.in_area(area, (long, lat))) == areas


def test_a_point_on_a_shared_edge_belongs_to_one_area_if_the_map_is_not_drawn_exactly() -> None:
    wards = {"West": box(24.0, 60.0, 24.1, 60.1), "East": box(24.0999, 60.0, 24.2, 60.1)}
    city = replace(CITY, areas=wards, rules=(Rule(department="port", area="East"),))
    assert city.areas_at(Place(lat=60.0, long=24.09995)) == ("West",)
    assert city.route(draft(LAMP, place=Place(lat=60.0, long=24.09995))).department == "streets"


def test_without_rules_the_department_of_the_service_decides() -> None:
    assert route(LAMP) == Route(department="streets", reason="table: lamp")


def test_a_request_that_matches_no_rule_goes_to_triage() -> None:
    assert route(NOISE) == Route(department="desk", reason="triage", is_triage=True)


@pytest.mark.parametrize("kinds", [("bridge",), ("pole",), ("wall", "bridge")])
def test_a_rule_for_an_answer_overrides_the_department_of_the_service(kinds: tuple[str, ...]) -> None:
    result = route(LAMP, *kinds, rules=(ON_BRIDGES,))

    assert result == Route(department="bridges", reason="service lamp, KIND is bridge or pole")


@pytest.mark.parametrize("kinds", [("wall",), ()])
def test_a_request_with_another_answer_goes_to_the_department_of_the_service(kinds: tuple[str, ...]) -> None:
    assert route(LAMP, *kinds, rules=(ON_BRIDGES,)).department == "streets"


def test_all_answers_of_a_rule_must_match() -> None:
    strict = Rule(department="bridges", service="lamp", answers={"KIND": ("bridge",), "DARK": ("yes",)})

    assert route(LAMP, "bridge", rules=(strict,)).department == "streets"


@pytest.mark.parametrize("service", [LAMP, NOISE])
def test_a_rule_for_an_area_overrides_the_department_of_the_service_and_triage(service: Service) -> None:
    result = route(service, place=IN_HARBOUR, rules=(IN_THE_PORT,))

    assert result == Route(department="port", reason="any service, in area Harbour")


@pytest.mark.parametrize("place", [INLAND, Place(address="5 Mill Lane")])
def test_a_rule_for_an_area_ignores_places_outside_or_without_a_point(place: Place) -> None:
    assert route(LAMP, place=place, rules=(IN_THE_PORT,)).department == "streets"


def test_the_edge_of_an_area_belongs_to_the_area() -> None:
    assert route(LAMP, place=Place(lat=60.1, long=24.1), rules=(IN_THE_PORT,)).department == "port"


@pytest.mark.parametrize(
    ("rules", "department"), [((ON_BRIDGES, IN_THE_PORT), "bridges"), ((IN_THE_PORT, ON_BRIDGES), "port")]
)
def test_the_first_matching_rule_is_used(rules: tuple[Rule, ...], department: str) -> None:
    assert route(LAMP, "bridge", place=IN_HARBOUR, rules=rules).department == department


def test_a_rule_for_the_triage_department_does_not_count_as_triage() -> None:
    result = route(LAMP, "wall", rules=(Rule(department="desk", service="lamp", answers={"KIND": ("wall",)}),))

    assert result.department == "desk"
    assert not result.is_triage


def test_an_explanation_shows_rejected_rules_with_reasons() -> None:
    for_noise = Rule(department="police", service="noise")
    city = replace(CITY, rules=(for_noise, ON_BRIDGES, IN_THE_PORT))

    steps = city.explain(draft(LAMP, "wall"))

    assert [(step.department, step.fits, step.why) for step in steps] == [
        ("bridges", False, "KIND is wall"),
        ("port", False, "the point is outside Harbour"),
        ("streets", True, "fits"),
    ]


@pytest.mark.parametrize(
    ("example", "rule", "why"),
    [
        (draft(LAMP), ON_BRIDGES, "KIND is not answered"),
        (draft(LAMP, place=Place(address="5 Mill Lane")), IN_THE_PORT, "the request has no coordinates"),
    ],
)
def test_an_explanation_names_a_missing_answer_or_point(example: Draft, rule: Rule, why: str) -> None:
    assert replace(CITY, rules=(rule,)).explain(example)[0].why == why


def test_an_explanation_ends_with_the_rule_that_was_used() -> None:
    steps = replace(CITY, rules=(ON_BRIDGES, IN_THE_PORT)).explain(draft(LAMP, "bridge", place=IN_HARBOUR))

    assert [step.department for step in steps] == ["bridges"]


class Hooked(Jurisdiction):
    """A city whose hook routes loud requests to the police."""

    def department_for(self, draft: Draft) -> str | None:
        return "police" if "loud" in draft.description else None


@pytest.mark.parametrize(("description", "department"), [("loud music", "police"), ("dark", "bridges")])
def test_the_hook_overrides_the_rules_if_it_names_a_department(description: str, department: str) -> None:
    city = Hooked(
        id="a.example",
        name="A",
        time_zone="UTC",
        services=CITY.services,
        departments=CITY.departments,
        triage="desk",
        rules=(ON_BRIDGES,),
    )
    asked = replace(draft(LAMP, "bridge"), description=description)

    assert city.route(asked).department == department


def test_an_explanation_has_one_step_for_the_hook() -> None:
    city = Hooked(
        id="a.example", name="A", time_zone="UTC", services=(LAMP,), departments=CITY.departments, triage="desk"
    )

    steps = city.explain(replace(draft(LAMP), description="loud"))

    assert [(step.rule, step.department, step.fits) for step in steps] == [("department_for", "police", True)]


NIGHT = Rule(department="police", service="noise", hours=(Hours(22 * 60, 6 * 60),))
WEEKEND = Rule(department="police", service="noise", weekdays=(5, 6))
OFFICE = Calendar(office_hours=((Hours(8 * 60, 16 * 60),),) * 5 + ((), ()), closed=("2026-03-04",))


@pytest.mark.parametrize(
    ("rule", "at", "why"),
    [
        (NIGHT, "2026-03-02T22:00", "fits"),
        (NIGHT, "2026-03-03T05:59", "fits"),
        (NIGHT, "2026-03-03T06:00", "it is 06:00"),
        (NIGHT, "", "the request has no time"),
        (WEEKEND, "2026-03-07T00:00", "fits"),
        (WEEKEND, "2026-03-06T23:59", "it is Friday"),
        (Rule(department="port", day=DayKind.HOLIDAY), "2026-03-04T12:00", "fits"),
        (Rule(department="port", day=DayKind.DAY_OFF), "2026-03-04T12:00", "fits"),
        (Rule(department="port", day=DayKind.DAY_OFF), "2026-03-07T12:00", "fits"),
        (
            Rule(department="port", day=DayKind.WORKING_DAY),
            "2026-03-04T12:00",
            "Wednesday, 2026-03-04 (closing day of the city) is no working day",
        ),
        (Rule(department="port", day=DayKind.HOLIDAY), "2026-03-07T12:00", "Saturday, 2026-03-07 is no holiday"),
    ],
)
def test_a_rule_by_time_uses_the_local_time_of_the_request(rule: Rule, at: str, why: str) -> None:
    city = replace(CITY, time_zone="Asia/Tokyo", rules=(rule,), calendar=OFFICE)
    when = datetime.fromisoformat(at).replace(tzinfo=city.zone).astimezone(UTC) if at else None
    assert city.explain(replace(draft(NOISE), requested_at=when))[0].why == why


def test_without_a_calendar_a_rule_for_a_kind_of_day_never_fits() -> None:
    city = replace(CITY, rules=(Rule(department="port", day=DayKind.DAY_OFF),))
    assert city.route(replace(draft(LAMP), requested_at=NOON)).department == "streets"


def test_an_explanation_has_only_the_rules_of_the_service() -> None:
    rules = (NIGHT, ON_BRIDGES, WEEKEND, IN_THE_PORT)
    steps = replace(CITY, rules=rules).explain(draft(LAMP))
    assert [step.department for step in steps] == ["bridges", "port", "streets"]
