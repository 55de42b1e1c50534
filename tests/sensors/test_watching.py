"""What becomes of observations: one request for each condition of a thing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.requests import Status
from open311.domain.sensors import Phase
from open311.domain.workflow import Outcome
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.operations.workflow.act import act
from open311.settings import Settings
from tests import build
from tests.sensors.things import Town, at, city, seen


@pytest.fixture
def town(settings: Settings) -> Iterator[Town]:
    """A city with one sensor."""
    platform = build.platform(settings, city())
    ensure_synced(platform)
    yield Town(platform)
    platform.close()


def test_a_condition_that_lasts_makes_one_request(town: Town) -> None:
    town.run([12, 31, 35, 40, 44, 47])
    assert town.records() == []
    town.run([48, 50, 52], begin=6)
    record = town.record()
    assert record.description == "The water is 48 cm deep at the underpass."
    assert (record.channel, record.department, record.status) == ("sensor", "streets", Status.OPEN)
    assert [event.actor for event in town.events("received")] == ["sensor:7"]


def test_the_request_is_closed_when_the_condition_is_over(town: Town) -> None:
    end = town.run([50] * 10)
    end = town.run([25] * 20, begin=end)  # within the hysteresis
    assert town.record().status is Status.OPEN
    town.run([20] * 6, begin=end)
    record = town.record()
    assert (record.status, record.outcome) == (Status.CLOSED, Outcome.NOT_FOUND)
    assert record.status_notes == "The water is gone."


def test_a_request_that_a_person_has_taken_up_stays_open(town: Town) -> None:
    end = town.run([50] * 10)
    act(town.platform, town.city, town.record().number, [commands.Acknowledge()], principal=SHELL, now=at(9))
    town.run([5] * 30, begin=end)
    assert town.record().status is Status.OPEN
    notes = [event.note for event in town.events("internal_note")]
    assert notes == ["The condition is over: the sensor reports 5 cm."]


def test_repeats_are_counted_and_staff_get_one_note_an_hour(town: Town) -> None:
    town.run([50] * 5 + [51] * 130)
    notes = [event.note for event in town.events("internal_note")]
    assert notes == [
        "60 more observations confirm the report; the last one is 51 cm.",
        "60 more observations confirm the report; the last one is 51 cm.",
    ]


def test_within_the_cool_down_the_request_is_opened_again(town: Town) -> None:
    end = town.run([50] * 10)
    end = town.run([5] * 10, begin=end)
    end = town.run([50] * 10, begin=end)
    assert town.record().status is Status.OPEN
    town.run([5] * 10, begin=end)
    assert town.record().status is Status.CLOSED


def test_after_the_cool_down_a_new_request_is_made(town: Town) -> None:
    end = town.run([50] * 10)
    town.run([5] * 10, begin=end)
    town.run([50] * 10, begin=end + 200)
    first, second = town.records()
    assert (first.status, second.status) == (Status.CLOSED, Status.OPEN)


def test_a_request_that_a_person_has_closed_is_not_opened_again(town: Town) -> None:
    end = town.run([50] * 10)
    close = commands.Close(outcome=Outcome.FIXED)
    act(town.platform, town.city, town.record().number, [close], principal=SHELL, now=at(end))
    end = town.run([50] * 60, begin=end)
    assert town.record().status is Status.CLOSED
    town.run([50] * 80, begin=end)  # the city has said that it is fixed, and two hours later it is not
    assert [record.status for record in town.records()] == [Status.CLOSED, Status.OPEN]


def test_the_request_of_a_thing_that_flaps_stays_open_for_people(town: Town) -> None:
    end = 0.0
    for _ in range(20):
        end = town.run([50] * 6, begin=end)
        end = town.run([5] * 6, begin=end)
    record = town.record()
    assert record.status is Status.OPEN
    assert len(town.events("status")) <= 7
    assert len(town.events("internal_note")) <= 8


def test_an_observation_that_comes_again_or_late_changes_nothing(town: Town) -> None:
    end = town.run([50] * 10)
    before = town.record(), town.condition()
    town.send(9, 50)
    town.send(9, 3)
    town.send_all([seen(minute, 1) for minute in range(9)], now=end)
    assert (town.record(), town.condition()) == before


def test_the_order_within_one_call_does_not_matter(town: Town) -> None:
    town.send_all([seen(minute, 50) for minute in (7, 2, 4, 0, 3, 6, 1, 5)], now=8)
    assert town.condition().phase is Phase.RAISED
    assert town.record().requested_at == at(8)


def test_observations_of_two_days_ago_make_no_request(town: Town) -> None:
    town.send_all([seen(minute, 50) for minute in range(10)], now=timedelta(days=2) / timedelta(minutes=1))
    assert town.records() == []


def test_the_times_that_a_thing_sends_do_not_shorten_the_cool_down(town: Town) -> None:
    """The cool-down is counted by our clock, so that a hostile key cannot fill the queue."""
    minutes = range(-1_400, 0)
    town.send_all([seen(minute, 50 if minute // 20 % 2 else 5) for minute in minutes], now=0)
    assert len(town.records()) == 1


def test_a_rule_whose_request_was_refused_tries_again_after_the_rule_is_corrected(
    settings: Settings, town: Town
) -> None:
    platform = build.platform(settings, city(service="nothing"))
    Town(platform).run([50] * 8)
    platform.close()
    assert town.records() == []
    assert town.condition().phase is Phase.RAISED
    town.send(8, 51)
    assert town.record().description == "The water is 51 cm deep at the underpass."


def test_a_merged_request_is_left_to_people(town: Town) -> None:
    end = town.run([50] * 10)
    parent = build.submit(town.platform).service_request_id
    number = town.condition().number
    act(town.platform, town.city, number, [commands.Merge(into=parent)], principal=SHELL, now=at(end))
    town.run([5] * 10, begin=end)
    assert [record.status for record in town.records()] == [Status.OPEN, Status.OPEN]
    assert "The condition is over: the sensor reports 5 cm." in [
        event.note for event in town.events("internal_note")
    ]
