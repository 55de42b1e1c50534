"""Each query of the statistics reads ranges of an index, and no whole table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import ColumnElement, Connection, literal_column, select, table, text

from open311.domain.statistics import BUCKETS, Grouping, Place, Question, bucket_of
from open311.storage import statistics
from open311.storage.engine import Database, open_database
from open311.storage.hot.connections import Read
from open311.storage.hot.results import Result
from open311.storage.hot.statements import Statement
from open311.storage.tables import closed_count, counted_request, open_count
from tests import build

REQUESTS = 20_000
FIRST, LAST = date(2025, 2, 10), date(2025, 9, 20)
TIMES = 8
"""PostgreSQL makes custom plans for a statement's first five runs, and then considers the generic plan."""
CUTS = {
    "all": "'', '', ''",
    "department": "'', department, ''",
    "service": "service_code, department, ''",
    "area": "'', '', area",
    "area_department": "'', department, area",
    "service_area": "service_code, department, area",
}
GRAINS = {"ever": "date '0001-01-01'", "month": "date_trunc('month', requested_on)::date", "day": "requested_on"}


@pytest.fixture(scope="module")
def database(make_database: Callable[[str], str]) -> Iterator[Database]:
    """Counts of REQUESTS requests, made by SQL, as `counting` would make them."""
    found = open_database(make_database("statistics_plans"))
    with found.transaction() as connection:
        fill(connection)
    yield found
    found.close()


def fill(connection: Connection) -> None:
    connection.execute(
        text(
            "INSERT INTO counted_request (id, requested_on, closed_on, hours, due_at, place, is_quick,"
            " jurisdiction_id, service_code, department, area, target)"
            " SELECT n, date '2025-01-01' + n % 360, date '2025-01-01' + n % 360,"
            " CASE WHEN n % 20 > 0 THEN n * 7 % 900 END, date '2025-01-01' + n % 700, 0, false,"
            " 'city', 's' || n % 97, 'd' || n % 7, 'a' || n % 31, 'none'"
            " FROM generate_series(1, :count) AS n"
        ),
        {"count": REQUESTS},
    )
    buckets = ", ".join(f"bucket_{number}" for number in range(len(BUCKETS)))
    ends = [*BUCKETS[1:], 1 << 30]
    counts = ", ".join(
        f"nullif(count(*) FILTER (WHERE hours >= {least} AND hours < {end}), 0)"
        for least, end in zip(BUCKETS, ends, strict=True)
    )
    for cut, keys in CUTS.items():
        for grain, period in GRAINS.items():
            connection.execute(
                text(
                    "INSERT INTO closed_count (jurisdiction_id, cut, grain, service_code, department, area, period,"
                    f" closed, {buckets})"
                    f" SELECT jurisdiction_id, '{cut}', '{grain}', {keys}, {period}, count(*), {counts}"
                    " FROM counted_request WHERE hours IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6, 7"
                )
            )
    for cut, keys in CUTS.items():
        for grain in ("month", "day"):
            connection.execute(
                text(
                    "INSERT INTO open_count"
                    f" SELECT jurisdiction_id, '{cut}', '{grain}', {keys}, {GRAINS[grain]}, count(*), 0, 0, 0, 0"
                    " FROM counted_request WHERE hours IS NULL GROUP BY 1, 2, 3, 4, 5, 6, 7"
                )
            )
    for filled in (counted_request, closed_count, open_count):
        connection.execute(text(f"ANALYZE {filled.name}"))


QUESTIONS = [
    {},
    {"group_by": Grouping.SERVICE},
    {"group_by": Grouping.GROUP, "service_codes": ("s1", "s2")},
    {"group_by": Grouping.DEPARTMENT},
    {"group_by": Grouping.AREA},
    {"group_by": Grouping.AREA, "service_codes": ("s1",)},
    {"group_by": Grouping.SERVICE, "area": "a3"},
    {"group_by": Grouping.MONTH},
    {"group_by": Grouping.WEEK, "area": "a3", "department": "d1"},
    {"group_by": Grouping.DAY, "service_codes": ("s1",)},
    {"department": "d1"},
]


@pytest.mark.parametrize("dates", [{}, {"first": FIRST, "last": LAST}])
@pytest.mark.parametrize("asked", QUESTIONS)
def test_no_query_reads_a_whole_table(database: Database, asked: dict[str, Any], dates: dict[str, Any]) -> None:
    question = Question(jurisdiction_id="city", **asked, **dates)
    plans = plans_of(database, lambda read: answer(read, question))
    assert len(plans) == 4
    for plan in plans:
        assert "Seq Scan" not in plan, plan
    _, by_band, overdue, by_hours = plans
    assert re.search(r"Scan (using|on) open_count_\w+", by_band), by_band
    assert re.search(r"Index Cond: .*\bdue_at >= .*\bdue_at < ", overdue), overdue
    assert re.search(r"Index (Only )?Scan using counted_request_\w+_idx", by_hours), by_hours
    bounds = re.search(r"Index Cond: .*\bhours >= .*\bhours < ", by_hours)
    assert bounds, by_hours


@pytest.mark.parametrize("grouping", Grouping)
def test_the_sums_use_a_generic_plan(database: Database, grouping: Grouping) -> None:
    question = Question(jurisdiction_id="city", group_by=grouping, first=FIRST, last=LAST)
    before = generic_plans_of(database)
    for _ in range(TIMES):
        answer(database.hot.read, question)
    after = generic_plans_of(database)
    grown = "".join(statement for statement, number in after.items() if number > before.get(statement, 0))
    assert "closed_count" in grown
    assert "open_count" in grown


def generic_plans_of(database: Database) -> dict[str, int]:
    """How often each prepared statement of this thread's connection ran with a generic plan."""
    columns: list[ColumnElement[Any]] = [literal_column("statement"), literal_column("generic_plans")]
    prepared = select(*columns).select_from(table("pg_prepared_statements"))
    return dict(database.hot.rows(Statement.of(prepared), {}))


def answer(read: Read, question: Question) -> None:
    """Ask as `answer_groupings` does. Each group gets two percentiles, each of them in a wide bucket."""
    mark = build.NOON - timedelta(hours=1)
    found = statistics.tally(read, question, build.NOON, build.NOON.date(), None, mark)
    bucket = bucket_of(400)
    places = [Place(BUCKETS[number], BUCKETS[number + 1], 1) for number in (bucket, bucket + 5)]
    wanted = dict.fromkeys(found, places)
    if question.group_by in statistics.IN_ORDER:
        statistics.find_hours(read, question, wanted)
    else:
        statistics.count_hours(read, question, wanted, None)


def plans_of(database: Database, work: Callable[[Read], None]) -> list[str]:
    """The plans of the statements that `work` runs."""
    plans = []
    with closing(database.hot.session()) as session:

        def read(statement: Statement, values: Mapping[str, Any]) -> Result:
            explained = session.run(statement, values, before="EXPLAIN ")
            plans.append("\n".join(line.decode() for line in explained.texts(0)))
            return session.run(statement, values)

        work(read)
    return plans
