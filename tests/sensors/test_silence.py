"""A thing that falls silent is reported too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from open311.domain.requests import Status
from open311.domain.sensors import SensorRule
from open311.operations.sensors.observing import watch_silence
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from open311.storage.queue import Task
from tests import build
from tests.sensors.things import Town, at, city
from tests.working import work

SILENT = SensorRule(
    code="silent",
    service="potholes",
    description="{thing} has sent nothing for {minutes} minutes.",
    silent_minutes=30,
    cool_down_minutes=60,
)


@pytest.fixture
def town(settings: Settings) -> Iterator[Town]:
    """A city with a rule about silence only."""
    platform = build.platform(settings, city(SILENT))
    ensure_synced(platform)
    yield Town(platform)
    platform.close()


def watch(town: Town, *minutes: float) -> None:
    for minute in minutes:
        watch_silence(town.platform, at(minute))


def test_a_silent_thing_makes_one_request_that_a_new_observation_closes(town: Town) -> None:
    town.send(0, 12)
    watch(town, 10, 20, 29)
    assert town.records() == []
    watch(town, 30, 31, 90, 600)
    record = town.record()
    assert (record.description, record.status) == ("the underpass has sent nothing for 30 minutes.", Status.OPEN)
    assert [event.actor for event in town.events("received")] == ["sensor"]
    town.send(601, 12)
    watch(town, 602)
    assert town.record().status is Status.CLOSED
    assert [event.actor for event in town.events("status")] == ["sensor:7"]


def test_a_thing_that_never_sent_anything_is_silent_too(town: Town) -> None:
    watch(town, 0, 29)
    assert town.records() == []
    watch(town, 30)
    assert town.record().description == "the underpass has sent nothing for 30 minutes."


def test_an_observation_that_comes_again_does_not_end_the_silence(town: Town) -> None:
    town.send(0, 12)
    town.send(0, 12, now=25)
    watch(town, 31)
    assert town.record().status is Status.OPEN


def test_silence_soon_after_the_end_reopens_the_request_and_later_silence_makes_a_new_one(town: Town) -> None:
    town.send(0, 12)
    watch(town, 30)
    town.send(40, 12)
    watch(town, 71)
    assert town.record().status is Status.OPEN
    town.send(80, 12)
    watch(town, 110, 139)
    assert town.record().status is Status.OPEN
    town.send(140, 12)
    watch(town, 300)
    assert [record.status for record in town.records()] == [Status.CLOSED, Status.OPEN]


def test_the_job_of_the_worker_reports_a_silent_thing(town: Town) -> None:
    town.send(0, 12)
    with town.platform.database.transaction() as connection:
        town.platform.queue.defer(connection, Task.WATCH_SENSORS, timestamp=0)
    work(town.platform)
    assert town.record().status is Status.OPEN
