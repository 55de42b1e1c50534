"""Prepared statements use generic plans. Planning takes as long as reading fifty requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Select, literal_column, select, table

from open311.domain.queues import QueueSearch
from open311.domain.requests import Status
from open311.domain.search import Circle, PageKey, RequestSearch, Sort, Window
from open311.domain.tiles import Tile
from open311.formats import JSON, XML
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from open311.storage.hot import queues
from open311.storage.hot.changes import BEGINNING, read_changes
from open311.storage.hot.nearby import Around, find_earliest_open
from open311.storage.hot.searching import find_digest, find_item, find_items, whole_query
from open311.storage.hot.statements import Statement
from open311.storage.hot.tiles import Way, points_query
from tests import build
from tests.conftest import CITY

Plans = dict[str, tuple[int, int]]
TIMES = 8
"""PostgreSQL makes custom plans for a statement's first five runs, and then considers the generic plan."""
WHOLE = RequestSearch(jurisdiction_id=CITY, requested=Window(build.NOON - timedelta(days=90)))
USUAL = [
    WHOLE,
    replace(WHOLE, after=PageKey(build.NOON, 7)),
    replace(WHOLE, statuses=(Status.OPEN,)),
    replace(WHOLE, service_codes=("potholes",), statuses=(Status.CLOSED,)),
    replace(WHOLE, service_codes=("potholes",), requested=Window(build.NOON - timedelta(days=90), build.NOON)),
    replace(WHOLE, sort=Sort.UPDATED_DESC),
]


@pytest.fixture(scope="module")
def platform(make_database: Callable[[str], str]) -> Iterator[Platform]:
    """Three requests in a separate database. In the shared database, rows of other tests would change the plans."""
    platform = build.platform(Settings(database_url=make_database("plans")), build.city(id=CITY))
    ensure_synced(platform)
    build.store_all(platform, ({"number": number} for number in range(1, 4)))
    yield platform
    platform.close()


def plans(platform: Platform) -> Plans:
    """How often each prepared statement of this thread's connection ran with a generic and with a custom plan."""
    columns = ("statement", "generic_plans", "custom_plans")
    seen: Select[*tuple[Any, ...]] = select(*map(literal_column, columns)).select_from(
        table("pg_prepared_statements")
    )
    rows = platform.database.hot.rows(Statement.of(seen), {})
    return {text: (generic, custom) for text, generic, custom in rows}


def statements_since(platform: Platform, before: Plans) -> list[str]:
    """The statements that ran since `before`. Checks that each had a generic plan at least one time."""
    used = {text: counts for text, counts in plans(platform).items() if counts != before.get(text)}
    assert all(generic > before.get(text, (0, 0))[0] for text, (generic, _) in used.items()), used
    return list(used)


@pytest.mark.parametrize("rows", [1, 7, 10, 11, 50, 100, 101, 1000])
@pytest.mark.parametrize("search", USUAL)
def test_usual_pages_use_a_generic_plan(platform: Platform, search: RequestSearch, rows: int) -> None:
    before = plans(platform)
    page = replace(search, page_size=rows)
    for _ in range(TIMES):
        find_items(platform.database.hot, page, JSON)
        find_items(platform.database.hot, page, XML, with_extras=True)
        find_digest(platform.database.hot, page)
    assert len(statements_since(platform, before)) == 3


def test_single_requests_and_changes_use_a_generic_plan(platform: Platform) -> None:
    before = plans(platform)
    for _ in range(TIMES):
        find_item(platform.database.hot, CITY, "R1", JSON)
        read_changes(platform.database.hot, CITY, BEGINNING, JSON, rows=1000)
    assert len(statements_since(platform, before)) == 2


@pytest.mark.parametrize("long", [24.95, 179.9999])
def test_the_search_for_a_possible_duplicate_uses_a_generic_plan(platform: Platform, long: float) -> None:
    before = plans(platform)
    for number in range(TIMES):
        circle = Circle(long, 60.17 + number / 100, 50.0)
        since = build.NOON - timedelta(days=number)
        around = Around(jurisdiction_id=CITY, service_code="potholes", circle=circle, since=since)
        find_earliest_open(platform.database.hot, around)
    assert len(statements_since(platform, before)) == 1


@pytest.mark.parametrize("rows", [1, 10, 50, 200])
@pytest.mark.parametrize("departments", [None, ("streets",)])
def test_the_queues_of_one_and_of_all_departments_use_a_generic_plan(
    platform: Platform, departments: tuple[str, ...] | None, rows: int
) -> None:
    before = plans(platform)
    search = QueueSearch(jurisdiction_id=CITY, departments=departments, page_size=rows)
    for _ in range(TIMES):
        states = queues.find_states(platform.database.hot.rows, search, build.NOON)
        queues.find_queue(platform.database.hot, search, build.NOON)
        queues.find_rows(platform.database.hot, CITY, states)
    assert len(statements_since(platform, before)) == 3


def test_searches_that_need_a_custom_plan_are_not_prepared(platform: Platform) -> None:
    before = set(plans(platform))
    for search in (
        replace(WHOLE, words="lamp"),
        replace(WHOLE, service_codes=("potholes", "graffiti")),
        replace(WHOLE, service_codes=("potholes",), sort=Sort.UPDATED),
        replace(WHOLE, changed=Window(build.NOON)),
        replace(WHOLE, page=2),
    ):
        find_items(platform.database.hot, search, JSON)
        find_digest(platform.database.hot, search)
    assert set(plans(platform)) == before


@pytest.mark.parametrize("words", ["hole", "hole street -lamp", '"big hole"'])
def test_the_words_of_a_search_are_read_once_and_not_for_each_request(platform: Platform, words: str) -> None:
    search = replace(WHOLE, words=words, words_id="17", language="english")
    near = Tile(14, 9310, 4739)
    found = [whole_query(search), *(points_query(near, search, way) for way in Way)]
    with closing(platform.database.hot.session()) as session:
        for statement, values in found:
            plan = "\n".join(line for (line,) in session.run(statement, values, before="EXPLAIN VERBOSE ").rows())
            assert "@@ '" in plan, plan
            assert "to_tsquery" not in plan, plan


def test_the_words_of_a_queue_are_read_once_and_not_for_each_request(platform: Platform) -> None:
    search = QueueSearch(jurisdiction_id=CITY, words="hole", folded_words="hole", language="english")
    with closing(platform.database.hot.session()) as session:
        statement, values = queues.states_statement(search, build.NOON)
        plan = "\n".join(line for (line,) in session.run(statement, values, before="EXPLAIN VERBOSE ").rows())
    assert "@@ '" in plan, plan
    assert "to_tsquery" not in plan, plan
