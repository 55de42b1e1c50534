"""Faults of routes, areas and service levels are found, such as a route that can never fit or an unknown name."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box
from shapely.geometry import mapping

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
    LevelRule,
    Misconfigured,
    Place,
    Rule,
    Service,
    Value,
    declared,
    read_service_level,
)
from open311.plugins.rule_faults import find_remarks
from open311.plugins.testing import example_place, find_faults

KIND = Attribute(
    code="KIND",
    description="Which?",
    datatype=Datatype.SINGLEVALUELIST,
    values=tuple(Value(key, key) for key in ("wall", "pole", "roof")),
)
NOTE = Attribute(code="NOTE", description="Read this.", variable=False)
LAMP = Service(code="lamp", name="Lamp", department="streets", attributes=(KIND, NOTE))
NOISE = Service(code="noise", name="Noise")
DAY = (Hours(8 * 60, 16 * 60),)
CITY = Jurisdiction(
    id="city.example",
    name="Demoville",
    time_zone="Europe/Helsinki",
    services=(LAMP, NOISE),
    departments=tuple(Department(code, code) for code in ("streets", "police", "desk")),
    triage="desk",
    boundary=box(24.0, 60.0, 25.0, 61.0),
    outside="refuse",
    areas={
        "Harbour": box(24.0, 60.0, 24.2, 60.2),
        "Pier": box(24.0, 60.0, 24.1, 60.1),
        "Abroad": box(26.0, 60.0, 26.1, 60.1),
    },
    calendar=Calendar(office_hours=(DAY,) * 5 + ((), ()), holidays="FI"),
)
NIGHT = (Hours(22 * 60, 6 * 60),)


def rule(department: str = "desk", **conditions: Any) -> Rule:
    return Rule(department=department, **conditions)


def faults(*rules: Rule, **changes: Any) -> list[str]:
    return find_faults(replace(CITY, rules=rules, **changes))


@pytest.mark.parametrize(
    "rules",
    [
        (rule(service="lamp", hours=NIGHT), rule(service="lamp")),
        (rule(service="lamp", hours=NIGHT), rule(service="lamp", hours=(Hours(5 * 60, 7 * 60),))),
        (rule(service="lamp", weekdays=(5, 6)), rule(service="lamp", weekdays=(4, 5))),
        (rule(day=DayKind.HOLIDAY), rule(day=DayKind.DAY_OFF), rule(day=DayKind.WORKING_DAY)),
        (rule(service="lamp"), rule(service="noise")),
        (rule(area="Pier"), rule(area="Harbour")),
        (
            rule(service="lamp", answers={"KIND": ("wall",)}),
            rule(service="lamp", answers={"KIND": ("wall", "pole")}),
        ),
        (rule(day=DayKind.HOLIDAY), rule(weekdays=(0,)), rule(weekdays=(0, 1))),
    ],
)
def test_routes_that_can_fit_have_no_faults(rules: tuple[Rule, ...]) -> None:
    assert faults(*rules) == []


HIDDEN = "can never fit, because route no. 1 always fits first; delete this route or move it up"


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ((rule(), rule("police", service="lamp")), HIDDEN),
        ((rule(service="lamp"), rule("police", service="lamp", hours=NIGHT)), HIDDEN),
        ((rule(hours=NIGHT), rule(hours=(Hours(23 * 60, 24 * 60),), area="Pier")), HIDDEN),
        ((rule(area="Harbour"), rule("police", area="Pier")), HIDDEN),
        ((rule(day=DayKind.DAY_OFF), rule("police", day=DayKind.HOLIDAY)), HIDDEN),
        ((rule(day=DayKind.DAY_OFF), rule("police", weekdays=(5,))), HIDDEN),
        (
            (
                rule(service="lamp", answers={"KIND": ("wall", "pole")}),
                rule("police", service="lamp", answers={"KIND": ("pole",)}, area="Pier"),
            ),
            HIDDEN,
        ),
        (
            (rule(weekdays=(0, 1, 2, 3, 4)), rule("police", weekdays=(5, 6)), rule(hours=NIGHT)),
            "because route no. 1 and route no. 2 together always fit first",
        ),
        (
            (rule(day=DayKind.DAY_OFF), rule("police", day=DayKind.WORKING_DAY), rule("streets")),
            "because route no. 1 and route no. 2 together always fit first",
        ),
        (
            (rule(service="lamp", hours=NIGHT), rule("police", service="lamp", hours=NIGHT)),
            "contradicts route no. 1: both have the same conditions, one leads to 'desk', the other to 'police'",
        ),
        (
            (rule(hours=(Hours(22 * 60, 1440), Hours(0, 6 * 60))), rule("police", hours=NIGHT)),
            "contradicts route no. 1",
        ),
        (
            (rule(service="lamp"), rule(service="lamp")),
            "route no. 2 (service lamp) repeats route no. 1; delete one",
        ),
        ((rule(weekdays=(5,), day=DayKind.WORKING_DAY),), "there is no time with these hours, weekdays and day"),
        ((rule(area="Abroad"),), "can never fit: requests in Abroad are refused"),
    ],
)
def test_a_route_that_can_never_fit_is_a_fault(rules: tuple[Rule, ...], words: str) -> None:
    (fault,) = faults(*rules)
    assert fault.startswith(f"route no. {len(rules)} (")
    assert words in fault


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (rule(day=DayKind.HOLIDAY), "needs a [calendar], which the city does not have"),
        (rule(answers={"COLOUR": ("red",)}), "asks for attribute 'COLOUR', which no service has"),
        (rule(answers={"KIND": ("floor",)}), "asks for KIND = 'floor', which is not a key"),
        (rule(service="lamp", answers={"KIND": ()}), "asks for attribute 'KIND' and names no answer"),
        (rule(service="lamp", answers={"NOTE": ("x",)}), "asks for attribute 'NOTE', which is a note"),
        (rule("nobody"), "names department 'nobody', which is not declared"),
        (rule(area="Hill"), "names an area that areas.geojson lacks: 'Hill'"),
    ],
)
def test_a_route_with_an_unknown_name_or_an_impossible_condition_is_a_fault(wrong: Rule, words: str) -> None:
    (fault,) = faults(wrong, rule(service="lamp"), calendar=None)
    assert words in fault


def test_a_route_for_holidays_is_a_fault_if_the_calendar_has_no_holidays() -> None:
    calendar = Calendar(office_hours=(DAY,) * 7)
    (fault,) = faults(rule(day=DayKind.HOLIDAY), calendar=calendar)
    assert "there is no time" in fault


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"include_areas": ("Hill",)}, "include_areas of service 'lamp' names area 'Hill'"),
        ({"exclude_areas": ("Hill",)}, "exclude_areas of service 'lamp' names area 'Hill'"),
        ({"include_areas": ("Pier",), "exclude_areas": ("Harbour",)}, "service 'lamp' is offered nowhere"),
        ({"service_level": read_service_level("2 working days")}, "needs a [calendar]"),
    ],
)
def test_a_service_with_a_faulty_area_or_service_level_is_a_fault(changes: dict[str, Any], words: str) -> None:
    city = replace(CITY, services=(replace(LAMP, **changes), NOISE), calendar=None)
    (fault,) = find_faults(city)
    assert words in fault


def test_an_excluded_area_must_exist() -> None:
    (fault,) = faults(exclude_areas=("Hill",))
    assert fault == "exclude_areas names area 'Hill', which areas.geojson lacks"


def test_an_example_lies_where_its_service_is_offered() -> None:
    service = replace(LAMP, include_areas=("Harbour",), exclude_areas=("Pier",))
    city = replace(CITY, services=(service,), exclude_areas=("Abroad",))
    point = example_place(city, service).point
    assert point
    assert city.covers(*point)
    assert city.offers(service, point)
    assert find_faults(city) == []


def level(words: str, **conditions: Any) -> LevelRule:
    return LevelRule(level=read_service_level(words), **conditions)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (level("4 days", service="gone"), "names an unknown service"),
        (level("4 days", department="gone"), "names department 'gone', which is not declared"),
        (level("4 days", service="lamp", answers={"KIND": ("floor",)}), "asks for KIND = 'floor'"),
    ],
)
def test_a_service_level_with_an_unknown_name_is_a_fault(wrong: LevelRule, words: str) -> None:
    (fault,) = faults(service_levels=(wrong,))
    assert words in fault


def test_service_levels_that_disagree_are_a_remark_and_no_fault() -> None:
    four = replace(LAMP, service_level=read_service_level("4 days"))
    city = replace(CITY, services=(four, NOISE), service_levels=(level("9 days", service="lamp"),))
    assert find_faults(city) == []
    assert list(find_remarks(city)) == [
        "the service levels 'service lamp: 4 days' and 'service lamp: 9 days' disagree;"
        " requests that fit both get no expected_datetime"
    ]


TOML = """
id = "city.example"
name = "Demoville"
time_zone = "Europe/Helsinki"
triage = "desk"
[calendar]
office_hours = { "mon-fri" = "08:00-16:00" }
[[departments]]
code = "desk"
name = "Desk"
[[services]]
code = "lamp"
name = "Lamp"
service_level = "4 days"
exclude_areas = ["Hill"]

[[routes]]
department = "desk"

# A comment
[[routes]]
department = "desk"
service = "lamp"
[[routes]]
department = "desk"
area = "Hill"
[[service_levels]]
level = "9 days"
service = "lamp"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    city = tmp_path / "demoville"
    city.mkdir()
    (city / "jurisdiction.toml").write_text(TOML)
    return city


def test_faults_and_remarks_have_the_file_and_the_line(folder: Path) -> None:
    city = declared.load(folder)
    first, second, third = find_faults(city)
    assert first.startswith("demoville/jurisdiction.toml:15: exclude_areas of service 'lamp' names area 'Hill'")
    assert second.startswith("demoville/jurisdiction.toml:21: route no. 2 (service lamp) can never fit, because")
    assert "route no. 1 (demoville/jurisdiction.toml:17)" in second
    assert third.startswith("demoville/jurisdiction.toml:26: route any service, in area Hill names an area")
    (remark,) = find_remarks(city)
    assert remark.startswith("demoville/jurisdiction.toml:27: the service levels")
    assert "(demoville/jurisdiction.toml:14)" in remark


def test_faults_about_unknown_names_have_the_file_and_the_line(folder: Path) -> None:
    (folder / "jurisdiction.toml").write_text(
        TOML.replace('triage = "desk"', 'triage = "gone"\n[aliases]\nold = "none"')
        .replace('name = "Lamp"', 'name = "Lamp"\ndepartment = "nobody"')
        .split("[[routes]]")[0]
        .replace('exclude_areas = ["Hill"]', "")
    )
    assert find_faults(declared.load(folder)) == [
        "demoville/jurisdiction.toml:5: triage names department 'gone', which is not declared",
        "demoville/jurisdiction.toml:16: service lamp names department 'nobody', which is not declared",
        "demoville/jurisdiction.toml:7: alias 'old' leads to 'none', which is not a service",
    ]


def test_all_keys_about_time_are_read(folder: Path) -> None:
    harbour = {"type": "Feature", "properties": {"name": "Hill"}, "geometry": mapping(box(24, 60, 25, 61))}
    (folder / "areas.geojson").write_text(json.dumps(harbour))
    (folder / "jurisdiction.toml").write_text(
        TOML.replace('"08:00-16:00" }', '["08:00-12:00", "13:00-16:00"], Saturday = "09:00-12:00" }')
        .replace(
            "[[departments]]",
            'holidays = "FI"\nclosed = ["12-24", 2026-05-15]\nworking = ["2026-12-26"]\n[[departments]]',
            1,
        )
        .replace(
            'area = "Hill"',
            'hours = ["22:00-06:00", "12:00-13:00"]\nweekdays = ["sat-mon", "wed"]\nday = "day_off"',
        )
    )
    city = declared.load(folder)
    long_day = (Hours(480, 720), Hours(780, 960))
    assert city.calendar == Calendar(
        office_hours=(long_day,) * 5 + ((Hours(540, 720),), ()),
        holidays="FI",
        closed=("12-24", "2026-05-15"),
        working=("2026-12-26",),
    )
    assert city.rules[2].hours == (Hours(1320, 360), Hours(720, 780))
    assert city.rules[2].weekdays == (0, 2, 5, 6)
    assert city.rules[2].day is DayKind.DAY_OFF


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"08:00-16:00"', '"8-16"', "office_hours must be hours such as \"22:00-06:00\", not '8-16'."),
        ('"08:00-16:00"', '"22:00-06:00"', "must have hours for mon-fri that follow each other"),
        ('"08:00-16:00"', "8", 'must have hours such as "08:00-16:00" for mon-fri, not 8.'),
        ('"mon-fri"', '"mon-funday"', 'must name days such as "sat" or "mon-fri", not \'mon-funday\'.'),
        ('"08:00-16:00" }', '"08:00-16:00", tue = "09:00-10:00" }', "must not name Tuesday twice."),
        ('{ "mon-fri" = "08:00-16:00" }', "{}", "must have hours for at least one day."),
        ('{ "mon-fri" = "08:00-16:00" }', '"always"', "must be a table of hours by days"),
        ("[[departments]]", 'holidays = "XX"\n[[departments]]', "holidays must be a code of ISO 3166"),
        ("[[departments]]", 'closed = ["31.12."]\n[[departments]]', "closed must hold days such as"),
        ("[[departments]]", 'closed = "12-24"\n[[departments]]', "closed must be a list of days"),
        ('"4 days"', '"4 dys"', 'service_level must be written like "4 days"'),
        ('"4 days"', "4", 'service_level must be written like "4 days"'),
        ('area = "Hill"', 'hours = "25:00-26:00"', "hours must be hours such as"),
        ('area = "Hill"', "hours = 8", 'hours must be hours such as "22:00-06:00", or a list of them, not 8.'),
        ('area = "Hill"', 'day = "Sunday"', "day must be one of holiday, working_day, day_off, not 'Sunday'."),
    ],
)
def test_a_key_about_time_that_cannot_be_read_is_named(folder: Path, old: str, new: str, words: str) -> None:
    path = folder / "jurisdiction.toml"
    path.write_text(TOML.replace(old, new, 1))
    with pytest.raises(Misconfigured) as caught:
        declared.load(folder)
    assert words in str(caught.value)


class Raising(Jurisdiction):
    """A city whose hooks fail for some requests only."""

    def department_for(self, draft: Draft) -> str | None:
        assert draft.requested_at
        long, _ = draft.place.point if draft.requested_at.hour < 12 and draft.place.point else (24.5, 60)
        return "police" if draft.answered("KIND")[0] == "wall" and long else None


def test_a_hook_is_tried_for_every_service_with_and_without_answers() -> None:
    values = {
        field: getattr(CITY, field) for field in ("id", "name", "time_zone", "services", "departments", "triage")
    }
    one, other = find_faults(Raising(**values))
    assert one.startswith(
        "service 'lamp' cannot be routed: the city's Python raises IndexError (test_rule_faults.py, line"
    )
    assert one.endswith("for an example with a point without answers at 2026-03-01T09:30:00Z")
    assert other.startswith("service 'noise' cannot be routed:")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "check must return a list of Problem, not None"),
        (["wrong"], "check must return a list of Problem, not ['wrong']"),
        (ZeroDivisionError, "the city's Python raises ZeroDivisionError"),
    ],
)
def test_a_check_that_fails_is_a_fault_of_each_service(answer: Any, words: str) -> None:
    class Checking(Jurisdiction):
        def check(self, draft: Draft) -> Any:
            if draft.place.has_point:
                return []
            if isinstance(answer, type):
                raise answer
            return answer

    values = {
        name: getattr(CITY, name) for name in ("id", "name", "time_zone", "services", "departments", "triage")
    }
    one, other = find_faults(Checking(**values))
    assert one.startswith("service 'lamp' cannot be checked:")
    assert other.startswith("service 'noise' cannot be checked:")
    assert words in one


SPANS = st.sampled_from([(), NIGHT, (Hours(0, 12 * 60),), (Hours(12 * 60, 24 * 60),), (Hours(8 * 60, 9 * 60),)])
DAYS = st.sampled_from([(), (0,), (5, 6), (0, 1, 2, 3, 4)])
ANSWERS = st.sampled_from([{}, {"KIND": ("wall",)}, {"KIND": ("wall", "pole")}])
RULES = st.builds(
    Rule,
    department=st.sampled_from(["streets", "police", "desk"]),
    service=st.sampled_from(["", "lamp"]),
    answers=ANSWERS,
    area=st.sampled_from(["", "Harbour", "Pier"]),
    hours=SPANS,
    weekdays=DAYS,
    day=st.sampled_from(["", *DayKind]),
)
INSIDE = (
    Place(lat=60.05, long=24.05),
    Place(lat=60.15, long=24.15),
    Place(lat=60.5, long=24.5),
    Place(address="x"),
)
TIMES = [
    datetime(2026, 5, day, hour, 30, tzinfo=ZoneInfo("Europe/Helsinki"))
    for day in (1, 2, 4, 5)
    for hour in (3, 8, 13, 23)
]
"""A holiday, a Saturday, a Monday and a Tuesday."""


@given(st.lists(RULES, max_size=4))
@settings(max_examples=60)
def test_no_request_gets_a_route_that_can_never_fit(rules: list[Rule]) -> None:
    """If a fault says that a route can never fit, no request gets this route."""
    city = replace(CITY, rules=tuple(replace(rule, department=str(number)) for number, rule in enumerate(rules)))
    hidden = {int(fault.split()[2]) - 1 for fault in faults(*rules) if fault.startswith("route no.")}
    for service, place, at in product((LAMP, NOISE), INSIDE, TIMES):
        for kinds in ((), ("wall",), ("pole",)) if service is LAMP else ((),):
            answers = (Answer("KIND", kinds),) if kinds else ()
            asked = Draft(service=service, place=place, answers=answers, requested_at=at)
            department = city.route(asked).department
            assert not department.isdigit() or int(department) not in hidden
