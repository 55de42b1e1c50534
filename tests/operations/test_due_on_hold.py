"""The clock of a due date stands still on hold, and what a person has promised stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.commands import Command
from open311.domain.events import ProgressMade, StatusChanged
from open311.domain.requests import RequestRecord
from open311.domain.service_levels import read_service_level
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from open311.operations.workflow.due_dates import pauses
from tests import build
from tests.conftest import platform_of

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def platform(make_app: Callable[..., Flask]) -> Platform:
    """A city that mends holes within four days and cuts trees within ten."""
    hole, tree, *others = build.city().services
    services = (_due_in(hole, "4 days"), _due_in(tree, "10 days"), *others)
    return platform_of(make_app(build.city(services=services)))


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


def test_a_date_that_a_person_has_promised_stays(platform: Platform) -> None:
    name = build.submit(platform).service_request_id
    give(platform, name, HOUR, commands.Reschedule(expected=due(20), reason="The bridge is closed."))
    give(platform, name, HOUR, commands.Hold(reason="Rain."))
    assert give(platform, name, 5 * DAY, commands.Start()).expected_at == due(20)


def test_another_service_has_another_due_date(platform: Platform) -> None:
    name = build.submit(platform).service_request_id
    moved = give(platform, name, DAY, commands.ChangeService(service_code="trees"))
    assert moved.expected_at == due(10)


def test_a_hold_that_a_closing_ends_is_a_pause_too() -> None:
    held = ProgressMade(at=build.NOON, old="", new="on_hold")
    closed = StatusChanged(at=build.NOON + DAY, old="open", new="closed")
    again = ProgressMade(at=build.NOON + 2 * DAY, old="", new="on_hold")
    assert pauses([held, closed, again]) == [(build.NOON, build.NOON + DAY), (build.NOON + 2 * DAY, None)]
