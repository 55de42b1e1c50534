"""What people see and decide about deliveries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from open311.domain.access import SHELL, Principal, Role, Scope
from open311.domain.deliveries import Delivery, DeliverySearch, DeliveryState
from open311.domain.requests import Reporter, Visibility
from open311.errors import Conflict, Forbidden, Invalid, NotFound
from open311.operations.delivery.managing import (
    Decision,
    decide,
    find_all,
    find_deliveries,
    read_delivery,
)
from open311.operations.delivery.replanning import Missing, replan
from open311.operations.delivery.trying import check_backend, find_backend, preview
from open311.operations.desk.whole_request import read_whole_request
from open311.operations.platform import Platform
from open311.plugins import Destination
from open311.settings import Settings
from open311.storage import audit, deliveries, external_ids
from open311.storage.deliveries import Listed
from tests import build, world
from tests.delivering import Clock, run, served, states, stored


@pytest.fixture
def platform(settings: Settings, neighbour: world.Neighbour) -> Iterator[Platform]:
    platform = served(settings, neighbour)
    yield platform
    platform.close()


def uncertain(platform: Platform, neighbour: world.Neighbour) -> Delivery:
    """A delivery whose answer was lost at a server that cannot be asked."""
    neighbour.fault(world.fault("lose_answer", on="POST requests"))
    build.submit(platform)
    run(platform)
    [one] = stored(platform)
    assert one.state is DeliveryState.UNCERTAIN
    return one


def parked(platform: Platform, neighbour: world.Neighbour) -> Delivery:
    """A delivery that the back office has refused."""
    neighbour.retire_service("potholes")
    build.submit(platform)
    run(platform)
    [one] = stored(platform)
    assert one.state is DeliveryState.PARKED
    return one


def decided(platform: Platform, one: Delivery, command: str, principal: Principal = SHELL, **more: Any) -> Delivery:
    """The delivery after a decision."""
    (city,) = platform.registry
    decision = Decision(command=command, reason=more.pop("reason", "It has to be."), **more)
    return decide(platform, city, one.id, decision, principal=principal, now=build.NOON)


def search(**changes: Any) -> DeliverySearch:
    return DeliverySearch(jurisdiction_id="test.example", **changes)


def ids_in(found: Iterable[Listed]) -> list[int]:
    return [one.delivery.id for one in found]


def dispatcher(*departments: str, role: Role = Role.DISPATCHER, city: str = "test.example") -> Principal:
    return Principal(kind="staff", number=3, role=role, scope=Scope(city, frozenset(departments)))


# --- Decisions


def test_a_parked_delivery_is_sent_after_a_retry(platform: Platform, neighbour: world.Neighbour) -> None:
    one = parked(platform, neighbour)
    neighbour.add_service("potholes")
    after = decided(platform, one, "retry")
    assert (after.state, after.attempts, after.cause) == (DeliveryState.WAITING, 0, "")
    run(platform)
    assert states(platform) == ["done"]
    assert len(neighbour.accepted) == 1


def test_an_uncertain_delivery_is_sent_again_only_if_the_risk_is_accepted(
    platform: Platform, neighbour: world.Neighbour
) -> None:
    one = uncertain(platform, neighbour)
    with pytest.raises(Conflict, match="may double it"):
        decided(platform, one, "retry")
    assert states(platform) == ["uncertain"]
    decided(platform, one, "retry", accepts_risk=True)
    run(platform)
    assert states(platform) == ["done"]


def test_an_uncertain_delivery_stays_uncertain_while_it_is_parked(
    platform: Platform, neighbour: world.Neighbour
) -> None:
    one = uncertain(platform, neighbour)
    decided(platform, one, "park")
    (city,) = platform.registry
    view = read_delivery(platform, city, one.id, principal=SHELL, now=build.NOON)
    assert "may double it" in str(view.risk)
    with pytest.raises(Conflict, match="may double it"):
        decided(platform, one, "retry")
    run(platform)
    assert (states(platform), len(neighbour.accepted)) == (["parked"], 1)
    decided(platform, one, "retry", accepts_risk=True)
    run(platform)
    assert states(platform) == ["done"]


def test_the_delivery_of_a_dead_worker_is_uncertain_once_it_is_parked(
    platform: Platform, neighbour: world.Neighbour
) -> None:
    one = parked(platform, neighbour)
    with platform.database.transaction() as connection:
        deliveries.save(connection, replace(one, state=DeliveryState.SENDING, due_at=build.NOON))
    decided(platform, one, "park")
    with pytest.raises(Conflict, match="may double it"):
        decided(platform, one, "retry")


def test_a_request_that_was_found_in_the_back_office_gets_its_id(
    platform: Platform, neighbour: world.Neighbour
) -> None:
    one = uncertain(platform, neighbour)
    [filed] = neighbour.accepted
    after = decided(platform, one, "skip", external_id=filed.service_request_id)
    assert after.state is DeliveryState.DONE
    with platform.database.reading() as connection:
        assert external_ids.ids_of(connection, "test.example", one.number) == {"works": filed.service_request_id}
    [receipt_id] = [build.load(platform, number=one.number).service_request_id]
    build.change(platform, receipt_id, status="closed", note="Filled.")
    run(platform)
    assert [update.service_request_id for update in neighbour.received] == [filed.service_request_id]


def test_an_id_that_another_request_has_is_refused(platform: Platform, neighbour: world.Neighbour) -> None:
    build.submit(platform)
    run(platform)
    neighbour.fault(world.fault("lose_answer", on="POST requests"))
    build.submit(platform)
    run(platform)
    one = next(each for each in stored(platform) if each.state is DeliveryState.UNCERTAIN)
    with pytest.raises(Conflict, match="another request"):
        decided(platform, one, "skip", external_id=neighbour.accepted[0].service_request_id)
    assert sorted(states(platform)) == ["done", "uncertain"]


def test_later_changes_wait_for_a_parked_delivery_and_follow_a_skipped_one(
    platform: Platform, neighbour: world.Neighbour
) -> None:
    request_id = build.submit(platform).service_request_id
    run(platform)
    neighbour.down()
    build.change(platform, request_id, note="Seen.")
    build.change(platform, request_id, status="closed", note="Filled.")
    clock = Clock()
    run(platform, clock)
    _, first, second = stored(platform)
    decided(platform, first, "park")
    neighbour.up()
    clock.later(hours=2)
    run(platform, clock)
    assert states(platform) == ["done", "parked", "waiting"]
    (city,) = platform.registry
    view = read_delivery(platform, city, second.id, principal=SHELL, now=clock())
    assert view.waits_for == first.id
    decided(platform, first, "skip")
    run(platform, clock)
    assert states(platform) == ["done", "skipped", "done"]
    assert [update.status.lower() for update in neighbour.received] == ["closed"]


def test_a_decision_needs_a_reason_which_the_audit_trail_keeps(
    platform: Platform, neighbour: world.Neighbour
) -> None:
    one = parked(platform, neighbour)
    with pytest.raises(Invalid, match="give a reason"):
        decided(platform, one, "skip", reason=" \n")
    decided(platform, one, "skip", reason="Sent by phone.")
    with platform.database.reading() as connection:
        [entry] = audit.list_entries(connection, "test.example", about=[f"delivery:{one.id}"])
    assert (entry.act, entry.actor, entry.reason) == ("delivery.skip", "shell", "Sent by phone.")


@pytest.mark.parametrize("command", ["retry", "park", "skip"])
def test_no_decision_changes_a_delivery_that_has_ended(platform: Platform, command: str) -> None:
    build.submit(platform)
    run(platform)
    [one] = stored(platform)
    with pytest.raises(Conflict, match=f"is done; {command} is for deliveries"):
        decided(platform, one, command)


def test_no_decision_changes_a_delivery_that_is_being_sent(platform: Platform, neighbour: world.Neighbour) -> None:
    one = parked(platform, neighbour)
    with platform.database.transaction() as connection:
        lease = build.NOON + timedelta(minutes=1)
        deliveries.save(connection, replace(one, state=DeliveryState.SENDING, due_at=lease))
    with pytest.raises(Conflict, match="is being sent"):
        decided(platform, one, "skip")
    with platform.database.transaction() as connection:
        lease = build.NOON - timedelta(minutes=1)
        deliveries.save(connection, replace(one, state=DeliveryState.SENDING, due_at=lease))
    assert decided(platform, one, "park").is_uncertain, "its worker has died while it was sending"


def test_only_dispatchers_of_the_city_and_department_decide(platform: Platform, neighbour: world.Neighbour) -> None:
    one = parked(platform, neighbour)
    for principal in (dispatcher("parks"), dispatcher(role=Role.AGENT), dispatcher(city="other.example")):
        with pytest.raises(Forbidden):
            decided(platform, one, "skip", principal)
    decided(platform, one, "skip", dispatcher("streets"))
    with pytest.raises(NotFound):
        decided(platform, replace(one, id=one.id + 1_000), "skip")


def test_a_hidden_request_is_not_sent_after_a_retry(platform: Platform, neighbour: world.Neighbour) -> None:
    one = uncertain(platform, neighbour)
    record = build.load(platform, number=one.number)
    build.change(platform, record.service_request_id, visibility=Visibility.WITHDRAWN)
    decided(platform, one, "retry", accepts_risk=True)
    run(platform)
    assert len(neighbour.accepted) == 1
    assert states(platform)[0] == "waiting"


# --- Lists


def test_the_list_has_the_deliveries_that_have_not_ended_newest_first(
    platform: Platform, neighbour: world.Neighbour
) -> None:
    build.submit(platform)
    run(platform)
    one = parked_later(platform, neighbour)
    assert [row.delivery.id for row in find_deliveries(platform, search()).rows] == [one.id]
    everything = find_deliveries(platform, search(states=tuple(DeliveryState))).rows
    assert [row.delivery.state.value for row in everything] == ["parked", "done"]
    assert everything[0].department == "streets"


def parked_later(platform: Platform, neighbour: world.Neighbour) -> Delivery:
    neighbour.retire_service("potholes")
    build.submit(platform)
    run(platform)
    return next(one for one in stored(platform) if one.state is DeliveryState.PARKED)


def test_pages_lead_through_all_deliveries_once_and_filters_leave_out_others(
    platform: Platform, neighbour: world.Neighbour
) -> None:
    neighbour.down()
    for _ in range(5):
        build.submit(platform)
    run(platform)
    wanted = sorted((one.id for one in stored(platform)), reverse=True)
    assert ids_in(find_all(platform, search(page_size=2))) == wanted
    assert ids_in(find_all(platform, search(page_size=5))) == wanted
    assert not ids_in(find_all(platform, search(departments=("parks",))))
    assert not ids_in(find_all(platform, search(created_before=build.NOON)))
    assert not ids_in(find_all(platform, search(backends=("other",))))
    assert ids_in(find_all(platform, search(number=stored(platform)[0].number))) == [stored(platform)[0].id]


# --- The request


def test_a_request_is_found_by_the_id_that_it_has_elsewhere(platform: Platform, neighbour: world.Neighbour) -> None:
    receipt = build.submit(platform)
    run(platform)
    [filed] = neighbour.accepted
    (city,) = platform.registry
    number = build.load(platform, service_request_id=receipt.service_request_id).number
    with platform.database.transaction() as connection:
        external_ids.add(connection, city.id, "key:3", "W-88", number=number, at=build.NOON)
    whole = read_whole_request(platform, city, "W-88", principal=SHELL)
    assert whole.view.record.number == number
    assert whole.external_ids == {"works": filed.service_request_id, "key:3": "W-88"}
    assert [one.state.value for one in whole.deliveries] == ["done"]


def test_the_error_for_an_id_of_two_requests_names_the_numbers_of_both(platform: Platform) -> None:
    (city,) = platform.registry
    numbers = [build.store(platform).number for _ in range(2)]
    with platform.database.transaction() as connection:
        for system, number in zip(("works", "key:3"), numbers, strict=True):
            external_ids.add(connection, city.id, system, "W-88", number=number, at=build.NOON)
    with pytest.raises(Conflict, match=f"{numbers[0]}, {numbers[1]}"):
        read_whole_request(platform, city, "W-88", principal=SHELL)


# --- Dry runs


def test_a_check_reaches_the_back_office_and_sends_nothing(platform: Platform, neighbour: world.Neighbour) -> None:
    (city,) = platform.registry
    assert check_backend(platform, city, find_backend(city, "works")).cause == ""
    neighbour.down()
    assert "nothing listens" in check_backend(platform, city, find_backend(city, "works")).cause
    assert not neighbour.accepted


def test_a_check_names_a_missing_secret(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKS_KEY")
    (city,) = platform.registry
    assert "WORKS_KEY is not set" in check_backend(platform, city, find_backend(city, "works")).cause


def test_an_unknown_back_end_is_named_with_the_known_ones(platform: Platform) -> None:
    (city,) = platform.registry
    with pytest.raises(NotFound, match="there are: works"):
        find_backend(city, "roads")


def test_if_a_city_has_no_back_ends_the_error_says_where_to_declare_one() -> None:
    with pytest.raises(NotFound, match=r"test\.example has no back ends; declare one in its backends\.toml"):
        find_backend(build.city(), "roads")


def test_a_preview_has_only_fields_that_may_be_sent(settings: Settings, neighbour: world.Neighbour) -> None:
    platform = served(settings, neighbour, shared=("description",))
    receipt = build.submit(platform, description="Deep", reporter=Reporter(email="ann@example.org"))
    (city,) = platform.registry
    found = preview(platform, city, find_backend(city, "works"), receipt.service_request_id, now=build.NOON)
    assert (found.case.description, found.case.reporter) == ("Deep", Reporter())
    assert "email" in found.withheld
    assert "description" not in found.withheld
    assert found.obstacles == ()
    run(platform)
    [obstacle] = preview(
        platform, city, find_backend(city, "works"), receipt.service_request_id, now=build.NOON
    ).obstacles
    assert "exists already (done)" in obstacle
    assert len(neighbour.accepted) == 1
    platform.close()


# --- Changed destinations


def missing(platform: Platform, *, is_dry_run: bool) -> list[Missing]:
    (city,) = platform.registry
    return [
        one
        for batch in replan(platform, city, now=build.NOON, principal=SHELL, is_dry_run=is_dry_run)
        for one in batch.missing
    ]


def test_requests_reach_a_back_end_that_was_added_later(settings: Settings, neighbour: world.Neighbour) -> None:
    platform = served(settings, neighbour, to=Destination(backends=()))
    here = [build.submit(platform).service_request_id for _ in range(3)]
    build.change(platform, here[0], status="closed")
    run(platform)
    platform.close()
    platform = served(settings, neighbour)
    run(platform)
    assert not stored(platform)
    assert len(missing(platform, is_dry_run=True)) == 2
    assert not stored(platform)
    assert len(missing(platform, is_dry_run=False)) == 2
    assert not missing(platform, is_dry_run=False), "the second run finds nothing more"
    run(platform)
    assert len(neighbour.accepted) == 2
    platform.close()


def test_a_request_that_is_not_dispatched_yet_is_sent_once(platform: Platform, neighbour: world.Neighbour) -> None:
    build.submit(platform)
    assert len(missing(platform, is_dry_run=False)) == 1
    run(platform)
    assert states(platform) == ["done"]
    assert len(neighbour.accepted) == 1


def test_a_skipped_request_is_not_planned_again(platform: Platform, neighbour: world.Neighbour) -> None:
    one = parked(platform, neighbour)
    decided(platform, one, "skip")
    assert not missing(platform, is_dry_run=True)
