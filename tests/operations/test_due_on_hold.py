"""Time on hold moves the due date of a request. A date that a person has promised stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from open311.cli.staff_view import lines_of
from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.commands import Command
from open311.domain.events import ProgressMade, StatusChanged
from open311.domain.requests import RequestRecord
from open311.domain.service_levels import read_service_level
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from open311.operations.workflow.due_dates import pauses
from open311.operations.workflow.read_request import read_request
from tests import build
from tests.checked_client import platform_of

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def platform(make_app: Callable[..., Flask]) -> Platform:
    """A city that mends holes within four days and cuts trees within ten."""
    hole, tree, *others = build.city().services
    services = (_due_in(hole, "4 days"), _due_in(tree, "10 days"), *others)
    return platform_of(make_app(build.city(services=services)))


@pytest.fixture
def by_department(make_app: Callable[..., Flask]) -> Platform:
    """A city whose departments have service levels: Streets two days, Parks nine, the desk none."""
    levels = {"streets": "2 days", "parks": "9 days"}
    departments = tuple(
        replace(one, service_level=read_service_level(levels[one.code]) if one.code in levels else None)
        for one in build.city().departments
    )
    return platform_of(make_app(build.city(departments=departments)))


def _due_in(service: Any, level: str) -> Any:
    return replace(service, service_level=read_service_level(level))


def give(platform: Platform, name: str, after: timedelta, *orders: Command) -> RequestRecord:
    city = next(iter(platform.registry))
    return act(platform, city, name, orders, principal=SHELL, now=build.NOON + after)


def due(days: float) -> datetime:
    return build.NOON + days * DAY


def test_a_hold_moves_the_due_date_by_its_length(platform: Platform) -> None:
    name = build.submit(platform).service_request_id
    assert build.load(platform, service_request_id=name).expected_at == due(4)
    assert give(platform, name, HOUR, commands.Hold(reason="No asphalt.")).expected_at == due(4)
    assert give(platform, name, HOUR + 2 * DAY, commands.Start()).expected_at == due(6)
    give(platform, name, HOUR + 3 * DAY, commands.Hold(reason="Rain."))
    assert give(platform, name, HOUR + 4 * DAY, commands.Start()).expected_at == due(7)


def test_a_hold_does_not_move_a_due_date_that_a_person_has_promised(platform: Platform) -> None:
    name = build.submit(platform).service_request_id
    give(platform, name, HOUR, commands.Reschedule(expected=due(20), reason="The bridge is closed."))
    give(platform, name, HOUR, commands.Hold(reason="Rain."))
    assert give(platform, name, 5 * DAY, commands.Start()).expected_at == due(20)


def test_another_service_has_another_due_date(platform: Platform) -> None:
    name = build.submit(platform).service_request_id
    moved = give(platform, name, DAY, commands.ChangeService(service_code="trees"))
    assert moved.expected_at == due(10)


def test_a_hold_that_ends_with_a_closing_is_a_pause_too() -> None:
    held = ProgressMade(at=build.NOON, old="", new="on_hold")
    closed = StatusChanged(at=build.NOON + DAY, old="open", new="closed")
    again = ProgressMade(at=build.NOON + 2 * DAY, old="", new="on_hold")
    assert pauses([held, closed, again]) == [(build.NOON, build.NOON + DAY), (build.NOON + 2 * DAY, None)]


def test_a_request_from_triage_gets_the_due_date_of_its_new_department(by_department: Platform) -> None:
    name = build.store(by_department, department="desk", is_triage=True).service_request_id
    assert build.load(by_department, service_request_id=name).expected_at is None
    moved = give(by_department, name, DAY, commands.Transfer(department="parks", reason="A tree."))
    assert moved.expected_at == due(9), "from the time when it was received"
    (event,) = [event for event in build.history(by_department, moved) if event.kind == "expected"]
    assert event.reason == "department parks: 9 days"


def test_a_transfer_moves_the_due_date_as_a_change_of_service_does(by_department: Platform) -> None:
    name = build.submit(by_department).service_request_id
    assert give(by_department, name, DAY, commands.Transfer(department="parks")).expected_at == due(9)
    assert give(by_department, name, DAY, commands.Transfer(department="desk")).expected_at == due(9), (
        "the desk has no service level"
    )
    give(by_department, name, DAY, commands.Reschedule(expected=due(20), reason="Promised."))
    assert give(by_department, name, DAY, commands.Transfer(department="streets")).expected_at == due(20)


def test_the_history_says_which_service_level_gives_the_due_date(platform: Platform) -> None:
    name = build.submit(platform).service_request_id
    moved = give(platform, name, DAY, commands.ChangeService(service_code="trees"))
    reasons = [event.reason for event in build.history(platform, moved) if event.kind == "expected"]
    assert reasons == ["service potholes: 4 days", "service trees: 10 days"]


@pytest.mark.parametrize(
    ("after", "shown"),
    [
        (DAY, ""),
        (4 * DAY + 5 * HOUR, ", overdue for 5 hours"),
        (7 * DAY, ", overdue for 3 days"),
    ],
)
def test_the_shell_shows_when_a_request_is_due_and_why(platform: Platform, after: timedelta, shown: str) -> None:
    name = build.submit(platform).service_request_id
    view = read_request(platform, next(iter(platform.registry)), name)
    lines = list(lines_of(view, {}, build.NOON + after, asks_for_reporter=False))
    assert f"due          2026-03-05T12:00:00Z{shown}, service potholes: 4 days" in lines
