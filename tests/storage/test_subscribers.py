"""Which subscriptions match a request: an index finds the same as a look at every filter."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from open311.domain.places import Place
from open311.domain.requests import Status
from open311.domain.search import Box, Circle
from open311.domain.subscriptions import RequestFilter, SubscriptionState, Target, Traits
from open311.operations.platform import Platform
from open311.settings import Settings
from open311.storage import subscribers, subscriptions
from open311.storage.engine import Connection
from open311.storage.subscribers import Change
from tests import build
from tests.waiting import until

CITY = "test.example"
SUMMER = Place(lat=60.1718, long=24.9414)


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    platform = build.platform(settings, build.city())
    yield platform
    platform.close()


@pytest.fixture
def connection(platform: Platform) -> Iterator[Connection]:
    """A connection whose changes are rolled back at the end."""
    with platform.database.engine.connect() as found:
        transaction = found.begin()
        yield found
        transaction.rollback()


def traits(**changes: Any) -> Traits:
    values: dict[str, Any] = {
        "number": 41,
        "service_code": "potholes",
        "group": "Streets",
        "status": "open",
        "department": "streets",
        "areas": ("North", "Ward 1"),
        "place": SUMMER,
    }
    return Traits(**values | changes)


def subscribe(
    connection: Connection,
    wanted: RequestFilter,
    state: SubscriptionState = SubscriptionState.ACTIVE,
    city: str = CITY,
) -> int:
    count = subscriptions.count_of_owner(connection, 1)
    return subscriptions.add_subscription(
        connection,
        city,
        name=f"sub-{count}",
        target=Target.WEBHOOK,
        state=state,
        wanted=wanted,
        owner=1,
        now=build.NOON,
    )


def found(connection: Connection, request: Traits) -> set[tuple[int, int]]:
    """The subscriptions that are told of a new request, each with the request's number."""
    subscribers.notify(connection, CITY, [Change(None, request, ("received",))], build.NOON)
    rows = connection.exec_driver_sql("DELETE FROM notification RETURNING subscription_id, request_id")
    return {(row.subscription_id, row.request_id) for row in rows}


def is_found(connection: Connection, wanted: RequestFilter, request: Traits) -> bool:
    number = subscribe(connection, wanted)
    return (number, request.number) in found(connection, request)


WITHIN = Box(24.0, 60.0, 25.0, 61.0)


@pytest.mark.parametrize(
    ("wanted", "is_wanted"),
    [
        ({}, True),
        ({"service_codes": ("potholes", "trees")}, True),
        ({"service_codes": ("trees",)}, False),
        ({"group": "Streets"}, True),
        ({"group": "Parks"}, False),
        ({"group": "Parks", "service_codes": ("potholes",)}, False),
        ({"statuses": (Status.OPEN,)}, True),
        ({"statuses": (Status.CLOSED,)}, False),
        ({"department": "streets"}, True),
        ({"department": "parks"}, False),
        ({"area": "Ward 1"}, True),
        ({"area": "Ward 2"}, False),
        ({"area": "North", "department": "streets", "service_codes": ("potholes",)}, True),
        ({"area": "North", "department": "streets", "group": "Streets"}, True),
        ({"box": WITHIN}, True),
        ({"box": Box(24.9414, 60.1718, 24.9414, 60.1718)}, True),
        ({"box": Box(25.0, 60.0, 24.0, 61.0)}, False),
        ({"box": Box(24.5, 60.0, -170.0, 61.0)}, True),
        ({"box": WITHIN, "service_codes": ("trees",)}, False),
        ({"near": Circle(24.95, 60.1718, 500)}, True),
        ({"near": Circle(24.95, 60.1718, 400)}, False),
        ({"near": Circle(24.95, 60.1718, 500), "area": "Ward 2"}, False),
    ],
)
def test_a_subscription_is_found_if_its_whole_filter_matches(
    connection: Connection, wanted: dict[str, Any], is_wanted: bool
) -> None:
    assert is_found(connection, RequestFilter(**wanted), traits()) is is_wanted


@pytest.mark.parametrize("state", ["unverified", "disabled"])
def test_a_subscription_that_collects_nothing_is_not_found(connection: Connection, state: str) -> None:
    subscribe(connection, RequestFilter(), SubscriptionState(state))
    assert found(connection, traits()) == set()


def test_a_subscription_of_another_city_is_not_found(connection: Connection) -> None:
    for wanted in (RequestFilter(), RequestFilter(box=WITHIN)):
        subscribe(connection, wanted, city="other.example")
    assert found(connection, traits()) == set()


def test_a_request_without_a_point_matches_no_filter_by_place(connection: Connection) -> None:
    nowhere = traits(place=Place())
    assert not is_found(connection, RequestFilter(box=Box(-180, -90, 180, 90)), nowhere)
    assert is_found(connection, RequestFilter(department="streets"), nowhere)


SOME = st.sampled_from(["", "a", "b"])
FILTERS = st.builds(
    RequestFilter,
    service_codes=st.lists(st.sampled_from(["a", "b"]), unique=True).map(tuple),
    group=SOME,
    statuses=st.lists(st.sampled_from(list(Status)), unique=True).map(tuple),
    department=SOME,
    area=SOME,
    box=st.sampled_from([None, WITHIN, Box(0, 0, 1, 1)]),
)
REQUESTS = st.builds(
    Traits,
    number=st.just(7),
    service_code=st.sampled_from(["a", "b"]),
    group=SOME,
    status=st.sampled_from(["open", "closed"]),
    department=SOME,
    areas=st.lists(st.sampled_from(["a", "b"]), unique=True).map(tuple),
    place=st.sampled_from([SUMMER, Place()]),
)


def matches(wanted: RequestFilter, request: Traits) -> bool:
    """Whether a filter matches a request, found by a check of each condition."""
    return (
        (not wanted.service_codes or request.service_code in wanted.service_codes)
        and wanted.group in ("", request.group)
        and (not wanted.statuses or request.status in wanted.statuses)
        and wanted.department in ("", request.department)
        and (not wanted.area or wanted.area in request.areas)
        and (wanted.box is None or (wanted.box is WITHIN and request.place is SUMMER))
    )


@examples(max_examples=40)
@given(wanted=FILTERS, request_=REQUESTS)
def test_the_index_finds_the_same_subscriptions_as_a_check_of_each_filter(
    connection: Connection, wanted: RequestFilter, request_: Traits
) -> None:
    assert is_found(connection, wanted, request_) is matches(wanted, request_)


def notify(platform: Platform, *numbers: int) -> int:
    """Announce changes of these requests. Returns how many notifications were made or changed."""
    changes = [Change(None, traits(number=number), ()) for number in numbers]
    with platform.database.transaction() as connection:
        return len(subscribers.notify(connection, CITY, changes, build.NOON))


def test_a_deletion_at_the_same_time_as_an_announcement_is_no_deadlock(platform: Platform) -> None:
    """The announcement changes one notification, waits before it changes the next, and adds a third."""
    database = platform.database
    with database.transaction() as connection:
        number = subscribe(connection, RequestFilter(service_codes=("potholes",)))
    notify(platform, 1, 2)
    with ThreadPoolExecutor(2) as pool, database.reading() as observer:
        with database.transaction() as connection:
            connection.exec_driver_sql("SELECT FROM notification WHERE request_id = 2 FOR UPDATE")
            announcing = pool.submit(notify, platform, 1, 2, 3)
            until(lambda: waiting_sessions(observer) == 1, "the announcement to wait")
            deleting = pool.submit(delete_one, platform, number)
            until(lambda: waiting_sessions(observer) == 2, "the deletion to wait")
        assert announcing.result() == 3
        deleting.result()
        assert not observer.exec_driver_sql("SELECT count(*) FROM notification").scalar_one()


def test_an_announcement_leaves_out_a_subscription_that_is_deleted_meanwhile(platform: Platform) -> None:
    database = platform.database
    with database.transaction() as connection:
        number = subscribe(connection, RequestFilter(service_codes=("potholes",)))
    with ThreadPoolExecutor(1) as pool, database.reading() as observer:
        with database.transaction() as connection:
            subscriptions.delete_subscription(connection, CITY, number)
            announcing = pool.submit(notify, platform, 1)
            until(lambda: waiting_sessions(observer) == 1, "the announcement to wait")
        assert announcing.result() == 0


def delete_one(platform: Platform, number: int) -> None:
    with platform.database.transaction() as connection:
        subscriptions.delete_subscription(connection, CITY, number)


def waiting_sessions(connection: Connection) -> int:
    """The number of sessions of this database that wait for a lock of another one."""
    return int(
        connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"
        ).scalar_one()
    )
