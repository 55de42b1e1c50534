"""The queues of staff: filters, order, pages, counts, and the plans of their statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

import pytest

from open311.domain.access import SHELL, Principal, Role, Scope
from open311.domain.places import Place
from open311.domain.queues import Due, QueueKey, QueueSearch, due_of
from open311.domain.requests import Priority, Progress, RequestRecord, Status, Visibility
from open311.domain.search import Circle
from open311.domain.workflow import State, state_of
from open311.errors import Invalid
from open311.jobs.dispatching import dispatch_all
from open311.operations.desk.queues import count_queues, find_around, find_queue, queue_search
from open311.operations.desk.rendered_queue import RenderedQueue, render_queue
from open311.operations.desk.rendering import json_of, plain_queue
from open311.operations.platform import Platform, Process
from open311.operations.row_cache import OVERHEAD_BYTES, CachedRow, RowCache
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.plugins import Jurisdiction
from open311.settings import Settings
from open311.storage import counts
from open311.storage.engine import open_database
from open311.storage.hot import queues
from open311.storage.hot.queues import RowState
from schemas.staff import QueueArguments
from tests import build

CITY = "city.example"
STREETS = Principal(kind="staff", role=Role.READER, scope=Scope(CITY, frozenset({"streets"})), number=5)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def crowd(make_database: Callable[[str], str]) -> Iterator[Platform]:
    """A platform with 120 random requests of three departments."""
    platform = build.platform(Settings(database_url=make_database("queues")), build.city(id=CITY))
    ensure_synced(platform)
    random = Random(11)
    build.store_all(platform, [random_request(random, number) for number in range(1, 121)])
    yield platform
    platform.close()


def random_request(random: Random, number: int) -> dict[str, Any]:
    """The fields of a request in any state of its life."""
    is_open, at = random.random() < 0.75, build.NOON - random.randint(1, 400) * HOUR
    progress = random.choice(list(Progress)) if is_open else Progress.NONE
    due = random.choice([None, build.NOON + random.randint(-60, 60) * HOUR])
    return {
        "number": number,
        "at": at,
        "service_code": random.choice(["potholes", "trees"]),
        "status": Status.OPEN if is_open else Status.CLOSED,
        "outcome": "" if is_open else "fixed",
        "department": random.choice(["streets", "streets", "parks", ""]),
        "is_triage": is_open and random.random() < 0.2,
        "progress": progress,
        "held_since": build.NOON - 30 * HOUR if progress is Progress.ON_HOLD else None,
        "assignee": random.choice(["", "", "staff:5", "staff:6"]) if is_open else "",
        "priority": random.choice(list(Priority)),
        "expected_at": due,
        "merged_into": 1 if is_open and number > 1 and random.random() < 0.15 else 0,
        "visibility": random.choice(["public", "public", "private", "unlisted"]),
        "description": random.choice(["A deep hole", "Ein Loch, ganz tief", "A fallen tree"]),
        "place": Place(lat=60.17 + random.uniform(-0.01, 0.01), long=24.94),
    }


def city_of(platform: Platform) -> Jurisdiction:
    return next(iter(platform.registry))


def every(platform: Platform) -> list[RequestRecord]:
    """All records."""
    return [build.load(platform, number=number) for number in range(1, 121)]


def queue(platform: Platform, sent: Mapping[str, str], principal: Principal = SHELL) -> list[int]:
    """The numbers of all requests of a queue, which is read in pages."""
    values, faults = QueueArguments().read({"page_size": ["7"]} | {name: [value] for name, value in sent.items()})
    assert not faults
    search = queue_search(platform, city_of(platform), values, principal=principal)
    found: list[int] = []
    while True:
        page = find_queue(platform, search, build.NOON)
        found += [row.number for row in page.rows]
        if page.next_key is None:
            return found
        search = replace(search, after=QueueKey.read(str(page.next_key)))


def waits(record: RequestRecord) -> bool:
    return record.status is Status.OPEN and not record.merged_into and not record.is_test


def due(record: RequestRecord) -> Due | None:
    return due_of(record.expected_at, record.held_since, build.NOON, timedelta(hours=24))


def is_waiting_in(state: State, record: RequestRecord) -> bool:
    return waits(record) and state_of(record) is state


FILTERS: list[tuple[dict[str, str], Callable[[RequestRecord], bool]]] = [
    ({}, waits),
    ({"department": "streets"}, lambda one: waits(one) and one.department == "streets"),
    ({"department": "streets,parks"}, lambda one: waits(one) and one.department in ("streets", "parks")),
    *(({"state": str(state)}, partial(is_waiting_in, state)) for state in State if state is not State.CLOSED),
    (
        {"state": "triage,on_hold", "department": "streets"},
        lambda one: waits(one) and state_of(one) in ("triage", "on_hold") and one.department == "streets",
    ),
    ({"service_code": "trees"}, lambda one: waits(one) and one.service_code == "trees"),
    ({"older_than": "5"}, lambda one: waits(one) and one.requested_at < build.NOON - timedelta(days=5)),
    ({"overdue": "true"}, lambda one: waits(one) and due(one) is Due.OVERDUE),
    ({"overdue": "soon"}, lambda one: waits(one) and due(one) is Due.SOON),
    ({"overdue": "false"}, lambda one: waits(one) and due(one) is not Due.OVERDUE),
    ({"assignee": "none"}, lambda one: waits(one) and not one.assignee),
    ({"merged": "true"}, lambda one: one.status is Status.OPEN and bool(one.merged_into) and not one.is_test),
    ({"q": "hole"}, lambda one: waits(one) and "hole" in one.description),
    (
        {"q": "fallen tree", "department": "parks"},
        lambda one: waits(one) and "fallen" in one.description and one.department == "parks",
    ),
    ({"id": "R3,7,R8,R999,moon", "state": "triage"}, lambda one: one.number in (3, 7, 8)),
]


@pytest.mark.parametrize(("sent", "is_wanted"), FILTERS, ids=[str(sent) for sent, _ in FILTERS])
def test_a_queue_has_exactly_the_requests_that_match_its_filters_in_the_order_of_their_due_dates(
    crowd: Platform, sent: dict[str, str], is_wanted: Callable[[RequestRecord], bool]
) -> None:
    last = build.NOON + timedelta(days=99)
    wanted = sorted(filter(is_wanted, every(crowd)), key=lambda one: (one.expected_at or last, one.number))
    assert queue(crowd, sent) == [one.number for one in wanted]


def test_closed_requests_are_listed_from_the_last_closed_one(crowd: Platform) -> None:
    closed = [one for one in every(crowd) if one.status is Status.CLOSED and not one.is_test]
    wanted = sorted(closed, key=lambda one: (one.updated_at, one.number), reverse=True)
    assert queue(crowd, {"state": "closed"}) == [one.number for one in wanted]


def test_an_account_sees_only_its_departments_and_with_assignee_me_only_its_requests(crowd: Platform) -> None:
    mine = {one.number for one in every(crowd) if one.department == "streets"}
    for sent in ({}, {"state": "closed"}, {"merged": "true"}, {"q": "hole"}, {"id": "R3,R7,R8,R9,R10,R11"}):
        found = queue(crowd, sent, STREETS)
        assert found
        assert set(found) <= mine, sent
    given = [
        one for one in every(crowd) if waits(one) and one.department == "streets" and one.assignee == "staff:5"
    ]
    assert set(queue(crowd, {"assignee": "me"}, STREETS)) == {one.number for one in given}


@pytest.mark.parametrize(
    ("sent", "match"),
    [
        ({"state": "closed,triage"}, "ask for closed requests alone"),
        ({"department": "moon"}, "is no department"),
        ({"area": "Moon"}, "is no area"),
        ({"assignee": "nobody"}, "is no account of city.example; send me, none, or a name"),
        ({"cursor": "x"}, "is no cursor of this call"),
        ({"cursor": "WzEsMl0"}, "is no cursor of this call"),
        ({"cursor": "WyIyMDI2LTAxLTAxIiwyXQ"}, "is no cursor of this call"),
        ({"cursor": str(QueueKey(build.NOON, 2, is_by_closing=True))}, "is no cursor of this call"),
        ({"cursor": str(QueueKey(build.NOON, 2)), "state": "closed"}, "is no cursor of this call"),
    ],
)
def test_a_faulty_filter_is_refused(crowd: Platform, sent: dict[str, str], match: str) -> None:
    with pytest.raises(Invalid, match=match):
        queue(crowd, sent)


def test_a_crew_finds_the_open_requests_around_it_nearest_first(crowd: Platform) -> None:
    found = find_around(crowd, city_of(crowd), Circle(24.94, 60.17, 600), most=200, principal=STREETS)
    metres = [row.metres for row in found.rows]
    assert metres == sorted(metres)
    assert metres[-1] <= 600
    around = [
        one.number
        for one in every(crowd)
        if waits(one) and one.department == "streets" and abs((one.place.lat or 0) - 60.17) < 0.0053
    ]
    assert set(around) <= {row.number for row in found.rows} <= {one.number for one in every(crowd) if waits(one)}


def test_the_counts_of_the_queues_equal_a_count_of_every_request(
    crowd: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check() -> int:
        counted = count_queues(crowd, city_of(crowd), principal=SHELL, now=build.NOON)
        for one in counted.departments:
            here = [record for record in every(crowd) if record.department == one.department]
            waiting = [record for record in here if waits(record)]
            assert one.open == len(waiting)
            assert one.merged == sum(1 for record in here if record.status is Status.OPEN and record.merged_into)
            assert one.overdue == sum(due(record) is Due.OVERDUE for record in waiting)
            assert one.unassigned == sum(not record.assignee for record in waiting)
            assert one.triage == sum(state_of(record) is State.TRIAGE for record in waiting)
        assert {one.department for one in counted.departments} >= {"", "streets", "parks"}
        return counted.behind

    with crowd.database.snapshot() as connection:
        wrong = counts.corrections(connection)
    with crowd.database.transaction() as connection:
        counts.add(connection, wrong)
    assert check() == 0, "the changes that nobody has counted yet are added"
    monkeypatch.setattr(counts, "MOST_ADDED", 3)
    behind = count_queues(crowd, city_of(crowd), principal=SHELL, now=build.NOON).behind
    assert behind > 3, "the answer says that it lacks many changes"
    dispatch_all(crowd)
    assert check() == 0


# --- Plans

PLANNED = [
    {},
    {"department": "streets"},
    {"department": "streets,parks"},
    {"state": "on_hold"},
    {"state": "triage"},
    {"state": "closed"},
    {"state": "closed", "department": "streets"},
    {"assignee": "me"},
    {"overdue": "true"},
    {"merged": "true"},
    {"id": "R3,7"},
    {"q": "elephant"},
]


@pytest.fixture(scope="module")
def large(make_database: Callable[[str], str]) -> Iterator[Platform]:
    """A platform with 3,000 requests."""
    url = make_database("queueplans")
    platform = build.platform(Settings(database_url=url), build.city(id=CITY))
    ensure_synced(platform)
    original = build.store(platform, department="streets", description="A deep hole")
    build.multiply(platform, original, 3_000)
    with platform.database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE service_request SET status = CASE WHEN id %% 3 = 0 THEN 'closed' ELSE 'open' END,"
            " department = CASE WHEN id %% 2 = 0 THEN 'parks' ELSE 'streets' END,"
            " progress = CASE WHEN id %% 50 = 1 THEN 'on_hold' ELSE '' END,"
            " assignee = CASE WHEN id %% 40 = 1 THEN 'staff:5' ELSE '' END, is_triage = id %% 60 = 1,"
            " merged_into = CASE WHEN id %% 70 = 1 THEN 1 ELSE 0 END,"
            " expected_at = requested_at + id %% 100 * interval '1 day'"
        )
    with open_database(url).engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE service_request")
    yield platform
    platform.close()


@pytest.mark.parametrize("sent", PLANNED, ids=str)
def test_no_queue_scans_the_whole_table(large: Platform, sent: dict[str, str]) -> None:
    platform = large
    values, _ = QueueArguments().read({name: [value] for name, value in sent.items()})
    principal = replace(STREETS, scope=Scope(CITY))
    search = queue_search(platform, city_of(platform), values, principal=principal)
    for is_whole in (True, False):
        plan = plan_of(platform, search, is_whole=is_whole)
        assert "Seq Scan" not in plan, plan


def plan_of(platform: Platform, search: QueueSearch, *, is_whole: bool = False) -> str:
    """PostgreSQL's plan for the first page of a queue."""
    statement = queues.page_statement(search, is_whole=is_whole)
    with platform.database.reading() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN {statement.text}", queues.page_values(search, build.NOON))
        return "\n".join(row[0] for row in rows)


def test_the_queue_of_a_department_is_read_from_its_index_without_a_sort(large: Platform) -> None:
    platform = large
    plan = plan_of(platform, QueueSearch(jurisdiction_id=CITY, departments=("streets",)))
    assert "service_request_queue_idx" in plan
    assert "Sort" not in plan
    every_department = plan_of(platform, QueueSearch(jurisdiction_id=CITY))
    assert "service_request_waiting_idx" in every_department
    assert "Sort" not in every_department


def test_requests_that_are_not_public_are_found_by_their_words(crowd: Platform) -> None:
    hidden = [one for one in every(crowd) if waits(one) and one.visibility is Visibility.PRIVATE]
    found = set(queue(crowd, {"q": "loch"}))
    assert {one.number for one in hidden if "Loch" in one.description} <= found


# --- Rendered pages


def search_of(platform: Platform, sent: Mapping[str, str]) -> QueueSearch:
    values, faults = QueueArguments().read({name: [value] for name, value in sent.items()})
    assert not faults
    return queue_search(platform, city_of(platform), values, principal=SHELL)


def rendered(platform: Platform, search: QueueSearch, now: datetime = build.NOON) -> RenderedQueue:
    return render_queue(platform, city_of(platform), search, now)


def read_whole(platform: Platform, search: QueueSearch, now: datetime = build.NOON) -> bytes:
    """The same page without the cache."""
    return json_of(plain_queue(find_queue(platform, search, now), city_of(platform), now))


@pytest.fixture
def desk_city(settings: Settings) -> Iterator[Platform]:
    """A platform with ten requests, which tests may change."""
    platform = build.platform(settings, build.city(id=CITY))
    ensure_synced(platform)
    build.store_all(
        platform,
        [
            {
                "number": n,
                "department": "streets",
                "expected_at": build.NOON + n * HOUR,
                "description": '"due":null',
            }
            for n in range(1, 11)
        ],
    )
    yield platform
    platform.close()


@pytest.mark.parametrize("sent", [one for one, _ in FILTERS] + [{"state": "closed"}, {"page_size": "3"}], ids=str)
def test_a_page_of_cached_rows_has_the_same_bytes(crowd: Platform, sent: dict[str, str]) -> None:
    search = search_of(crowd, {"page_size": "9"} | sent)
    while True:
        wanted = read_whole(crowd, search)
        first, again = rendered(crowd, search), rendered(crowd, search)
        assert first.json == again.json == wanted
        assert first.validator == again.validator
        if first.cursor is None:
            break
        search = replace(search, after=QueueKey.read(first.cursor))


def test_the_value_of_due_follows_the_time(desk_city: Platform) -> None:
    search = search_of(desk_city, {})
    pages = [rendered(desk_city, search, build.NOON + hours * HOUR) for hours in (-40, 0, 5, 50)]
    assert len({page.validator for page in pages}) == len({page.json for page in pages}) == 4
    for hours, page in zip((-40, 0, 5, 50), pages, strict=True):
        assert page.json == read_whole(desk_city, search, build.NOON + hours * HOUR)


@pytest.mark.parametrize("is_by_command", [True, False], ids=["command", "SQL"])
def test_a_change_is_seen_at_once(desk_city: Platform, is_by_command: bool) -> None:
    search = search_of(desk_city, {"department": "streets"})
    before = rendered(desk_city, search)
    if is_by_command:
        build.change(desk_city, "R3", expected_at=build.NOON + 4.5 * HOUR)
    else:
        with desk_city.database.transaction() as connection:
            connection.exec_driver_sql("UPDATE service_request SET address = 'Mill Lane' WHERE id = 3")
    after = rendered(desk_city, search)
    assert after.json == read_whole(desk_city, search) != before.json
    assert after.validator != before.validator


def test_a_request_that_leaves_the_queue_between_the_statements_is_not_shown(
    desk_city: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account of one department must not see the request of another department."""
    search = search_of(desk_city, {"department": "streets"})

    def find_then_change(*args: Any) -> list[RowState]:
        found = find_states(*args)
        build.change(desk_city, "R3", department="parks")
        return found

    find_states = queues.find_states
    monkeypatch.setattr(queues, "find_states", find_then_change)
    page = rendered(desk_city, search)
    assert b'"R3"' not in page.json
    assert page.json == read_whole(desk_city, search)
    monkeypatch.undo()
    again = rendered(desk_city, search)
    assert (again.json, again.validator) == (page.json, page.validator)


def row_of(text: bytes = b"{}") -> CachedRow:
    return CachedRow(text, b"digest", 1, None, build.NOON)


def test_two_cities_with_the_same_numbers_share_no_rows() -> None:
    cache, here, there, row = Process().queue_rows, build.city(id="here"), build.city(id="there"), row_of()
    cache.keep(here, {(1, 1, b"1", 0): row})
    assert cache.find(here, [(1, 1, b"1", 0)]) == [row]
    assert cache.find(there, [(1, 1, b"1", 0)]) == [None]


def test_the_cache_keeps_the_rows_used_last_and_has_a_bound() -> None:
    most = 40 * (OVERHEAD_BYTES + 10)
    row, city = row_of(b"1234567890"), build.city(id=CITY)
    cache = RowCache[RowState, CachedRow](lambda _state, row: len(row.json), most)
    states = [(number, 1, b"1", 0) for number in range(200)]
    for state in states:
        cache.keep(city, {state: row})
        assert cache.find(city, [states[0]]) == [row], "this row is used all the time"
        assert len(cache) <= 42
    assert cache.find(city, [states[199], states[1]]) == [row, None]


def test_threads_share_the_cache(crowd: Platform) -> None:
    searches = [search_of(crowd, {"page_size": size}) for size in ("5", "20", "50")] * 8
    wanted = [read_whole(crowd, search) for search in searches]
    with ThreadPoolExecutor(4) as pool:
        assert [page.json for page in pool.map(partial(rendered, crowd), searches)] == wanted


def test_the_city_says_when_a_request_is_due_soon(settings: Settings) -> None:
    platform = build.platform(settings, build.city(id=CITY, due_soon_hours=48))
    ensure_synced(platform)
    for hours in (47, 49):
        build.store(platform, department="streets", expected_at=build.NOON + timedelta(hours=hours))
    assert len(queue(platform, {"overdue": "soon"})) == 1
    platform.close()
