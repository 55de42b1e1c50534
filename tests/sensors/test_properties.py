"""Late and repeated observations change nothing, and calls at the same time have the effect of calls in order."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from open311.domain.requests import Status
from open311.domain.sensors import Condition, Observation, Phase, observed
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from tests import build
from tests.sensors.things import Town, city, seen


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    """A platform with one sensor, for several threads."""
    found = build.platform(settings, city(minimum_minutes=2))
    ensure_synced(found)
    yield found
    found.close()


def forget(town: Town) -> None:
    """Delete the conditions, readings and requests, so that the next example begins anew."""
    with town.platform.database.transaction() as connection:
        for table in ("sensor_condition", "sensor_reading", "service_request", "outbox", "request_count"):
            connection.exec_driver_sql(f"DELETE FROM {table}")


RESULTS = st.sampled_from([0.0, 15.0, 20.0, 25.0, 30.0, 31.0, 50.0])
OBSERVATIONS = st.lists(
    st.tuples(st.integers(0, 40), RESULTS), min_size=1, max_size=25, unique_by=lambda one: one[0]
)


def expected_condition(arrived: list[Observation]) -> Condition:
    """The condition that `observed` computes from observations in this order. It ignores those that come late."""
    condition, rule = Condition(), city(minimum_minutes=2).sensor_rules[0]
    for one in arrived:
        condition = observed(condition, rule, one)
    return condition


def story(town: Town) -> list[tuple[Any, ...]]:
    """All that has happened to requests, without their ids."""
    return [(event.kind, event.at, event.note) for event in town.events()]


@pytest.mark.uncounted
@settings(max_examples=60)
@given(OBSERVATIONS, st.randoms(use_true_random=False), st.lists(st.integers(0, 24), max_size=10))
def test_late_and_repeated_observations_change_neither_the_condition_nor_the_requests(
    platform: Platform, sent: list[tuple[int, float]], random: Random, again: list[int]
) -> None:
    town = Town(platform)
    forget(town)
    arrived = [seen(*one) for one in sent]
    arrived += [arrived[index % len(arrived)] for index in again]
    random.shuffle(arrived)
    for one in arrived:
        town.send_all([one], now=50)
    expected = expected_condition(arrived)
    assert (town.condition().phase, town.condition().observed_at) == (expected.phase, expected.observed_at)
    is_open = [record.status is Status.OPEN for record in town.records()]
    assert sum(is_open) <= 1
    if expected.phase.is_raised:
        assert sum(is_open) == 1
    elif town.condition().reopenings < 3:
        assert sum(is_open) == 0
    before = story(town), town.condition()
    for one in random.sample(arrived, len(arrived)):
        town.send_all([one], now=50)
    assert (story(town), town.condition()) == before


@pytest.mark.uncounted
@settings(max_examples=20)
@given(OBSERVATIONS, st.randoms(use_true_random=False))
def test_many_observations_in_one_call_have_the_effect_of_single_calls_in_order_of_time(
    platform: Platform, sent: list[tuple[int, float]], random: Random
) -> None:
    town = Town(platform)
    observations = sorted((seen(*one) for one in sent), key=lambda one: one.at)
    forget(town)
    for one in observations:
        town.send_all([one], now=50)
    apart = [one[0] for one in story(town)], town.condition().phase
    forget(town)
    town.send_all(random.sample(observations, len(observations)), now=50)
    assert ([one[0] for one in story(town)], town.condition().phase) == apart


def test_a_thousand_observations_around_a_threshold_make_one_request_and_sent_again_change_nothing(
    platform: Platform,
) -> None:
    town, random = Town(platform), Random(311)
    results = [30 + random.uniform(-9.9, 12) for _ in range(1_000)]
    town.run(results, every=0.2)
    record = town.record()
    assert record.status is Status.OPEN
    assert [event.kind for event in town.events("status")] == []
    assert len(town.events("internal_note")) <= 3
    before = story(town), town.condition()
    town.run(results, every=0.2)
    assert (story(town), town.condition()) == before


def test_the_same_observations_at_the_same_time_make_one_request(platform: Platform) -> None:
    town, minutes = Town(platform), range(30)
    with ThreadPoolExecutor(6) as threads:
        for _ in threads.map(lambda minute: town.send(minute % 30, 50, now=30), [*minutes] * 4):
            pass
    assert town.record().status is Status.OPEN
    assert [event.kind for event in town.events()].count("received") == 1
    assert town.condition().phase is Phase.RAISED
