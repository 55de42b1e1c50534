"""A city's own names for states, and the texts that its citizens read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.commands import Command
from open311.domain.places import Place
from open311.domain.requests import RequestRecord
from open311.domain.workflow import CitizenText, CityState, Outcome, State
from open311.errors import Conflict, Invalid, Misconfigured
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from open311.operations.workflow.texts import text_for
from open311.plugins import Translation, declared
from open311.plugins.rule_faults import find_remarks
from tests import build
from tests.checked_client import platform_of

STATES = (
    CityState(state=State.ACKNOWLEDGED, name="Seen"),
    CityState(state=State.ON_HOLD, code="parts", name="Waiting for parts"),
    CityState(state=State.ON_HOLD, code="weather", name="Waiting for dry weather"),
    CityState(state=State.SCHEDULED, hidden=True),
)
TEXTS = (
    CitizenText(outcome="fixed", text="{service}: done on {date} by {department}."),
    CitizenText(outcome="fixed", service="trees", text="The tree at {address} is cut."),
)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(build.city(states=STATES, texts=TEXTS))


@pytest.fixture
def platform(app: Flask) -> Platform:
    return platform_of(app)


def give(platform: Platform, name: str, *orders: Command) -> RequestRecord:
    return act(platform, next(iter(platform.registry)), name, orders, principal=SHELL, now=utc_now())


def detailed_status(app: Flask, name: str) -> str:
    shown = app.test_client().get(f"/open311/v2/requests/{name}.json?extensions=true").json
    assert shown is not None
    return str(shown[0]["extended_attributes"]["detailed_status"])


def test_the_public_reads_the_citys_names_of_states(app: Flask, platform: Platform) -> None:
    name = build.submit(platform, now=utc_now()).service_request_id
    assert detailed_status(app, name) == "None", "a new request has only the status open"
    give(platform, name, commands.Acknowledge())
    assert detailed_status(app, name) == "Seen"
    give(platform, name, commands.Start())
    assert detailed_status(app, name) == "in_progress"
    give(platform, name, commands.Hold(detail="parts", reason="No lamps left."))
    assert detailed_status(app, name) == "Waiting for parts"
    since = build.load(platform, service_request_id=name).held_since
    held = give(platform, name, commands.Hold(detail="weather", reason="Rain."))
    assert detailed_status(app, name) == "Waiting for dry weather"
    assert held.held_since == since, "the clock stands still since the first hold"
    give(platform, name, commands.Close(outcome=Outcome.FIXED))
    assert detailed_status(app, name) == "None"


def test_states_that_the_city_does_not_have_are_refused(platform: Platform) -> None:
    name = build.submit(platform, now=utc_now()).service_request_id
    with pytest.raises(Invalid, match="no state of the city's own within on_hold; use one of parts, weather"):
        give(platform, name, commands.Hold(detail="moon", reason="x"))
    with pytest.raises(Invalid, match="no state of the city's own within in_progress; the city has none"):
        give(platform, name, commands.Start(detail="parts"))
    with pytest.raises(Invalid, match="Testville does not use the state scheduled"):
        give(platform, name, commands.Schedule(visit=utc_now()))
    give(platform, name, commands.Hold(detail="parts", reason="x"))
    with pytest.raises(Conflict, match="is on_hold"):
        give(platform, name, commands.Hold(detail="parts", reason="x"))


def test_the_text_for_the_service_overrides_the_general_text_and_names_are_filled_in(platform: Platform) -> None:
    city = next(iter(platform.registry))
    hole = build.record(city, number=1, department="streets")
    tree = build.record(city, number=2, service_code="trees", place=Place(address="5 Mill Lane"))
    assert text_for(city, hole, Outcome.FIXED, build.NOON) == "Pothole: done on 2026-03-01 by Streets."
    assert text_for(city, tree, Outcome.FIXED, build.NOON).startswith("The tree at ")
    assert text_for(city, hole, "merged", build.NOON, into="R7").startswith("We handle this together with R7")
    for outcome in (*Outcome, "merged"):
        assert text_for(city, hole, outcome, build.NOON)


def test_a_text_with_an_address_is_not_used_for_a_request_without_one() -> None:
    at = CitizenText(outcome="fixed", service="trees", text="The tree at {address} is cut.")
    plain = CitizenText(outcome="fixed", service="trees", text="The tree is cut.")
    general = CitizenText(outcome="fixed", text="Done by {department}.")
    tree = build.record(build.city(), number=2, service_code="trees", department="parks")
    there = replace(tree, place=replace(tree.place, address="5 Mill Lane"))

    def public_text(record: RequestRecord, *texts: CitizenText) -> str:
        return text_for(build.city(texts=texts), record, Outcome.FIXED, build.NOON)

    assert public_text(there, at, plain, general) == "The tree at 5 Mill Lane is cut."
    assert public_text(tree, at, plain, general) == "The tree is cut."
    assert public_text(tree, at, general) == "Done by Parks."
    assert public_text(tree, at) == "The problem is fixed."


def test_a_text_that_names_another_request_is_not_used_where_there_is_none_to_name() -> None:
    texts = (CitizenText(outcome="duplicate", text="Together with {into}."),)
    public_text = text_for(build.city(texts=texts), build.record(build.city(), number=1), "duplicate", build.NOON)
    assert public_text == "We handle this together with another report about the same thing."


def test_the_check_of_a_city_names_texts_that_only_fit_requests_with_an_address() -> None:
    at = CitizenText(outcome="fixed", text="The problem at {address} is fixed.")
    plain = CitizenText(outcome="fixed", text="Fixed.")
    (remark,) = find_remarks(build.city(texts=(at,)))
    assert "the text for fixed holds {address}; citizens read the server's own text" in remark
    assert list(find_remarks(build.city(texts=(at, plain)))) == []
    spanish = Translation(texts=(at,))
    (remark,) = find_remarks(build.city(languages=("en", "es"), translations={"es": spanish}))
    assert remark.startswith("languages/es.toml")


@pytest.mark.parametrize(
    ("first", "asked", "public_text"),
    [
        ("en", "", "The problem is fixed."),
        ("es", "", "El problema está resuelto."),
        ("es-MX", "", "El problema está resuelto."),
        ("es", "en", "The problem is fixed."),
        ("en", "es", "El problema está resuelto."),
        ("es", "fi", "El problema está resuelto."),
        ("fi", "", "The problem is fixed."),
    ],
)
def test_the_servers_own_texts_are_in_the_citys_language(first: str, asked: str, public_text: str) -> None:
    city = build.city(languages=(first,))
    hole = build.record(city, number=1)
    assert text_for(city, hole, Outcome.FIXED, build.NOON, language=asked) == public_text


def test_without_a_text_of_a_spanish_city_citizens_read_the_servers_spanish_text() -> None:
    city = build.city(languages=("es",), texts=(CitizenText(outcome="fixed", text="Listo."),))
    hole = build.record(city, number=1)
    assert text_for(city, hole, Outcome.FIXED, build.NOON) == "Listo."
    assert text_for(city, hole, "merged", build.NOON, into="R7").startswith("Atendemos este reporte junto con R7,")


def write(folder: Path, more: str) -> Path:
    (folder / "jurisdiction.toml").write_text(
        dedent(
            """
            id = "town.example"
            name = "Town"
            time_zone = "UTC"
            triage = "desk"
            [[departments]]
            code = "desk"
            name = "Desk"
            [[services]]
            code = "potholes"
            name = "Pothole"
            """
        )
        + dedent(more)
    )
    return folder


def test_states_and_texts_are_read_from_the_citys_file(tmp_path: Path) -> None:
    city = declared.load(
        write(
            tmp_path,
            """
            [[states]]
            state = "on_hold"
            code = "parts"
            name = "Waiting for parts"
            [[texts]]
            outcome = "fixed"
            text = "Done on {date}."
            """,
        )
    )
    assert city.states == (CityState(state=State.ON_HOLD, code="parts", name="Waiting for parts"),)
    assert city.texts == (CitizenText(outcome="fixed", text="Done on {date}."),)


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (
            '[[states]]\nstate = "closed"\ncode = "x"',
            "must be one of acknowledged, in_progress, on_hold",
        ),
        ('[[states]]\nstate = "received"\nhidden = true', "must be one of acknowledged"),
        ('[[states]]\nstate = "on_hold"\ncode = "x"\nhidden = true', "leave out `code`"),
        ('[[states]]\nstate = "asleep"', "must be one of received"),
        ('[[texts]]\noutcome = "fixed"\ntext = "{who}"', r"holds \{who\}; use some of \{department\}"),
        ('[[texts]]\noutcome = "fixed"\ntext = "{date.year}"', "holds"),
        ('[[texts]]\noutcome = "fixed"\ntext = "{date!r}"', "holds"),
        ('[[texts]]\noutcome = "fixed"\ntext = "{"', "a brace that is not closed"),
        ('[[texts]]\noutcome = "fixed"\ntext = " "', "citizens would read nothing"),
        ('[[texts]]\noutcome = "gone"\ntext = "x"', "must be one of fixed"),
    ],
)
def test_faulty_states_and_texts_are_refused_with_the_cure(tmp_path: Path, lines: str, match: str) -> None:
    with pytest.raises(Misconfigured, match=match):
        declared.load(write(tmp_path, lines))
