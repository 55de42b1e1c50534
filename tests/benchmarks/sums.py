"""The SQL of each kind of statistics question, on the counts of five million requests. The counts are made by SQL.

`python -m tests.benchmarks.sums --rows 5000000` prints a table in Markdown, and returns 1 if a statement takes more
than 50 ms of CPU time. It takes some minutes.

The statistics read only their own tables, so the database has no requests. The kinds of requests, their hours and
their days are spread as in the generated city.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest.mock import patch

import orjson
from sqlalchemy import Connection, func, select, text

from open311.domain.requests import Status
from open311.domain.statistics import BUCKETS, Grouping, Question
from open311.embedded import Cluster
from open311.operations.platform import Platform, open_platform
from open311.settings import Settings
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.results import Result
from open311.storage.hot.sessions import Session
from open311.storage.hot.statements import Statement
from tests.asked import answered
from tests.benchmarks.city import Kinds
from tests.benchmarks.cpu import cpu_ns
from tests.benchmarks.data import CITY, city, find_cluster, make_empty
from tests.benchmarks.explain import steps
from tests.benchmarks.tables import table

LIMIT_MS = 50.0
AREAS = 59
DAYS = 5 * 365
TIMES = 5
CUTS = {
    "all": "'', '', ''",
    "department": "'', department, ''",
    "service": "service_code, department, ''",
    "area": "'', '', area",
    "area_department": "'', department, area",
    "service_area": "service_code, department, area",
}
OPEN = """
    INSERT INTO open_count
    SELECT jurisdiction_id, '{cut}', grain, {keys}, date_trunc(grain, requested_on)::date, count(*),
        count(*) FILTER (WHERE due_at < now()), count(*) FILTER (WHERE target = 'matched'), 0, 0
    FROM counted_request, unnest(ARRAY['day', 'month']) AS grain WHERE hours IS NULL GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
LONGER = {"month": "date_trunc('month', period)::date", "ever": "date '0001-01-01'"}
REQUESTS = """
    INSERT INTO counted_request
        (id, requested_on, closed_on, hours, due_at, place, is_quick, is_on_time, jurisdiction_id, service_code,
        department, area, target)
    SELECT n, day, CASE WHEN is_closed THEN day + hours / 24 END, CASE WHEN is_closed THEN hours END,
        CASE WHEN is_due THEN day + interval '3 days' END, 0, false,
        CASE WHEN is_closed AND is_due THEN hours < 72 END,
        :city, service, department, 'Area ' || 1 + floor(:areas * power(random(), 1.5))::integer,
        CASE WHEN is_due THEN 'matched' ELSE 'none' END
    FROM (
        SELECT n, :last - :days + (:days * n::bigint / :rows)::integer AS day, random() < 0.3 AS is_due,
            random() > 0.042 AS is_closed, least(40000, exp(3.3 + 1.6 * sqrt(-2 * ln(1 - random())) * cos(6.28319
            * random())))::integer AS hours, (:services)[1 + width_bucket(random(), :shares)] AS service
        FROM generate_series(1, :rows) AS n
    ) AS made
    JOIN unnest(CAST(:services AS text[]), CAST(:departments AS text[])) AS kind (code, department)
    ON code = service
"""


@dataclass(frozen=True, slots=True)
class Sums:
    """The statements of one question.

    slowest_ms  CPU time of PostgreSQL for the slowest of them; whole_ms: for all. Each is the least of some runs
    path        scans and sorts of the slowest one
    """

    title: str
    statements: int
    slowest_ms: float
    whole_ms: float
    path: tuple[str, ...]


def questions(today: date) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each kind of question, with a title."""
    year = {"first": today - timedelta(days=400), "last": today - timedelta(days=35)}
    for grouping in Grouping:
        if grouping is not Grouping.DAY:
            yield f"all time, by {grouping.value or 'nothing'}", {"group_by": grouping}
        yield f"365 days, by {grouping.value or 'nothing'}", {"group_by": grouping, **year}
    one = ("Illegal Parking",)
    yield "a service, by area", {"group_by": Grouping.AREA, "service_codes": one}
    yield "a service, by month", {"group_by": Grouping.MONTH, "service_codes": one}
    yield "a service, 365 days, by day", {"group_by": Grouping.DAY, "service_codes": one, **year}
    yield "an area, by service", {"group_by": Grouping.SERVICE, "area": "Area 1"}
    yield "an area, 365 days, by service", {"group_by": Grouping.SERVICE, "area": "Area 1", **year}
    yield "an area, by month", {"group_by": Grouping.MONTH, "area": "Area 1"}
    yield "a department, by area", {"group_by": Grouping.AREA, "department": "NYPD"}
    yield "a department, by service", {"group_by": Grouping.SERVICE, "department": "NYPD"}
    yield "a department, 365 days, by week", {"group_by": Grouping.WEEK, "department": "NYPD", **year}
    yield "a service in an area, by month", {"group_by": Grouping.MONTH, "area": "Area 1", "service_codes": one}
    yield "open, by service", {"group_by": Grouping.SERVICE, "statuses": (Status.OPEN,)}
    yield "open, by area", {"group_by": Grouping.AREA, "statuses": (Status.OPEN,)}


def measure_sums(cluster: Cluster, rows: int) -> list[Sums]:
    """Make the counts, and explain the statements of each question."""
    name, today = "bench_sums", datetime.now(UTC).date()
    make_empty(cluster, name)
    try:
        platform = open_platform(
            Settings(database_url=cluster.url(name), jurisdictions=("newyork",), statement_timeout_ms=0)
        )
        with closing(platform):
            _fill(platform, rows, today)
            return [
                _explained(platform, title, Question(jurisdiction_id=CITY, **asked))
                for title, asked in questions(today)
            ]
    finally:
        cluster.drop_database(name)


def _fill(platform: Platform, rows: int, today: date) -> None:
    kinds, mark = Kinds(city()), datetime.now(UTC) - timedelta(minutes=5)
    total = kinds.weights[-1]
    values = {
        "city": CITY,
        "rows": rows,
        "last": today,
        "days": DAYS,
        "areas": AREAS,
        "services": [service.code for service in kinds.services],
        "departments": [service.department for service in kinds.services],
        "shares": [weight / total for weight in kinds.weights[:-1]],
    }
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("SET LOCAL jit = off; SET LOCAL work_mem = '256MB'")
        connection.execute(text(REQUESTS), values)
        for cut, keys in CUTS.items():
            _add_sums(connection, cut, keys)
            connection.execute(text(OPEN.format(cut=cut, keys=keys)))
        connection.execute(text("INSERT INTO overdue_mark VALUES (:city, :mark)"), {"city": CITY, "mark": mark})
    with platform.database.engine.connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        autocommit.exec_driver_sql("VACUUM ANALYZE counted_request, closed_count, open_count, overdue_mark")


def _add_sums(connection: Connection, cut: str, keys: str) -> None:
    """Store the sums of each day, and add them up for months and for all time, without the numbers of `ended`."""
    names = [f"bucket_{number}" for number in range(len(BUCKETS))]
    rest = ("closed", "on_time", "late", "matched", *names)
    columns = f"jurisdiction_id, cut, grain, service_code, department, area, period, {', '.join(rest)}"
    counts = ", ".join(f"sum(closed) FILTER (WHERE bucket = {number + 1})" for number in range(len(BUCKETS)))
    # Counting by bucket first leaves far fewer rows for a hundred sums.
    connection.exec_driver_sql(
        f"INSERT INTO closed_count ({columns})"
        " SELECT jurisdiction_id, cut, 'day', service_code, department, area, requested_on,"
        f" sum(closed), sum(on_time), sum(late), sum(matched), {counts}"
        f" FROM (SELECT jurisdiction_id, '{cut}' AS cut, {keys}, requested_on,"
        f" width_bucket(hours, '{{{', '.join(map(str, BUCKETS))}}}'::integer[]), count(*),"
        " count(*) FILTER (WHERE is_on_time), count(*) FILTER (WHERE NOT is_on_time),"
        " count(*) FILTER (WHERE target = 'matched')"
        " FROM counted_request WHERE hours IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6, 7)"
        " AS counted (jurisdiction_id, cut, service_code, department, area, requested_on, bucket, closed, on_time,"
        " late, matched) GROUP BY 1, 2, 3, 4, 5, 6, 7"
    )
    for grain, period in LONGER.items():
        sums = ", ".join(f"sum({name})" for name in rest)
        connection.exec_driver_sql(
            f"INSERT INTO closed_count ({columns})"
            f" SELECT jurisdiction_id, cut, '{grain}', service_code, department, area, {period}, {sums}"
            f" FROM closed_count WHERE cut = '{cut}' AND grain = 'day' GROUP BY 1, 2, 3, 4, 5, 6, 7"
        )


def _explained(platform: Platform, title: str, question: Question) -> Sums:
    seen: list[tuple[Statement, Any]] = []
    run = Session.run

    def note(session: Session, statement: Statement, values: Any, **more: Any) -> Result:
        if (
            "closed_count" in statement.text
            or "counted_request" in statement.text
            or "open_count" in statement.text
        ):
            seen.append((statement, values))
        return run(session, statement, values, **more)

    with patch.object(Session, "run", note):
        answered(platform, city(), question, now=datetime.now(UTC))
    hot = platform.database.hot
    [(pid,)] = hot.rows(Statement.of(select(func.pg_backend_pid())), {})
    found = [min(_run(hot, pid, *one) for _ in range(TIMES)) for one in seen]
    slowest = max(range(len(seen)), key=found.__getitem__)
    with closing(hot.session()) as session:
        [plan] = session.run(*seen[slowest], before="EXPLAIN (FORMAT JSON) ").texts(0)
    path = tuple(dict.fromkeys(steps(orjson.loads(plan)[0]["Plan"])))
    return Sums(title, len(found), found[slowest], sum(found), path)


def _run(hot: HotConnections, pid: int, statement: Statement, values: Any) -> float:
    """The CPU time of PostgreSQL for a statement, in ms."""
    before = cpu_ns((pid,))
    hot.read(statement, values)
    return (cpu_ns((pid,)) - before) / 1e6


def main() -> int:
    """Measure, print the table, and return 1 if a statement takes too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    rows = parser.parse_args().rows
    with find_cluster() as cluster:
        found = measure_sums(cluster, rows)
    header = [f"{rows:,} requests", "statements", "slowest, ms", "all, ms", "path of the slowest one"]
    lines = (
        (one.title, one.statements, f"{one.slowest_ms:.1f}", f"{one.whole_ms:.1f}", " ← ".join(one.path))
        for one in found
    )
    sys.stdout.write("\n".join(table(header, lines)) + "\n")
    return int(any(one.slowest_ms > LIMIT_MS for one in found))


if __name__ == "__main__":
    sys.exit(main())
