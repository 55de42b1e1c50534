"""A neighbour's public requests in our lists: named, changed and withdrawn as there, each once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from open311.domain.remotes import Remote
from open311.domain.requests import Visibility
from open311.jobs.federating import federating
from open311.operations.federation import pulling
from open311.operations.federation.neighbours import add_neighbour, sync_neighbour
from open311.operations.federation.pulling import LEASE, WHOLE_EVERY, Pulled, pull, pull_all, pull_due
from tests import build, world
from tests.federated.test_pushing import work
from tests.federated.towns import NORTH, Open, Town
from tests.federation.proxying import proxy_to
from tests.waiting import until


def pull_from(town: Town, name: str, *, is_whole: bool = False) -> Pulled:
    found = pull(town.platform, (town.id, name), town.now, is_whole=is_whole)
    assert found is not None
    return found


def watch(town: Town, other: Town, monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    """Pull another town's requests and push nothing."""
    town.federate(other, monkeypatch, **{"pushes": False, "pulls": True, "services": ()} | changes)


def test_public_requests_are_shown_with_their_origin(open_town: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = open_town("a"), open_town("b")
    watch(a, b, monkeypatch, codes={"potholes": "potholes"})
    ids = [b.report(NORTH), b.report(NORTH, description="Another")]
    assert pull_from(a, "b").new == 2
    shown = a.listed()
    assert sorted(each["service_request_id"] for each in shown) == sorted(f"b-{one}" for one in ids)
    [first] = [each for each in shown if each["service_request_id"] == f"b-{ids[0]}"]
    assert (first["service_code"], first["agency_responsible"]) == ("potholes", "Streets")
    extended = first["extended_attributes"]
    assert extended["origin"] == f"{b.url}/requests/{ids[0]}.json"
    assert extended["via"].endswith(f"={ids[0]}")
    assert extended["areas"] == ["North"]
    assert extended["department"] is None
    assert pull_from(a, "b", is_whole=True) == Pulled()


def test_codes_without_a_mapping_are_namespaced(open_town: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = open_town("a"), open_town("b")
    watch(a, b, monkeypatch)
    b.report(NORTH)
    pull_from(a, "b")
    [shown] = a.listed()
    assert (shown["service_code"], shown["service_name"]) == ("b-potholes", "Pothole")


def test_a_change_at_the_neighbour_changes_the_request_here_and_delivers_nothing(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch, pulls=True)
    first = b.report(NORTH)
    pull_from(a, "b")
    build.change(b.platform, first, status="closed", note="Filled.", now=b.now())
    assert pull_from(a, "b").changed == 1
    [shown] = a.listed(status="closed")
    assert (shown["status"], shown["status_notes"]) == ("closed", "Filled.")
    work(a, b)
    assert a.rows("SELECT count(*) FROM delivery") == [(0,)]
    assert len(b.ids()) == 1


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_request_that_the_neighbour_withdraws_is_withdrawn_here_and_can_return(
    open_town: Open, monkeypatch: pytest.MonkeyPatch, is_whole: bool
) -> None:
    a, b = open_town("a"), open_town("b")
    watch(a, b, monkeypatch)
    first = b.report(NORTH)
    pull_from(a, "b")
    build.change(b.platform, first, visibility=Visibility.WITHDRAWN, now=b.now())
    if is_whole:
        with a.platform.database.transaction() as connection:
            connection.exec_driver_sql("UPDATE remote SET abilities = '{}'")
    assert pull_from(a, "b", is_whole=is_whole).withdrawn == 1
    assert a.ids() == []
    build.change(b.platform, first, visibility=Visibility.PUBLIC, now=b.now())
    pull_from(a, "b", is_whole=True)
    assert a.ids() == [f"b-{first}"]


def test_two_cities_that_push_and_pull_have_each_request_once(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch, pulls=True, areas=("North",))
    b.federate(a, monkeypatch, pulls=True, areas=("South",))
    own = a.report(NORTH)
    work(a, b)
    [passed] = b.ids()
    for _ in range(3):
        pull_from(a, "b", is_whole=True)
        pull_from(b, "a", is_whole=True)
    assert (a.ids(), b.ids()) == ([own], [passed])


def test_a_copy_is_replaced_by_the_request_itself(open_town: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The neighbour's request is pulled before it is pushed."""
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch, areas=("North",))
    watch(b, a, monkeypatch)
    own = a.report(NORTH)
    pull_from(b, "a")
    assert b.ids() == [f"a-{own}"]
    work(a, b)
    pull_from(b, "a", is_whole=True)
    assert len(b.ids()) == 1
    assert not b.ids()[0].startswith("a-")


def test_a_triangle_of_pulls_shows_each_request_once(open_town: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    towns = [open_town(name) for name in "abc"]
    for town in towns:
        for other in towns:
            if other is not town:
                watch(town, other, monkeypatch)
        town.report(NORTH)
    for _ in range(3):
        for town in towns:
            for other in towns:
                if other is not town:
                    pull_from(town, other.name, is_whole=True)
    assert [len(town.ids()) for town in towns] == [3, 3, 3]


def test_if_a_neighbour_is_down_the_fault_is_stored_and_its_requests_stay(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = open_town("a"), open_town("b")
    watch(a, b, monkeypatch)
    b.report(NORTH)
    pull_from(a, "b")
    with a.platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE remote SET url = 'http://127.0.0.1:9/v2'")
    cause = pull_from(a, "b", is_whole=True).cause
    assert cause
    assert len(a.ids()) == 1
    assert a.rows("SELECT pull_failures, cause FROM remote") == [(1, cause)]


def test_a_neighbour_is_read_when_it_is_due(open_town: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = open_town("a"), open_town("b")
    watch(a, b, monkeypatch)
    b.report(NORTH)
    assert sum(one.new for one in pull_all(a.platform, a.now)) == 1
    assert list(pull_all(a.platform, a.now)) == []
    a.later = WHOLE_EVERY + timedelta(minutes=1)
    assert len(list(pull_all(a.platform, a.now))) == 1


def listed_alone(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read only the newest request of a neighbour's list, and no changes."""
    monkeypatch.setattr(pulling, "MOST_REQUESTS", 1)
    with town.platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE remote SET abilities = '{}'")


def test_a_request_that_a_moderator_has_withdrawn_stays_withdrawn(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = open_town("a"), open_town("b")
    watch(a, b, monkeypatch)
    first = b.report(NORTH, description="The man at Mill Lane 5 is a thief")
    pull_from(a, "b")
    build.change(a.platform, f"b-{first}", visibility=Visibility.WITHDRAWN, now=a.now())
    build.change(b.platform, first, note="We look into it.", now=b.now())
    pull_from(a, "b", is_whole=True)
    assert a.ids() == []


def test_a_withdrawn_request_is_found_among_requests_that_are_not_listed(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = open_town("a"), open_town("b")
    watch(a, b, monkeypatch)
    ids = sorted(b.report(NORTH, description=str(number)) for number in range(4))
    pull_from(a, "b")
    listed_alone(a, monkeypatch)
    build.change(b.platform, ids[2], visibility=Visibility.WITHDRAWN, now=b.now())
    monkeypatch.setattr(pulling, "MOST_ASKED", 1)
    assert sum(pull_from(a, "b", is_whole=True).withdrawn for _ in range(3)) == 1
    assert a.ids() == [f"b-{one}" for one in ids if one != ids[2]]


@pytest.fixture
def north() -> Iterator[world.Neighbour]:
    """A server with other software."""
    with world.neighbour(dialect=world.LIKE_OURS) as server:
        yield server


def watch_server(town: Town, server: world.Neighbour, name: str = "north") -> None:
    own = Remote(
        jurisdiction_id=town.id, name=name, url=server.base_url, since=town.now(), pushes=False, pulls=True
    )
    add_neighbour(town.platform, own, now=town.now())


def filed(server: world.Neighbour) -> str:
    return server.file("potholes", lat="60.27", long="24.94", description="Deep").service_request_id


def test_a_refusal_that_is_about_one_id_does_not_end_the_pull(
    open_town: Open, north: world.Neighbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = open_town("a")
    ids = [filed(north) for _ in range(3)]
    watch_server(a, north)
    pull_from(a, "north")
    listed_alone(a, monkeypatch)
    north.fault(world.fault("status", on="GET requests/", status=400))
    found = pull_from(a, "north", is_whole=True)
    assert (found.cause, found.withdrawn, len(a.ids())) == ("", 0, len(ids))


def test_a_request_that_cannot_be_stored_is_a_failure_that_the_operator_sees(
    open_town: Open, north: world.Neighbour
) -> None:
    a = open_town("a")
    watch_server(a, north)
    filed(north)
    with a.platform.database.transaction() as connection:
        connection.exec_driver_sql(
            "ALTER TABLE service_request ADD CONSTRAINT planted CHECK (description <> 'Deep')"
        )
    try:
        assert "the log has it" in pull_from(a, "north").cause
        assert a.rows("SELECT pull_failures, pull_leased_until FROM remote") == [(1, None)]
    finally:
        with a.platform.database.transaction() as connection:
            connection.exec_driver_sql("ALTER TABLE service_request DROP CONSTRAINT planted")


def test_a_neighbour_is_read_by_one_worker_at_a_time(open_town: Open, north: world.Neighbour) -> None:
    a = open_town("a")
    watch_server(a, north)
    north.fault(world.fault("delay", on="GET requests", seconds=2.0))
    key = (a.id, "north")
    with federating(a.platform):
        until(lambda: a.rows("SELECT 1 FROM remote WHERE pull_leased_until IS NOT NULL"), "the worker's pull")
        assert pull(a.platform, key, a.now, is_whole=True) is None
    assert a.rows("SELECT pull_leased_until FROM remote") == [(None,)]
    with a.platform.database.transaction() as connection:  # of a worker that has died
        connection.exec_driver_sql("UPDATE remote SET pull_leased_until = %s", (a.now() + LEASE,))
    assert pull(a.platform, key, a.now) is None
    a.later = LEASE + timedelta(minutes=1)
    assert pull(a.platform, key, a.now) is not None


def test_a_slow_neighbour_delays_no_other_neighbour(open_town: Open, north: world.Neighbour) -> None:
    a = open_town("a")
    watch_server(a, north)
    with world.neighbour(dialect=world.LIKE_OURS) as south:
        watch_server(a, south, "south")
        filed(south)
        north.fault(world.fault("delay", on="GET requests", seconds=3.0))
        with federating(a.platform):
            until(a.ids, "the other neighbour's request")
            assert a.rows("SELECT pulled_at FROM remote WHERE name = 'north'") == [(None,)]


def test_a_worker_that_ends_leaves_the_rest_of_a_pull_to_the_next_one(
    open_town: Open, north: world.Neighbour
) -> None:
    a = open_town("a")
    watch_server(a, north)
    filed(north)
    assert pull_due(a.platform, (a.id, "north"), a.now, is_stopping=lambda: True) == Pulled()
    assert a.ids() == []
    assert [one.new for one in pull_all(a.platform, a.now)] == [1]


def test_a_neighbour_is_read_at_once_after_pulling_is_switched_on(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = open_town("a"), open_town("b")
    watch(a, b, monkeypatch, pulls=False)
    b.report(NORTH)
    assert list(pull_all(a.platform, a.now)) == []
    assert pull(a.platform, (a.id, "b"), a.now) is None
    with a.platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE remote SET pull_due_at = now() + interval '6 hours'")
    watch(a, b, monkeypatch)
    assert [one.new for one in pull_all(a.platform, a.now)] == [1]


def test_a_neighbour_that_was_down_is_read_soon_after_it_has_taken_a_request(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch, pulls=True)
    with a.platform.database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE remote SET pull_failures = 7, pull_due_at = now() + interval '6 hours', cause = 'It was down.'"
        )
    a.report(NORTH)
    work(a, b)
    a.later = timedelta(minutes=6)
    assert [one.cause for one in pull_all(a.platform, a.now)] == [""]
    assert a.rows("SELECT pull_failures, cause FROM remote") == [(0, "")]


def test_a_neighbour_is_read_through_the_proxy(open_town: Open, north: world.Neighbour) -> None:
    with proxy_to(north.base_url) as proxy:
        a = open_town("a", {"proxy": proxy.url})
        watch_server(a, north)
        added = len(proxy.asked)
        sync_neighbour(a.platform, a.id, "north", now=a.now())
        synced = len(proxy.asked)
        pull_from(a, "north")
    assert 0 < added < synced < len(proxy.asked)
