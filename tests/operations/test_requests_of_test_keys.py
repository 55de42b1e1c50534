"""Requests of test keys reach no department: they wait in no queue, and no command gives them to anybody."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL, Role
from open311.domain.services import Service
from open311.errors import Conflict
from open311.operations.platform import Platform
from open311.operations.workflow.act import act, allowed_commands
from tests import build
from tests.checked_client import platform_of
from tests.desk import Desk


@pytest.fixture
def trial(platform: Platform) -> str:
    """The id of a request of a test key."""
    key = build.api_key(platform, is_test=True)
    return build.submit(platform, key=key, now=utc_now(), description="trial trial").service_request_id


@pytest.fixture
def desk(client: FlaskClient, platform: Platform) -> Desk:
    """A dispatcher."""
    return Desk.of(client, platform, "ada", Role.DISPATCHER)


def test_no_queue_and_no_count_has_requests_of_test_keys(desk: Desk, platform: Platform, trial: str) -> None:
    hole = build.submit(platform, now=utc_now()).service_request_id
    near = "/requests/nearby?lat=60.1718&long=24.9414"
    assert desk.ids() == [hole]
    assert desk.ids("state=received") == desk.ids("q=trial") == desk.ids("state=closed") == []
    assert [one["service_request_id"] for one in desk.get(near).json["requests"]] == [hole]
    assert [one["open"] for one in desk.get("/queues").json["queues"] if not one["department"]] == []
    order = {"command": "close", "arguments": {"outcome": "fixed"}, "filters": {}}
    assert len(desk.post("/bulk", order).json["results"]) == 1


def test_staff_find_requests_of_test_keys_with_test_true(desk: Desk, trial: str) -> None:
    assert desk.ids("test=true") == desk.ids(f"id={trial}") == desk.ids("test=true&q=trial") == [trial]
    assert desk.post(f"/requests/{trial}/close", {"outcome": "fixed"}).status_code == 200
    assert desk.ids("state=closed") == []
    assert desk.ids("state=closed&test=true") == [trial]


@pytest.mark.parametrize(
    "order",
    [
        commands.Transfer(department="parks"),
        commands.Assign(account="ada"),
        commands.Merge(into="?"),
        commands.Show(),
    ],
)
def test_no_command_gives_a_request_of_a_test_key_to_anybody(
    desk: Desk, platform: Platform, trial: str, order: commands.Command
) -> None:
    city = next(iter(platform.registry))
    with pytest.raises(Conflict):
        act(platform, city, trial, [order], principal=SHELL, now=build.NOON)
    record = build.load(platform, service_request_id=trial)
    assert order.name not in allowed_commands(record, SHELL, city)


def test_no_real_request_is_merged_into_one_of_a_test_key(desk: Desk, platform: Platform, trial: str) -> None:
    hole = build.submit(platform).service_request_id
    answer = desk.post(f"/requests/{hole}/merge", {"into": trial})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (409, "into")


def test_a_change_of_service_gives_a_request_of_a_test_key_to_no_department(desk: Desk, trial: str) -> None:
    answer = desk.post(f"/requests/{trial}/change_service", {"service_code": "graffiti"})
    assert (answer.status_code, answer.json["department"]) == (200, None)


def test_a_request_of_a_test_key_to_a_private_service_waits_in_no_queue_either(
    make_app: Callable[..., Flask],
) -> None:
    health = Service(code="health", name="Health", department="desk", public=False)
    app = make_app(build.city(services=(health,)))
    platform = platform_of(app)
    desk = Desk.of(app.test_client(), platform, city="test.example")
    key = build.api_key(platform, is_test=True)
    build.submit(platform, key=key, service_code="health")
    build.submit(platform, service_code="health")
    assert len(desk.get("/requests").json["requests"]) == 1
    assert len(desk.get("/requests?test=true").json["requests"]) == 1
