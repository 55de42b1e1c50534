"""Each query of the statistics reads ranges of an index, and no whole table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from open311.domain.statistics import BUCKETS, Grouping, Place, Question, bucket_of
from open311.storage import statistics
from open311.storage.engine import Database, open_database
from open311.storage.tables import closed_count, counted_request
from tests import build

REQUESTS = 20_000
FIRST, LAST = date(2025, 2, 10), date(2025, 9, 20)
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
    """Counts of some thousand requests, made by SQL, as `counting` would make them."""
    found = open_database(make_database("statistics_plans"))
    with found.transaction() as connection:
        fill(connection)
    yield found
    found.close()


def fill(connection: Connection) -> None:
    connection.execute(
        text(
            "INSERT INTO counted_request (id, requested_on, closed_on, hours, place, is_quick, jurisdiction_id,"
            " service_code, department, area, target)"
            " SELECT n, date '2025-01-01' + n % 360, date '2025-01-01' + n % 360,"
            " CASE WHEN n % 20 > 0 THEN n * 7 % 900 END, 0, false,"
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
    for table in (counted_request, closed_count):
        connection.execute(text(f"ANALYZE {table.name}"))


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
    with database.reading() as connection:
        plans = plans_of(connection, lambda: answer(connection, question))
    assert len(plans) == 3
    for plan in plans:
        assert "Seq Scan" not in plan, plan
    by_hours = plans[2]
    assert re.search(r"Index (Only )?Scan using counted_request_\w+_idx", by_hours), by_hours
    bounds = re.search(r"Index Cond: .*\bhours >= .*\bhours < ", by_hours)
    assert bounds, by_hours


def answer(connection: Connection, question: Question) -> None:
    """Ask as `answer_groupings` does, for two percentiles of each group that lie in a wide bucket."""
    found = statistics.tally(connection, question, build.NOON, build.NOON.date(), None)
    bucket = bucket_of(400)
    places = [Place(BUCKETS[number], BUCKETS[number + 1], 1) for number in (bucket, bucket + 5)]
    statistics.count_hours(connection, question, dict.fromkeys(found, places), None)


def plans_of(connection: Connection, work: Callable[[], None]) -> list[str]:
    """The plans of the statements that `work` runs."""
    seen: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        seen.append((statement, parameters))

    event.listen(connection.engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(connection.engine, "before_cursor_execute", note)
    return [
        "\n".join(line for (line,) in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters))
        for statement, parameters in seen
    ]
