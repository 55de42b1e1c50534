"""A process that is killed between two observations, or within one, loses nothing and doubles nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from tests import build
from tests.forking import CONTEXT, forked
from tests.sensors.sender import RESULTS, RULE, send
from tests.sensors.things import Town, city


@pytest.fixture
def town(settings: Settings) -> Iterator[Town]:
    """The city of the process that is killed."""
    platform = build.platform(settings, city(**RULE))
    ensure_synced(platform)
    yield Town(platform)
    platform.close()


def story(town: Town) -> list[tuple[Any, ...]]:
    """All that has happened to requests."""
    return [(event.kind, event.at, event.actor, event.note) for event in town.events()]


def kill_at(minute: int, url: str) -> None:
    """Start to send all observations, and kill the process after the first answer from `minute` on."""
    output, end = CONTEXT.Pipe(duplex=False)
    with output, forked(send, end, url):
        end.close()
        while output.recv() < minute:
            pass


@pytest.mark.long
@pytest.mark.uncounted
def test_killed_processes_leave_the_same_history_as_a_process_that_was_not_killed(
    town: Town, settings: Settings
) -> None:
    town.run(RESULTS)
    expected = story(town)
    assert len(town.records()) > 3
    with town.platform.database.transaction() as connection:
        for table in ("sensor_condition", "sensor_reading", "service_request", "outbox", "request_count"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    for minute in (3, 11, 23, 90, 259):
        kill_at(minute, settings.database_url)
    town.run(RESULTS)
    assert story(town) == expected
