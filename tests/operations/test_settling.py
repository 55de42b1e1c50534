"""The state of a delivery if something happens between its claim and its result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from threading import Event
from typing import Any

import pytest

from open311.domain.access import SHELL
from open311.domain.case import Case
from open311.domain.deliveries import ASK_AFTER_S, ELSEWHERE, Circuit, DeliveryState
from open311.domain.requests import Visibility
from open311.domain.results import Accepted, Defer, Failed, Partial, Pending, Rejected, Result, Retry, Skip
from open311.operations.delivery import sending
from open311.operations.delivery.managing import Decision, decide
from open311.operations.delivery.sending import Line
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.plugins import BackendConfig, Destination, Jurisdiction
from open311.plugins.backends import Backend, kinds
from open311.settings import Settings
from open311.storage import deliveries
from tests import build
from tests.delivering import Clock, run, states, stored
from tests.waiting import until

PLACE = ("test.example", "works")
DEADLINE_S = 6
"""Longer than the shortest wait before the next try."""


class Office(Backend):
    """A back office that does what each test says. `calls` has what it was asked, in order."""

    calls: list[str]
    on_send: Callable[[], Result] = staticmethod(lambda: Accepted("W-1"))
    on_look_up: Callable[[], Any] = staticmethod(lambda: None)

    def send(self, case: Case, key: str) -> Result:
        self.calls.append("send")
        return self.on_send()

    def complete(self, case: Case, service_request_id: str, missing: Any, key: str) -> Result:
        self.calls.append("complete")
        return Accepted(service_request_id)

    def look_up(self, case: Case, key: str) -> Any:
        self.calls.append("look_up")
        return self.on_look_up()

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> type[Office]:
    kind = type("Own", (Office,), {"calls": []})
    monkeypatch.setitem(kinds(), "own", kind)
    monkeypatch.setattr(sending, "FAST_S", 60.0)  # on a machine with much to do, one write may take 0.2 s
    return kind


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    config = BackendConfig(name="works", kind="own", deadline_s=DEADLINE_S)
    city = build.city(backends=(config,), destinations=(Destination(backends=("works",), department="streets"),))
    platform = build.platform(settings, city)
    ensure_synced(platform)
    yield platform
    platform.close()


def city_of(platform: Platform) -> Jurisdiction:
    (city,) = platform.registry
    return city


def plan(platform: Platform) -> None:
    while dispatch(platform, build.NOON):
        continue


def deliver(platform: Platform, clock: Clock) -> bool:
    line = Line(platform, city_of(platform), city_of(platform).backends[0])
    try:
        return line.deliver(clock) > 0
    finally:
        line.close()


def change(platform: Platform, statement: str) -> None:
    with platform.database.transaction() as connection:
        connection.exec_driver_sql(statement)


def circuit(platform: Platform) -> Circuit:
    with platform.database.reading() as connection:
        return deliveries.load_circuit(connection, PLACE, is_locked=False)


# --- Claims


def test_a_worker_that_comes_back_after_its_lease_changes_nothing(platform: Platform, office: type[Office]) -> None:
    clock = Clock()

    def send() -> Result:
        clock.later(minutes=5)
        decision = Decision(command="skip", reason="Found.", external_id="W-7")
        decide(platform, city_of(platform), stored(platform)[0].id, decision, principal=SHELL, now=clock())
        return Retry(cause="no answer")

    office.on_send = staticmethod(send)
    build.submit(platform)
    plan(platform)
    assert deliver(platform, clock)
    assert states(platform) == ["done"]
    assert circuit(platform).failures == 0


def test_a_request_that_cannot_be_read_does_not_delay_others(platform: Platform, office: type[Office]) -> None:
    build.submit(platform)
    build.submit(platform)
    plan(platform)
    change(platform, "UPDATE delivery SET is_uncertain = true WHERE id = (SELECT min(id) FROM delivery)")
    bad = min(one.number for one in stored(platform))
    change(platform, f"UPDATE service_request SET priority = 'of a newer release' WHERE id = {bad}")
    run(platform)
    first, second = stored(platform)
    assert (first.state, first.attempts, first.is_uncertain) == (DeliveryState.WAITING, 1, True)
    assert "cannot be read" in first.cause
    assert (second.state, office.calls.count("send")) == (DeliveryState.DONE, 1)


# --- Deliveries that are claimed together


def together(platform: Platform, office: type[Office], requests: int) -> Line:
    """A line that has sent three deliveries quickly, so it claims up to four of those that are planned now."""
    office.can_look_up = True
    numbers = count(1)
    office.on_send = staticmethod(lambda: Accepted(f"W-{next(numbers)}"))
    for _ in range(3):
        build.submit(platform)
    plan(platform)
    line = Line(platform, city_of(platform), city_of(platform).backends[0])
    assert [line.deliver(Clock()) for _ in range(2)] == [1, 2]
    for _ in range(requests):
        build.submit(platform)
    plan(platform)
    return line


def test_only_deliveries_whose_claim_still_holds_are_settled(platform: Platform, office: type[Office]) -> None:
    line, clock = together(platform, office, 4), Clock()
    first, second, third, last = stored(platform)[3:]

    def send() -> Result:
        if office.calls.count("send") == 4:  # two others are decided or claimed anew after the lease
            clock.later(minutes=5)
            decision = Decision(command="skip", reason="Found.", external_id="W-70")
            decide(platform, city_of(platform), second.id, decision, principal=SHELL, now=clock())
            change(platform, f"UPDATE delivery SET due_at = '2100-01-01Z' WHERE id = {last.id}")
            return Accepted("W-71")
        return Retry(cause="no answer")

    office.on_send = staticmethod(send)
    assert line.deliver(clock) == 2
    line.close()
    found = {one.id: one for one in stored(platform)}
    after = [found[one.id].state.value for one in (first, second, third, last)]
    assert (after, found[third.id]) == (["done", "done", "waiting", "sending"], third)
    assert circuit(platform).failures == 0


def test_a_delivery_that_cannot_be_read_does_not_delay_those_claimed_with_it(
    platform: Platform, office: type[Office]
) -> None:
    line = together(platform, office, 4)
    bad = stored(platform)[4].number
    change(platform, f"UPDATE service_request SET priority = 'of a newer release' WHERE id = {bad}")
    while line.deliver(Clock()):
        continue
    line.close()
    assert states(platform) == ["done"] * 4 + ["waiting"] + ["done"] * 2
    assert "cannot be read" in stored(platform)[4].cause


def test_hidden_and_transferred_requests_are_not_sent_with_those_claimed_together(
    platform: Platform, office: type[Office]
) -> None:
    line = together(platform, office, 2)
    hidden, moved = (build.submit(platform).service_request_id for _ in range(2))
    plan(platform)
    build.change(platform, hidden, visibility=Visibility.HELD)
    build.change(platform, moved, department="parks")
    assert line.deliver(Clock()) == 4
    line.close()
    assert states(platform)[3:7] == ["done", "done", "waiting", "skipped"]
    assert office.calls.count("send") == 5


def test_after_a_failure_deliveries_are_claimed_alone(platform: Platform, office: type[Office]) -> None:
    line = together(platform, office, 4)
    with platform.database.transaction() as connection:
        deliveries.save_circuit(connection, PLACE, Circuit(failures=1, failing_since=build.NOON))
    assert [line.deliver(Clock()) for _ in range(2)] == [1, 3]
    line.close()


# --- Calls that take too long


def test_after_a_call_was_given_up_at_its_deadline_its_back_end_sends_nothing(
    platform: Platform, office: type[Office]
) -> None:
    released = Event()
    office.can_look_up = True
    office.on_look_up = staticmethod(lambda: released.wait(60) and None)
    build.submit(platform)
    plan(platform)
    change(platform, "UPDATE delivery SET is_uncertain = true")
    deliver(platform, Clock())
    [one] = stored(platform)
    assert (office.calls, one.due_at) == (["look_up"], build.NOON + timedelta(seconds=DEADLINE_S))
    released.set()
    until(lambda: "close" in office.calls, "the back end is closed after its call")
    assert office.calls == ["look_up", "close"]


# --- Requests that belong elsewhere


def test_a_request_that_was_transferred_before_it_was_sent_stays_here(
    platform: Platform, office: type[Office]
) -> None:
    request_id = build.submit(platform).service_request_id
    plan(platform)
    build.change(platform, request_id, department="parks")
    run(platform)
    assert set(states(platform)) == {"skipped"}
    assert (stored(platform)[0].cause, "send" in office.calls) == (ELSEWHERE, False)
    build.change(platform, request_id, department="streets")
    run(platform)
    assert (states(platform)[-1], office.calls.count("send")) == ("done", 1)


def test_a_request_that_may_have_arrived_is_looked_up_before_it_is_skipped(
    platform: Platform, office: type[Office]
) -> None:
    office.can_look_up = True
    ids = [build.submit(platform).service_request_id for _ in range(2)]
    plan(platform)
    for request_id in ids:
        build.change(platform, request_id, department="parks")
    change(platform, "UPDATE delivery SET is_uncertain = true")
    answers = iter([Accepted("W-1"), None])
    office.on_look_up = staticmethod(lambda: next(answers))
    deliver(platform, Clock())
    deliver(platform, Clock())
    assert (states(platform), "send" in office.calls) == (["done", "skipped"], False)


# --- Parts


def test_missing_parts_are_sent_also_after_a_lost_answer(platform: Platform, office: type[Office]) -> None:
    office.can_look_up = True
    office.on_look_up = staticmethod(lambda: Accepted("W-1"))
    office.on_send = staticmethod(lambda: Partial("W-1", ("photo",)))
    build.submit(platform)
    run(platform)
    change(platform, "UPDATE delivery SET state = 'sending'")  # the worker dies while it completes the case
    run(platform, Clock(build.NOON + timedelta(hours=1)))
    assert (states(platform), "complete" in office.calls) == (["done"], True)


# --- The circuit


def test_a_result_without_a_call_does_not_end_the_pause_of_a_back_office(
    platform: Platform, office: type[Office]
) -> None:
    hidden = build.submit(platform).service_request_id
    plan(platform)
    build.change(platform, hidden, visibility=Visibility.HELD)
    down = Circuit(failures=7, failing_since=build.NOON, rests_until=build.NOON, cause="down")
    with platform.database.transaction() as connection:
        deliveries.load_circuit(connection, PLACE)
        deliveries.save_circuit(connection, PLACE, down)
    deliver(platform, Clock())
    assert circuit(platform) == down
    build.submit(platform)
    run(platform)
    assert circuit(platform) == Circuit(succeeded_at=build.NOON)


@pytest.mark.parametrize("result", [Accepted(), Partial("W-1", ("photo",)), Pending()])
def test_an_accepted_delivery_closes_the_circuit(result: Result) -> None:
    assert Circuit(failures=7).after(result, build.NOON, chance=0.5) == Circuit(succeeded_at=build.NOON)


def test_a_rejected_delivery_closes_the_circuit_but_is_no_success() -> None:
    before = Circuit(failures=7, succeeded_at=build.NOON)
    after = before.after(Rejected("No."), build.NOON + timedelta(hours=1), chance=0.5)
    assert after == Circuit(succeeded_at=build.NOON)


@pytest.mark.parametrize(
    "result", [Skip("No."), Defer(build.NOON), Failed("Gone."), Retry(cause="", is_down=False)]
)
def test_a_result_without_a_call_leaves_the_circuit_as_it_is(result: Result) -> None:
    resting = Circuit(failures=7, rests_until=build.NOON + timedelta(minutes=2))
    assert resting.after(result, build.NOON, chance=0.5) == replace(resting, rests_until=build.NOON)
    assert Circuit().after(result, build.NOON, chance=0.5) == Circuit()


def test_a_delivery_that_is_deferred_to_the_past_is_not_tried_at_once(
    platform: Platform, office: type[Office]
) -> None:
    office.on_send = staticmethod(lambda: Defer(build.NOON - timedelta(days=1), "not now"))
    build.submit(platform)
    run(platform)
    [one] = stored(platform)
    assert (one.due_at, office.calls.count("send")) == (build.NOON + timedelta(seconds=ASK_AFTER_S), 1)
