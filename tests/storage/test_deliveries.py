"""Many deliveries cost no more than few: claims, counts and lists read only what they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from open311.domain.deliveries import DeliverySearch, DeliveryState, skipped
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from open311.storage import deliveries
from open311.storage.queue import MOST_COUNTED
from tests import build
from tests.conftest import CITY

PLACE = (CITY, "works")
SEVERAL = """
INSERT INTO delivery (jurisdiction_id, request_id, version, backend, subject, key, state, created_at, due_at)
SELECT jurisdiction_id, id, 1, '{backend}', 'update', 'k', '{state}', '{at}', '{at}'
FROM (SELECT jurisdiction_id, id FROM service_request ORDER BY id LIMIT {requests}) AS known,
    generate_series(1, {rows})
"""


@pytest.fixture(scope="module")
def platform(make_database: Callable[[str], str]) -> Iterator[Platform]:
    """Three requests in a separate database. In the shared database, rows of other tests would change the plans."""
    platform = build.platform(Settings(database_url=make_database("deliveries")), build.city(id=CITY))
    ensure_synced(platform)
    build.store_all(platform, ({"number": number} for number in range(1, 4)))
    yield platform
    platform.close()


@pytest.fixture
def connection(platform: Platform) -> Iterator[Connection]:
    """A transaction that is rolled back at the end."""
    with platform.database.engine.connect() as connection:
        transaction = connection.begin()
        yield connection
        transaction.rollback()


def store(connection: Connection, state: str, *, rows: int = 1, requests: int = 1, backend: str = "works") -> None:
    connection.exec_driver_sql(
        SEVERAL.format(state=state, rows=rows, requests=requests, backend=backend, at=build.NOON.isoformat())
    )
    deliveries.load_circuit(connection, (CITY, backend))


def due(connection: Connection, now: object) -> int:
    query = text("SELECT count(*) FROM delivery WHERE state = 'waiting' AND due_at <= :now")
    return int(connection.execute(query, {"now": now}).scalar_one())


def test_deliveries_that_wait_for_an_earlier_one_are_not_due(connection: Connection) -> None:
    store(connection, "parked")
    store(connection, "waiting", rows=1_200)
    assert deliveries.next_due(connection, PLACE, build.NOON) is None
    assert due(connection, build.NOON) == 0
    assert deliveries.due_places(connection, [PLACE], build.NOON) == []
    assert not deliveries.is_late(connection, PLACE, build.NOON + timedelta(days=1))


def test_the_next_delivery_is_due_when_the_earlier_one_ends(connection: Connection) -> None:
    store(connection, "parked")
    store(connection, "waiting", rows=3)
    assert deliveries.next_due(connection, PLACE, build.NOON) is None
    [number] = connection.exec_driver_sql("SELECT DISTINCT request_id FROM delivery").scalars()
    first, second, *_ = deliveries.of_requests(connection, CITY, [number])
    now = build.NOON + timedelta(minutes=1)
    deliveries.save(connection, skipped(first, "a person has skipped it", now))
    found = deliveries.next_due(connection, PLACE, now)
    assert (found and found.id, due(connection, now)) == (second.id, 1)


def test_waiting_deliveries_do_not_hide_deliveries_that_can_be_sent(connection: Connection) -> None:
    store(connection, "parked")
    store(connection, "waiting", rows=2)
    store(connection, "waiting", requests=3)
    sent = []
    while found := deliveries.next_due(connection, PLACE, build.NOON):
        sent.append(found.number)
        deliveries.save(connection, skipped(found, "", build.NOON))
    assert len(sent) == 2


def test_many_deliveries_of_one_back_office_do_not_hide_those_of_another(connection: Connection) -> None:
    store(connection, "parked", rows=MOST_COUNTED + 1, backend="aaa")
    store(connection, "parked", backend="zzz")
    store(connection, "waiting", rows=2, backend="zzz")
    assert deliveries.count_open(connection) == {
        (CITY, "aaa"): {"parked": MOST_COUNTED},
        (CITY, "zzz"): {"parked": 1, "waiting": 2},
    }


@pytest.mark.parametrize("states", [(), (DeliveryState.PARKED,), (DeliveryState.WAITING, DeliveryState.PENDING)])
def test_a_list_of_open_deliveries_does_not_read_deliveries_that_are_done(
    connection: Connection, states: tuple[DeliveryState, ...]
) -> None:
    store(connection, "done", rows=5_000)
    store(connection, "parked")
    connection.exec_driver_sql("ANALYZE delivery")
    page = deliveries.page_of(DeliverySearch(jurisdiction_id=CITY, states=states))
    written = page.compile(connection, compile_kwargs={"literal_binds": True})
    plan = "\n".join(connection.execute(text(f"EXPLAIN {written}")).scalars())
    assert not [name for name in ("Seq Scan on delivery", "delivery_pkey") if name in plan], plan
    assert len(deliveries.find(connection, DeliverySearch(jurisdiction_id=CITY))) == 1
