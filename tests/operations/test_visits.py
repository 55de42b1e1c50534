"""Visits: what citizens read about them, and dates that cannot be right."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.commands import Command
from open311.domain.requests import RequestRecord
from open311.errors import Invalid
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from tests import build

DAY = timedelta(days=1)


def give(platform: Platform, name: str, *orders: Command) -> RequestRecord:
    city = next(iter(platform.registry))
    return act(platform, city, name, orders, principal=SHELL, now=build.NOON)


def test_citizens_read_about_a_planned_visit_and_its_new_date(platform: Platform) -> None:
    name = build.submit(platform).service_request_id
    planned = give(platform, name, commands.Schedule(visit=build.NOON + DAY))
    assert planned.status_notes == "A visit is planned for 2026-03-02."
    moved = give(platform, name, commands.Reschedule(visit=build.NOON + 3 * DAY, reason="Rain."))
    assert moved.status_notes == "A visit is planned for 2026-03-04."


def test_the_date_of_a_visit_follows_the_time_zone_of_the_city(platform: Platform) -> None:
    name = build.submit(platform).service_request_id
    late = build.NOON + timedelta(hours=10, minutes=30)  # half past midnight in Demoville, UTC+2
    assert give(platform, name, commands.Schedule(visit=late)).status_notes.endswith("for 2026-03-02.")


@pytest.mark.parametrize("visit", [build.NOON - DAY, build.NOON, build.NOON - timedelta(seconds=1)])
def test_a_visit_in_the_past_is_refused_and_the_error_has_the_time_that_was_read(
    platform: Platform, visit: datetime
) -> None:
    name = build.submit(platform).service_request_id
    with pytest.raises(
        Invalid, match=r"2026-0\d-\d\dT1[34]:\d\d\+02:00 is in the past; send a date and time to come"
    ):
        give(platform, name, commands.Schedule(visit=visit))
    give(platform, name, commands.Schedule(visit=build.NOON + DAY))
    with pytest.raises(Invalid, match="is in the past"):
        give(platform, name, commands.Reschedule(visit=visit, reason="x"))
