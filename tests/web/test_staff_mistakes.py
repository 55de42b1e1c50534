"""Mistakes of staff, clients and back offices: each gets a clear error, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL, Role
from open311.domain.events import replay
from open311.operations.access.api_keys import add_key
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from schemas.values import format_instant
from tests import build
from tests.checked_client import platform_of
from tests.desk import Desk


@pytest.fixture
def desk(client: FlaskClient, platform: Platform) -> Desk:
    """A dispatcher."""
    return Desk.of(client, platform, "ada", Role.DISPATCHER)


@pytest.fixture
def hole(platform: Platform) -> str:
    """The id of a request."""
    return build.submit(platform, now=utc_now()).service_request_id


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/requests/{id}/note", '{"text": "a", "text": "b"}', "text"),
        ("/requests/{id}/close", '{"outcome": "fixed", "note": "x", "note": "x"}', "note"),
        ("/bulk", '{"command": "start", "ids": ["1"], "dry_run": true, "dry_run": false}', "dry_run"),
        ("/bulk", '{"command": "hold", "arguments": {"reason": "a", "reason": "b"}, "ids": []}', "reason"),
    ],
)
def test_a_member_that_is_sent_twice_is_refused(desk: Desk, hole: str, path: str, body: str, field: str) -> None:
    answer = desk.call("POST", path.format(id=hole), data=body, content_type="application/json")
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, field)
    assert "twice" in answer.json["detail"]


@pytest.mark.parametrize(
    ("command", "body", "field"),
    [
        ("schedule", {"visit": "2020-01-01T00:00:00Z"}, "visit"),
        ("schedule", {"visit": "9999-01-01T00:00:00Z"}, "visit"),
        ("reschedule", {"expected": "2020-01-01", "reason": "x"}, "expected"),
        ("reschedule", {"expected": "9999-01-01", "reason": "x"}, "expected"),
    ],
)
def test_dates_in_the_past_or_in_the_year_9999_are_refused(
    desk: Desk, hole: str, command: str, body: dict[str, Any], field: str
) -> None:
    answer = desk.post(f"/requests/{hole}/{command}", body)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, field)


@pytest.mark.parametrize("tag", ['W/"v1"', '"v01"', '"v-1"'])
def test_an_if_match_other_than_the_exact_etag_gets_400(desk: Desk, hole: str, tag: str) -> None:
    assert desk.post(f"/requests/{hole}/start", headers={"If-Match": tag}).status_code == 400


def test_a_merge_raises_the_version_of_the_other_request_too(desk: Desk, platform: Platform, hole: str) -> None:
    child = build.submit(platform).service_request_id
    assert desk.post(f"/requests/{child}/merge", {"into": hole}).status_code == 200
    late = desk.post(f"/requests/{hole}/close", {"outcome": "fixed"}, headers={"If-Match": '"v1"'})
    assert late.status_code == 409
    assert f"{child} was merged into this request." in late.json["detail"]
    record = build.load(platform, service_request_id=hole)
    assert replay(record, build.history(platform, record)) == record


def test_a_correction_leaves_no_request_without_a_place(desk: Desk, platform: Platform) -> None:
    name = build.submit(platform, lat="", long="", address_string="5 Mill Lane").service_request_id
    for address in ("", "  "):
        answer = desk.post(f"/requests/{name}/correct", {"address": address, "reason": "x"})
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "address")
    both = {"address": "", "lat": 60.18, "long": 24.95, "reason": "x"}
    assert desk.post(f"/requests/{name}/correct", both).status_code == 200


def test_an_idempotency_key_is_for_one_update(client: FlaskClient, platform: Platform, hole: str) -> None:
    _, secret = add_key(platform, label="back office", may_update=True, now=utc_now())

    def send(**fields: str) -> int:
        form = {
            "api_key": secret,
            "service_request_id": hole,
            "update_id": "1",
            "status": "OPEN",
            "updated_datetime": format_instant(build.NOON),
            "description": "Seen.",
        }
        headers = {"Idempotency-Key": "k1"}
        return client.post(
            "/open311/v2/servicerequestupdates.json", data=form | fields, headers=headers
        ).status_code

    assert [send(), send(), send(update_id="2"), send(description="Else.")] == [200, 200, 400, 400]
    assert build.load(platform, service_request_id=hole).version == 2


@pytest.fixture
def town(make_app: Callable[..., Flask]) -> Flask:
    """A city with a service that is not offered any more."""
    old = replace(build.TREE, code="stumps", active=False)
    return make_app(build.city(services=(*build.city().services, old)))


def test_a_request_of_a_blackbox_service_gets_an_id_when_it_moves_to_a_realtime_service(town: Flask) -> None:
    platform = platform_of(town)
    city = next(iter(platform.registry))
    build.submit(platform, service_code="hotline", now=utc_now())
    desk = Desk.of(town.test_client(), platform, city="test.example")
    (item,) = desk.get("/requests").json["requests"]
    assert item["service_request_id"] is None
    record = act(
        platform,
        city,
        item["number"],
        [commands.ChangeService(service_code="potholes")],
        principal=SHELL,
        now=utc_now(),
    )
    assert record.service_notice == "Seen within a day."
    assert replay(record, build.history(platform, record)) == record
    public = town.test_client().get(f"/open311/v2/requests/{record.service_request_id}.json")
    assert (public.status_code, public.json[0]["service_code"]) == (200, "potholes")


def test_no_request_is_moved_to_a_service_that_the_city_has_ended(town: Flask) -> None:
    platform = platform_of(town)
    name = build.submit(platform).service_request_id
    desk = Desk.of(town.test_client(), platform, city="test.example")
    answer = desk.post(f"/requests/{name}/change_service", {"service_code": "stumps"})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "service_code")


def test_requests_of_a_department_that_the_city_has_given_up_can_be_listed(desk: Desk, platform: Platform) -> None:
    build.store(platform, service_request_id="R1", department="canals")
    dispatch(platform, build.NOON)
    assert desk.ids("department=canals") == ["R1"]
    assert desk.get("/requests?department=moon").status_code == 400
