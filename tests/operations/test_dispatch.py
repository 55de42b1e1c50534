"""Consumers get each change once and in order, even if a process is killed or a consumer fails."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from open311.clock import utc_now
from open311.domain.requests import Status
from open311.errors import Unavailable
from open311.jobs.dispatching import dispatch_all
from open311.operations.dispatch import consumers
from open311.operations.dispatch.counting import recount
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from open311.storage import counts, outbox
from open311.storage.engine import Connection
from open311.storage.outbox import RecordedChange
from open311.storage.queue import Task
from tests import build
from tests.operations.witness import Witness, happened, run_until_killed, seen, witnessed
from tests.operations.writer import writing
from tests.working import work

SOON = timedelta(seconds=2)
LATER = timedelta(hours=1)


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    """A city without requests."""
    platform = build.platform(settings, build.city())
    ensure_synced(platform)
    yield platform
    platform.close()


@pytest.fixture
def with_witness(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Add a consumer: only its class and its position in the tuple CONSUMERS are needed."""
    monkeypatch.setattr(consumers, "CONSUMERS", (*consumers.CONSUMERS, Witness()))
    with witnessed(platform.database):
        yield


def change(platform: Platform, service_request_id: str, **changes: Any) -> None:
    (city,) = platform.registry
    build.change(platform, service_request_id, **changes, now=build.NOON, city=city)


def kept(platform: Platform) -> dict[tuple[str, str], int]:
    """The stored counts of requests, by department and status."""
    with platform.database.reading() as connection:
        return {key[1:]: number for key, number in counts.stored_counts(connection).items()}


def faults(platform: Platform) -> counts.Counts:
    with platform.database.snapshot() as connection:
        return counts.corrections(connection)


def waiting(platform: Platform) -> tuple[int, int]:
    """The number of changes that wait for the dispatcher, and the number of held changes."""
    with platform.database.reading() as connection:
        found = outbox.backlog(connection)
    return found.waiting, found.held


# --- Once and in order


def test_every_consumer_gets_each_change_once_and_the_changes_of_a_request_in_order(
    platform: Platform, with_witness: None
) -> None:
    for _ in range(3):
        sent = build.submit(platform).service_request_id
        for number in range(3):
            change(platform, sent, note=f"note {number}")
    assert waiting(platform) == (12, 0)
    assert dispatch(platform, build.NOON, rows=5) == 5
    assert dispatch_all(platform) == 7
    assert seen(platform) == happened(platform)
    assert waiting(platform) == (0, 0)


def test_an_import_of_many_requests_is_dispatched(platform: Platform, with_witness: None) -> None:
    build.store_all(platform, ({"number": number, "department": "parks"} for number in range(1, 101)))
    dispatch_all(platform)
    assert seen(platform) == happened(platform)
    assert kept(platform) == {("parks", "open"): 100}


def test_a_second_dispatcher_does_nothing_while_the_first_works(platform: Platform) -> None:
    build.submit(platform)
    with platform.database.transaction() as connection:
        assert outbox.try_lock(connection)
        assert dispatch(platform, build.NOON) == 0
    assert dispatch(platform, build.NOON) == 1


def test_concurrent_dispatchers_and_writers_miss_and_repeat_no_change(
    platform: Platform, settings: Settings, with_witness: None
) -> None:
    with ExitStack() as stack:
        writers = [stack.enter_context(writing(settings.database_url, number, 30)) for number in range(2)]
        with ThreadPoolExecutor(3) as pool:
            while any(one.is_writing for one in writers):
                list(pool.map(lambda _: dispatch(platform, utc_now(), rows=10), range(3)))
    dispatch_all(platform)
    assert seen(platform) == happened(platform)
    assert not faults(platform)


def test_a_dispatcher_that_is_killed_in_several_batches_misses_and_repeats_no_change(
    platform: Platform, settings: Settings, with_witness: None
) -> None:
    with ExitStack() as stack:
        for number in range(2):
            stack.enter_context(writing(settings.database_url, number, 60)).notes()
        stack.enter_context(writing(settings.database_url, 3, 60))
        return_codes = [run_until_killed(settings.database_url, batches) for batches in (1, 3, 2, 1)]
    assert return_codes == [-signal.SIGKILL] * 4
    assert waiting(platform) > (0, 0)
    dispatch_all(platform)
    assert seen(platform) == happened(platform)
    assert sum(map(len, seen(platform).values())) > 360
    assert not faults(platform)


def test_an_event_of_a_newer_release_waits_for_the_dispatcher_of_that_release(platform: Platform) -> None:
    build.submit(platform)
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE request_event SET kind = 'future' WHERE kind = 'received'")
    with pytest.raises(KeyError, match="future"):
        dispatch(platform, build.NOON)
    assert waiting(platform) == (1, 0)
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE request_event SET kind = 'received' WHERE kind = 'future'")
    dispatch(platform, build.NOON)
    assert kept(platform) == {("streets", "open"): 1}


# --- Consumers that fail


@dataclass(slots=True)
class Picky(Witness):
    """Fails with a database error on one request, after it has written half of its rows."""

    number: int = 0
    name: str = "picky"

    def consume(
        self, platform: Platform, connection: Connection, changes: Sequence[RecordedChange], now: datetime
    ) -> None:
        Witness.consume(self, platform, connection, changes, now)
        if self.number in {change.number for change in changes}:
            connection.exec_driver_sql("SELECT 1 / 0")


@pytest.fixture
def picky(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Picky]:
    """A consumer before all others, so that the others follow it."""
    found = Picky()
    monkeypatch.setattr(consumers, "CONSUMERS", (found, *consumers.CONSUMERS))
    with witnessed(platform.database):
        yield found


def test_a_change_on_which_a_consumer_fails_is_held_for_this_consumer_only(
    platform: Platform, picky: Picky
) -> None:
    bad, good = (build.submit(platform).service_request_id for _ in range(2))
    picky.number = build.load(platform, service_request_id=bad).number
    change(platform, bad, note="one")
    change(platform, good, note="one")
    dispatch(platform, build.NOON)
    assert list(seen(platform).values()) == [[1, 2]], "the consumer gets the changes of the other request"
    assert kept(platform) == {("streets", "open"): 2}, "the other consumers get all changes"
    assert waiting(platform) == (0, 2)

    change(platform, bad, status=Status.CLOSED)
    picky.number = 0
    dispatch(platform, build.NOON)
    assert waiting(platform) == (0, 3), "later changes of the request wait for the first"
    assert kept(platform) == {("streets", "open"): 1, ("streets", "closed"): 1}
    for _ in range(3):
        dispatch(platform, build.NOON + SOON)
    assert waiting(platform) == (0, 0)
    assert seen(platform) == happened(platform)


def test_a_batch_ends_when_its_connection_is_lost_and_is_dispatched_again(
    platform: Platform, with_witness: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        build.submit(platform)
    severing = Severing()
    with monkeypatch.context() as patched:
        patched.setattr(consumers, "CONSUMERS", (*consumers.CONSUMERS, severing))
        with pytest.raises(Unavailable):
            dispatch(platform, build.NOON)
    assert severing.calls == 1, "the changes are not tried one by one on a lost connection"
    assert "consumer failed" not in "".join(capfd.readouterr())
    assert waiting(platform) == (3, 0)
    dispatch_all(platform)
    assert seen(platform) == happened(platform)


@dataclass(slots=True)
class Severing:
    """Ends its own connection, as a killed server does, and raises an error that is not the driver's."""

    calls: int = 0
    name: str = "severing"

    def consume(
        self, platform: Platform, connection: Connection, changes: Sequence[RecordedChange], now: datetime
    ) -> None:
        self.calls += 1
        try:
            connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        except DBAPIError as error:
            raise RuntimeError from error


def test_the_pauses_between_attempts_grow_while_a_change_fails(platform: Platform, picky: Picky) -> None:
    build.submit(platform)
    picky.number = build.load(platform, service_request_id=_only_request_id(platform)).number
    now = build.NOON
    dispatch(platform, now)
    waits = []
    for _ in range(12):
        before, now = now, _next_attempt(platform)
        waits.append((now - before).total_seconds())
        assert dispatch(platform, now - timedelta(milliseconds=1)) == 0
        assert dispatch(platform, now) == 1
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]
    picky.number = 0
    assert dispatch(platform, now + LATER) == 1
    assert seen(platform) == happened(platform)


def _only_request_id(platform: Platform) -> str:
    with platform.database.reading() as connection:
        found: str = connection.exec_driver_sql("SELECT service_request_id FROM service_request").scalar_one()
    return found


def _next_attempt(platform: Platform) -> datetime:
    with platform.database.reading() as connection:
        found: datetime = connection.exec_driver_sql("SELECT due_at FROM held_change").scalar_one()
    return found


def test_changes_that_are_held_for_a_removed_consumer_do_not_affect_other_consumers(
    platform: Platform, picky: Picky, monkeypatch: pytest.MonkeyPatch
) -> None:
    picky.number = build.load(platform, service_request_id=build.submit(platform).service_request_id).number
    dispatch(platform, build.NOON)
    monkeypatch.setattr(consumers, "CONSUMERS", consumers.CONSUMERS[1:])
    build.submit(platform)
    assert dispatch(platform, build.NOON + LATER) == 1
    assert waiting(platform) == (0, 1)


# --- Counts


def test_requests_are_counted_by_department_and_status(platform: Platform) -> None:
    first, second = (build.submit(platform).service_request_id for _ in range(2))
    build.submit(platform, service_code="trees")
    change(platform, first, status=Status.CLOSED)
    change(platform, second, department="parks")
    work(platform)
    assert kept(platform) == {("streets", "closed"): 1, ("parks", "open"): 2}
    assert not faults(platform)


def test_a_recount_corrects_wrong_counts_and_leaves_waiting_changes_to_the_dispatcher(platform: Platform) -> None:
    first = build.submit(platform).service_request_id
    build.submit(platform)
    dispatch_all(platform)
    change(platform, first, status=Status.CLOSED)
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE request_count SET requests = 7")
    assert recount(platform) == 1
    assert kept(platform) == {("streets", "open"): 2}
    dispatch_all(platform)
    assert kept(platform) == {("streets", "open"): 1, ("streets", "closed"): 1}
    assert recount(platform) == 0


def test_a_recount_leaves_held_changes_to_their_consumer(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.submit(platform)
    with platform.database.transaction() as connection:
        outbox.hold(connection, counts.CONSUMER, outbox.take(connection, 1), build.NOON)
    assert recount(platform) == 0
    assert kept(platform) == {}
    dispatch_all(platform)
    assert kept(platform) == {("streets", "open"): 1}


def test_the_hourly_job_counts_requests_that_the_previous_release_wrote(platform: Platform) -> None:
    build.submit(platform)
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM outbox")  # the previous release does not write to this table
        platform.queue.defer(connection, Task.CLEAN_UP, timestamp=0)
    work(platform)
    assert kept(platform) == {("streets", "open"): 1}
