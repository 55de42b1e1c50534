"""Open requests move to the departments that a city's rules give them now, and nothing else moves."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from shapely import box

from open311.domain.access import SHELL
from open311.domain.commands import Acknowledge
from open311.domain.events import replay
from open311.domain.requests import RequestRecord, Status
from open311.formats.reading import open_source
from open311.jobs.dispatching import dispatch_all
from open311.operations.importing.batches import Import
from open311.operations.importing.processes import Processes
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import find_orphans, find_orphans_of_areas
from open311.operations.workflow.act import act
from open311.operations.workflow.reroute_requests import Rerouted, reroute_requests
from open311.plugins import Department, Draft, Hours, Jurisdiction, Rule
from schemas.values import format_instant
from tests import build
from tests.checked_client import platform_of

MakeApp = Callable[..., Flask]
LATER = build.NOON + timedelta(days=2)
PORT = Department("port", "Port")
HARBOUR = box(24.9, 60.1, 25.0, 60.2)
BEFORE = build.city(departments=(*build.city().departments, PORT))
IN_HARBOUR = Rule(department="port", service="potholes", area="Harbour")
AT_NOON = Rule(department="desk", service="potholes", hours=(Hours(11 * 60, 13 * 60),))


def reroute(platform: Platform, *, is_dry_run: bool = False) -> list[Rerouted]:
    city = next(iter(platform.registry))
    return list(reroute_requests(platform, city, now=LATER, actor="shell", is_dry_run=is_dry_run))


def moves(found: list[Rerouted]) -> list[tuple[str, str]]:
    """The former and the new department of each request that moves."""
    return [
        (move.request.department, move.route.department if move.route else move.request.department)
        for batch in found
        for move in batch.moves
    ]


def kept(found: list[Rerouted]) -> int:
    return sum(batch.kept for batch in found)


def post(platform: Platform, **fields: Any) -> RequestRecord:
    receipt = build.submit(platform, **fields)
    return build.load(platform, service_request_id=receipt.service_request_id)


def loaded(platform: Platform, record: RequestRecord) -> RequestRecord:
    return build.load(platform, number=record.number)


@pytest.fixture
def platform(make_app: MakeApp) -> Platform:
    """A server with the city as it was before its rules changed."""
    return platform_of(make_app(BEFORE))


@pytest.fixture
def after(make_app: MakeApp) -> Callable[..., Platform]:
    """The server after the city has changed."""
    return lambda **changes: platform_of(make_app(replace(BEFORE, **changes)))


@pytest.fixture(autouse=True)
def histories_are_right(platform: Platform) -> Iterator[None]:
    """After each test, check that a replay of each request's history gives the stored request."""
    yield
    with platform.database.reading() as connection:
        numbers = list(connection.exec_driver_sql("SELECT id FROM service_request").scalars())
    for number in numbers:
        record = build.load(platform, number=number)
        assert replay(record, build.history(platform, record)) == record


def test_without_a_changed_rule_no_request_is_rerouted(platform: Platform) -> None:
    post(platform)
    assert moves(reroute(platform)) == []


def test_a_dry_run_lists_the_moves_and_changes_nothing(platform: Platform, after: Callable[..., Platform]) -> None:
    record = post(platform)
    changed = after(rules=(AT_NOON,))
    assert moves(reroute(changed, is_dry_run=True)) == [("streets", "desk")]
    assert loaded(changed, record) == record


def test_a_changed_rule_moves_open_requests_by_their_own_time(
    platform: Platform, after: Callable[..., Platform]
) -> None:
    at_noon, at_night = post(platform), post(platform, now=build.NOON - timedelta(hours=10))
    closed = post(platform)
    build.change(platform, closed.service_request_id, status=Status.CLOSED, city=BEFORE)
    changed = after(rules=(AT_NOON,))
    assert moves(reroute(changed)) == [("streets", "desk")]
    moved = loaded(changed, at_noon)
    assert (moved.department, moved.route_reason) == ("desk", "service potholes, 11:00-13:00")
    assert [loaded(changed, other).department for other in (at_night, closed)] == ["streets", "streets"]
    assert moves(reroute(changed)) == [], "a second run finds nothing to do"
    events = build.history(changed, moved)[-2:]
    assert [(event.kind, event.actor, event.cause) for event in events] == [
        ("transferred", "shell", "rerouted"),
        ("routed", "shell", "rerouted"),
    ]


def test_the_public_sees_the_new_department(make_app: MakeApp, platform: Platform) -> None:
    record = post(platform)
    app = make_app(replace(BEFORE, rules=(AT_NOON,)))
    reroute(platform_of(app))
    url = f"/open311/v2/requests/{record.service_request_id}.json?extensions=true"
    (shown,) = app.test_client().get(url).json
    assert shown["agency_responsible"] == "Desk"
    assert [note["type"] for note in shown["notes"]] == ["received", "transferred"]


def test_a_request_that_a_person_has_transferred_is_not_rerouted(
    platform: Platform, after: Callable[..., Platform]
) -> None:
    record = post(platform)
    build.change(platform, record.service_request_id, department="parks", city=BEFORE)
    found = reroute(after(rules=(AT_NOON,)))
    assert (moves(found), kept(found)) == ([], 1)


def test_a_request_on_which_somebody_works_is_not_rerouted(
    platform: Platform, after: Callable[..., Platform]
) -> None:
    record = post(platform)
    act(platform, BEFORE, record.service_request_id, [Acknowledge()], principal=SHELL, now=build.NOON)
    found = reroute(after(rules=(AT_NOON,)))
    assert (moves(found), kept(found)) == ([], 1)


def test_requests_of_a_removed_department_move_even_if_a_person_chose_the_department(
    platform: Platform, after: Callable[..., Platform]
) -> None:
    record = post(platform)
    build.change(platform, record.service_request_id, department="port", city=BEFORE)
    dispatch_all(platform)
    changed = after(departments=build.city().departments)
    assert [orphans.requests for orphans in find_orphans(changed)] == [1]
    assert moves(reroute(changed)) == [("port", "streets")]
    dispatch_all(changed)
    assert find_orphans(changed) == []


def test_a_move_says_whether_the_request_loses_progress_and_assignee(
    platform: Platform, after: Callable[..., Platform]
) -> None:
    record = post(platform)
    build.change(platform, record.service_request_id, department="port", city=BEFORE)
    act(platform, BEFORE, record.service_request_id, [Acknowledge()], principal=SHELL, now=build.NOON)
    plain = post(platform)
    changed = after(departments=build.city().departments, rules=(AT_NOON,))
    found = {move.request.number: move for batch in reroute(changed, is_dry_run=True) for move in batch.moves}
    lost = {number: (move.is_begun, move.is_assigned, move.is_chosen) for number, move in found.items()}
    assert lost == {record.number: (True, False, True), plain.number: (False, False, False)}


def test_a_request_without_a_rule_waits_for_triage(platform: Platform, after: Callable[..., Platform]) -> None:
    record = post(platform)
    changed = after(services=(replace(build.HOLE, department=""), *BEFORE.services[1:]))
    assert moves(reroute(changed)) == [("streets", "desk")]
    assert loaded(changed, record).is_triage


def test_a_request_of_a_retired_service_moves_only_from_a_removed_department(
    platform: Platform, after: Callable[..., Platform]
) -> None:
    record = post(platform)
    assert moves(reroute(after(services=BEFORE.services[1:]))) == []
    changed = after(services=BEFORE.services[1:], departments=(*BEFORE.departments[1:],))
    assert moves(reroute(changed)) == [("streets", "desk")]
    assert loaded(changed, record).is_triage


def test_requests_leave_a_removed_area_and_its_route(make_app: MakeApp) -> None:
    before = replace(BEFORE, areas={"Harbour": HARBOUR, "Bay": HARBOUR}, rules=(IN_HARBOUR,))
    record = post(platform_of(make_app(before)))
    assert (record.department, record.areas) == ("port", ("Harbour", "Bay"))
    changed = platform_of(make_app(replace(BEFORE, areas={"Bay": HARBOUR})))
    assert len(find_orphans_of_areas(changed)) == 1
    assert moves(reroute(changed)) == [("port", "streets")]
    assert loaded(changed, record).areas == ("Bay",)
    assert find_orphans_of_areas(changed) == []


def test_rerouting_does_not_change_the_due_date(platform: Platform, after: Callable[..., Platform]) -> None:
    record = post(platform)
    build.change(platform, record.service_request_id, expected_at=LATER, city=BEFORE)
    changed = after(rules=(AT_NOON,))
    reroute(changed)
    assert loaded(changed, record).expected_at == LATER


def test_requests_of_test_keys_are_never_routed(platform: Platform, after: Callable[..., Platform]) -> None:
    build.submit(platform, key=build.api_key(platform, is_test=True))
    assert moves(reroute(after(rules=(AT_NOON,)))) == []


def import_rows(platform: Platform, *rows: dict[str, Any]) -> None:
    order = Import(jurisdiction=next(iter(platform.registry)), origin="file", now=build.NOON)
    common = {"service_code": "potholes", "status": "open", "lat": "60.17", "long": "24.94"}
    common["requested_datetime"] = format_instant(build.NOON)
    body = json.dumps([common | row for row in rows]).encode()
    with Processes(platform, 1) as processes:
        list(processes.import_source(open_source(io.BytesIO(body)), order))


def test_an_imported_request_stays_with_the_department_that_its_source_names(
    platform: Platform, after: Callable[..., Platform]
) -> None:
    named = {"service_request_id": "F1", "agency_responsible": "Streets"}
    import_rows(platform, named, {"service_request_id": "F2", "agency_responsible": "Works"})
    changed = after(rules=(AT_NOON,))
    found = reroute(changed)
    assert (moves(found), kept(found)) == ([("streets", "desk")], 1)
    assert build.load(changed, service_request_id="F1").department == "streets"
    assert build.load(changed, service_request_id="F2").department == "desk"


class Failing(Jurisdiction):
    """A city whose hook fails."""

    def department_for(self, draft: Draft) -> str | None:
        raise ZeroDivisionError


def test_no_request_is_rerouted_while_the_citys_python_fails(make_app: MakeApp, platform: Platform) -> None:
    post(platform)
    failing = platform_of(make_app(build.city(Failing, departments=BEFORE.departments)))
    found = reroute(failing)
    assert (moves(found), sum(batch.failed for batch in found)) == ([], 1)
