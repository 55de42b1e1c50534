"""An act that concerns only staff changes nothing that the public sees, and is not in the change feed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient

from open311.domain import commands
from open311.domain.access import SHELL, Role
from open311.domain.commands import Command
from open311.domain.events import Assigned, Prioritised, replay
from open311.domain.requests import Priority, RequestRecord
from open311.operations.access.staff import add_account
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from tests import build

HOUR = timedelta(hours=1)


def give(platform: Platform, name: str, *orders: Command) -> RequestRecord:
    city = next(iter(platform.registry))
    return act(platform, city, name, orders, principal=SHELL, now=build.NOON + HOUR)


def feed(client: FlaskClient, cursor: str = "") -> tuple[list[dict[str, Any]], str]:
    answer = client.get(f"/open311/v2/changes.json?cursor={cursor}" if cursor else "/open311/v2/changes.json")
    return list(answer.json), answer.headers["X-Cursor"]


def add(platform: Platform, name: str) -> None:
    add_account(
        platform,
        name=name,
        role=Role.AGENT,
        jurisdiction_id="city.example",
        departments=(),
        principal=SHELL,
        now=build.NOON,
    )


def test_priority_and_assignment_change_no_public_time_and_are_not_in_the_feed(
    client: FlaskClient, platform: Platform
) -> None:
    add(platform, "ada")
    name = build.submit(platform).service_request_id
    before = client.get(f"/open311/v2/requests/{name}.json").json
    _, cursor = feed(client)
    give(platform, name, commands.Prioritise(priority=Priority.HIGH))
    record = give(platform, name, commands.Assign(account="ada"))
    assert client.get(f"/open311/v2/requests/{name}.json").json == before
    assert feed(client, cursor)[0] == []
    assert record.changed_at == build.NOON + HOUR
    assert replay(record, build.history(platform, record)) == record


def test_a_request_that_leaves_triage_by_an_assignment_is_a_public_change(platform: Platform) -> None:
    add(platform, "ada")
    name = build.store(platform, department="desk", is_triage=True).service_request_id
    assert give(platform, name, commands.Assign(account="ada")).updated_at == build.NOON + HOUR


def test_events_of_earlier_releases_still_change_the_public_time() -> None:
    before = build.record(build.city(), number=1)
    for event in (
        Prioritised(at=build.NOON + HOUR, old="normal", new="high"),
        Assigned(at=build.NOON + HOUR, old="", new="staff:3"),
    ):
        assert event.apply(before).updated_at == build.NOON + HOUR
