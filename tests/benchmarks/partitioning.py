"""Measures whether one large city gains if its requests are partitioned by time (decision 0059).

`python -m tests.benchmarks.partitioning --rows 1000000` makes a PostgreSQL of its own in a temporary folder, with a
narrow table of public requests in three forms: as one table, and range-partitioned by the year and by the month of
`requested_at`. It has filter columns of `publication` and its most used indexes. The figures are the CPU time of
PostgreSQL for each statement, with kept plans (as usual) and with a new plan for each call (as behind a pooler).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from os import getloadavg
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import psycopg

from open311.embedded import Cluster, find_binaries
from tests.benchmarks.cpu import cpu_ns

YEARS = 6
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FORMS = ("whole", "years", "months")
CALLS = 300
COLUMNS = """
    id BIGINT NOT NULL, requested_at TIMESTAMPTZ NOT NULL, changed_at TIMESTAMPTZ NOT NULL,
    jurisdiction_id TEXT NOT NULL, service_request_id TEXT NOT NULL, service_code TEXT NOT NULL,
    status TEXT NOT NULL
"""
INDEXES = (
    "CREATE INDEX ON {0} (jurisdiction_id, requested_at DESC, id DESC)",
    "CREATE INDEX ON {0} (jurisdiction_id, service_code, requested_at DESC, id DESC)",
    "CREATE INDEX ON {0} (jurisdiction_id, requested_at DESC, id DESC) WHERE status = 'open'",
    "CREATE INDEX ON {0} (jurisdiction_id, changed_at, id)",
)
FILL = """
    INSERT INTO {0}
    SELECT n, at, at + interval '9 days', 'city.example', 'R-' || n, 'service-' || n % 40,
        CASE WHEN n % 20 = 0 OR n > {1} * 0.98 THEN 'open' ELSE 'closed' END
    FROM generate_series(1, {1}) AS n,
        LATERAL (SELECT timestamptz '2020-01-01Z' + n * (interval '6 years' / {1})) AS made (at)
"""
PAGE = "SELECT id, service_request_id, status, requested_at FROM {0} WHERE jurisdiction_id = $1"
NEWEST = "ORDER BY requested_at DESC, id DESC LIMIT 51"
Values = Callable[[Random, int], Sequence[Any]]


@dataclass(frozen=True)
class Case:
    """A statement, and a function that chooses its values: from a random generator and the number of rows."""

    title: str
    sql: str
    values: Values


def _days(random: Random) -> datetime:
    return NOW - timedelta(days=random.randrange(40, 365 * YEARS - 40))


CASES = (
    Case(
        "first page of the last 90 days",
        f"{PAGE} AND requested_at >= $2 AND requested_at <= $3 {NEWEST}",
        lambda random, rows: ("city.example", NOW - timedelta(days=90), NOW),
    ),
    Case(
        "page of a service, 30 days of any year",
        f"{PAGE} AND service_code = $4 AND requested_at >= $2 AND requested_at <= $3 {NEWEST}",
        lambda random, rows: (
            "city.example",
            (day := _days(random)),
            day + timedelta(days=30),
            f"service-{random.randrange(40)}",
        ),
    ),
    Case(
        "one request by its id",
        f"{PAGE} AND service_request_id = $2",
        lambda random, rows: ("city.example", f"R-{random.randrange(1, rows)}"),
    ),
    Case(
        "page of what has changed since an instant",
        f"{PAGE} AND changed_at >= $2 ORDER BY changed_at, id LIMIT 51",
        lambda random, rows: ("city.example", _days(random)),
    ),
    Case(
        "closing a request",
        "UPDATE {0} SET status = 'closed', changed_at = now() WHERE jurisdiction_id = $1 AND id = $2",
        lambda random, rows: ("city.example", random.randrange(1, rows)),
    ),
)


def main() -> int:
    """Make the tables, measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.partitioning", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="open311-partitions-") as folder:
        Path(folder).chmod(0o755)
        with Cluster(Path(folder) / "pg", durable=False, bin_dir=find_binaries()) as cluster:
            cluster.create_database("partitions")
            with closing(psycopg.connect(cluster.dsn("partitions"), autocommit=True)) as connection:
                _fill(connection, words.rows)
                for line in _figures(connection, words.rows, words.rounds):
                    _say(line)
                for line in _dropping(connection):
                    _say(line)
    _say(f"{words.rows:,} rows, {words.rounds} rounds of {CALLS} calls; load {getloadavg()[0]:.1f}")
    return 0


def _fill(connection: psycopg.Connection[Any], rows: int) -> None:
    for form in FORMS:
        key = "(jurisdiction_id, id)" if form == "whole" else "(jurisdiction_id, id, requested_at)"
        named = key.replace("id)", "service_request_id)").replace(" id,", " service_request_id,")
        by = "" if form == "whole" else "PARTITION BY RANGE (requested_at)"
        _run(connection, f"CREATE TABLE {form} ({COLUMNS}, PRIMARY KEY {key}, UNIQUE {named}) {by}")
        for name, first, after in _parts(form):
            _run(connection, f"CREATE TABLE {name} PARTITION OF {form} FOR VALUES FROM ('{first}') TO ('{after}')")
        _run(connection, FILL.format(form, rows))
        for index in INDEXES:
            _run(connection, index.format(form))
        _run(connection, f"VACUUM ANALYZE {form}")


def _parts(form: str) -> Iterator[tuple[str, str, str]]:
    """The name, the first and the next day of each partition."""
    months = {"whole": 0, "years": 12, "months": 1}[form]
    for number in range(0, (YEARS + 1) * 12 if months else 0, months or 1):
        first, after = (f"{2020 + one // 12}-{one % 12 + 1:02}-01Z" for one in (number, number + months))
        yield f"{form}_{number}", first, after


def _figures(connection: psycopg.Connection[Any], rows: int, rounds: int) -> Iterator[str]:
    """A row for each statement and way of planning: CPU time with one table, and the ratios of the others to it."""
    yield "| Statement | Plan | One table, µs | By year | By month |"
    yield "|---|---|---|---|---|"
    for mode in ("force_generic_plan", "force_custom_plan"):
        _run(connection, f"SET plan_cache_mode = {mode}")
        for case in CASES:
            taken: dict[str, list[float]] = {form: [] for form in FORMS}
            for turn in range(rounds):
                for form in FORMS:
                    taken[form].append(_measure(connection, case, form, rows, Random(turn)))
            whole, *others = (median(taken[form]) for form in FORMS)
            ratios = " | ".join(f"{other / whole:.2f} ×" for other in others)
            yield f"| {case.title} | {'kept' if 'generic' in mode else 'new'} | {whole:.0f} | {ratios} |"


def _measure(connection: psycopg.Connection[Any], case: Case, form: str, rows: int, random: Random) -> float:
    """The CPU time of PostgreSQL for one call, in µs."""
    pid, sql = connection.info.backend_pid, case.sql.format(form)
    prepared = psycopg.RawCursor(connection)
    for _ in range(5):
        prepared.execute(sql, case.values(random, rows), prepare=True)
    before = cpu_ns([pid])
    for _ in range(CALLS):
        prepared.execute(sql, case.values(random, rows), prepare=True)
    return (cpu_ns([pid]) - before) / CALLS / 1_000


def _dropping(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """How much removing the oldest year costs."""
    pid = connection.info.backend_pid
    oldest = "requested_at < '2021-01-01Z'"
    for form, statements in (
        ("one table", [f"DELETE FROM whole WHERE {oldest}", "VACUUM whole"]),
        ("by year", ["ALTER TABLE years DETACH PARTITION years_0", "DROP TABLE years_0"]),
    ):
        before = cpu_ns([pid])
        for statement in statements:
            _run(connection, statement)
        yield f"removing the oldest year, {form}: {(cpu_ns([pid]) - before) / 1e9:.3f} s of CPU"


def _run(connection: psycopg.Connection[Any], sql: str) -> None:
    connection.execute(sql.encode())


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
