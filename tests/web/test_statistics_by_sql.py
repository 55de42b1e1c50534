"""Every number of stats.json for many random requests, compared with what DuckDB counts in the list.
`OPEN311_TEST_ROWS=100000 make test TESTS=tests/web/test_statistics_by_sql.py` does it with more requests.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from flask.testing import FlaskClient

from open311.app import create_app
from open311.clock import utc_now
from open311.domain.requests import Status
from open311.operations.platform import Platform
from open311.operations.statistics.counting import check_all
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from tests import build
from tests.operations.test_statistics import AREAS, DEPARTMENTS, SERVICES, make_city

ROWS = int(os.environ.get("OPEN311_TEST_ROWS", "8000"))
PER_TRANSACTION = 1_000
V2 = "/open311/v2"
ZONE = "America/New_York"
MINUTES_OF_TWO_YEARS = 60 * 24 * 730
KEYS = {
    "service": "service",
    "group": "service_group",
    "department": "department",
    "area": "unnest(areas)",
    "day": "strftime(day, '%Y-%m-%d')",
    "week": "strftime(date_trunc('week', day), '%Y-%m-%d')",
    "month": "strftime(date_trunc('month', day), '%Y-%m-%d')",
}
ITEMS = """
    CREATE TABLE item AS
    SELECT *, (reported AT TIME ZONE $zone)::date AS reported_on, (closed AT TIME ZONE $zone)::date AS closed_on,
        -- the service levels of the city, written down once more
        CASE WHEN promised IS NOT NULL OR service IN ('potholes', 'calls') THEN 'matched'
            WHEN service = 'signs' THEN 'ambiguous'
            WHEN service = 'trees' THEN 'not_managed' ELSE 'none' END AS target,
        greatest(0, epoch(closed)::bigint - epoch(reported)::bigint) // 3600 AS hours
    FROM (
        SELECT service_code AS service, coalesce(extended_attributes.department, '') AS department,
            coalesce(extended_attributes.group, '') AS service_group,
            CASE WHEN len(extended_attributes.areas) > 0 THEN extended_attributes.areas ELSE [''] END AS areas,
            requested_datetime::timestamptz AS reported, expected_datetime::timestamptz AS promised,
            CASE WHEN status = 'closed' THEN extended_attributes.closed_datetime::timestamptz END AS closed
        FROM read_json($files, format = 'array', columns = {
            service_code: 'VARCHAR', status: 'VARCHAR', requested_datetime: 'VARCHAR', expected_datetime: 'VARCHAR',
            extended_attributes:
                'STRUCT("group" VARCHAR, department VARCHAR, areas VARCHAR[], closed_datetime VARCHAR)'
        })
    )
"""
AT_INTAKE = """
    CREATE TABLE at_intake AS
    SELECT service FROM item WHERE closed IS NOT NULL GROUP BY service
    HAVING count(*) >= 10 AND count(*) FILTER (closed - reported < interval 6 minutes) >= 0.9 * count(*)
"""
NUMBERS = """
    SELECT coalesce(r.key, e.key) AS key, coalesce(opened, 0) AS opened, coalesce(r.closed, 0) AS closed,
        coalesce(is_open, 0) AS open, coalesce(ended, 0) AS closed_in_period,
        coalesce(age_7, 0) AS open_up_to_7_days, coalesce(age_30, 0) AS open_up_to_30_days,
        coalesce(age_90, 0) AS open_up_to_90_days, coalesce(age_365, 0) AS open_up_to_365_days,
        coalesce(older, 0) AS open_longer, coalesce(timed, 0) AS timed,
        sorted[(timed + 1) // 2] AS median_hours, sorted[(9 * timed + 9) // 10] AS p90_hours,
        coalesce(within, 0) AS within, coalesce(timed + waiting, 0) AS within_of,
        coalesce(on_time, 0) AS on_time, coalesce(judged, 0) AS on_time_of,
        coalesce(matched, 0) AS target_matched, coalesce(ambiguous, 0) AS target_ambiguous,
        coalesce(not_managed, 0) AS target_not_managed, coalesce(none, 0) AS target_none
    FROM (
        SELECT key, count(*) AS opened,
            count(*) FILTER (NOT is_open) AS closed, count(*) FILTER (is_open) AS is_open,
            count(*) FILTER (is_open AND age <= 7) AS age_7,
            count(*) FILTER (is_open AND age > 7 AND age <= 30) AS age_30,
            count(*) FILTER (is_open AND age > 30 AND age <= 90) AS age_90,
            count(*) FILTER (is_open AND age > 90 AND age <= 365) AS age_365,
            count(*) FILTER (is_open AND age > 365) AS older,
            count(*) FILTER (has_times AND NOT is_open) AS timed,
            list_sort(list(hours) FILTER (has_times AND NOT is_open)) AS sorted,
            count(*) FILTER (has_times AND NOT is_open AND hours < 24 * $days) AS within,
            count(*) FILTER (has_times AND is_open AND age > $days) AS waiting,
            count(*) FILTER (has_times AND closed <= promised) AS on_time,
            count(*) FILTER (has_times AND promised IS NOT NULL AND (NOT is_open OR promised < $as_of)) AS judged,
            count(*) FILTER (target = 'matched') AS matched, count(*) FILTER (target = 'ambiguous') AS ambiguous,
            count(*) FILTER (target = 'not_managed') AS not_managed, count(*) FILTER (target = 'none') AS none
        FROM (
            SELECT *, closed IS NULL AS is_open, service NOT IN (FROM at_intake) AS has_times,
                ($as_of AT TIME ZONE $zone)::date - reported_on AS age,
                {key} AS key
            FROM (SELECT *, reported_on AS day FROM item) WHERE {where}
        ) WHERE {where_key} GROUP BY key
    ) r FULL JOIN (
        SELECT key, count(*) AS ended
        FROM (
            SELECT {key} AS key
            FROM (SELECT *, closed_on AS day FROM item WHERE closed IS NOT NULL) WHERE {where}
        )
        WHERE {where_key} GROUP BY key
    ) e ON r.key = e.key
"""


@pytest.fixture(scope="module")
def client(make_database: Any) -> Iterator[FlaskClient]:
    """A city with many random requests."""
    settings = Settings(database_url=make_database("by_sql"), log_level="error")
    platform = build.platform(settings, make_city())
    ensure_synced(platform)
    fill(platform, Random(11))
    app = create_app(settings, platform)
    yield app.test_client()
    platform.close()


def fill(platform: Platform, random: Random) -> None:
    """Store the requests, and count them as the daily check does."""
    for first in range(0, ROWS, PER_TRANSACTION):
        build.store_all(platform, (request(random, first + number) for number in range(1, PER_TRANSACTION + 1)))
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM outbox")
    assert check_all(platform, utc_now()) == ROWS


def request(random: Random, number: int) -> dict[str, Any]:
    """A random request of the last two years. Calls are closed within minutes."""
    now, service = utc_now().replace(microsecond=0), random.choice(SERVICES).code
    at = now - timedelta(seconds=random.randint(600, 60 * MINUTES_OF_TWO_YEARS))
    took = timedelta(seconds=random.randint(0, 300) if service == "calls" else int(random.lognormvariate(12, 1.5)))
    is_closed = random.random() < 0.8 and at + took < now
    changed_at = at + took if is_closed else at
    return {
        "number": number,
        "at": at,
        "updated_at": changed_at,
        "changed_at": changed_at,
        "status": Status.CLOSED if is_closed else Status.OPEN,
        "service_code": service,
        "department": random.choice(DEPARTMENTS),
        "areas": random.choice(AREAS),
        "expected_at": at + timedelta(hours=random.randint(1, 2_000)) if random.random() < 0.5 else None,
    }


@pytest.fixture(scope="module")
def counted(client: FlaskClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database of DuckDB with the list of all requests, page by page."""
    folder: Path = tmp_path_factory.mktemp("pages")
    address: str | None = f"{V2}/requests.json?extensions=true&page_size=1000&updated_after=2000-01-01T00:00:00Z"
    while address:
        answer = client.get(address)
        assert answer.status_code == 200
        (folder / f"{len(list(folder.iterdir()))}.json").write_bytes(answer.data)
        links = [part for part in answer.headers.get("Link", "").split(",") if 'rel="next"' in part]
        address = links[0].partition("<")[2].partition(">")[0] if links else None
    with duckdb.connect() as found:
        found.execute("SET TimeZone = 'UTC'")
        found.execute(ITEMS, {"zone": ZONE, "files": str(folder / "*.json")})
        found.execute(AT_INTAKE)
        assert found.execute("SELECT count(*) FROM item").fetchall() == [(ROWS,)]
        assert found.execute("FROM at_intake").fetchall() == [("calls",)]
        yield found


def day(ago: int) -> str:
    return str(utc_now().date() - timedelta(days=ago))


FILTERS: list[dict[str, Any]] = [
    {},
    {"group_by": "service"},
    {"group_by": "group", "within_days": 30},
    {"group_by": "department", "start_date": 400, "end_date": 35},
    {"group_by": "area"},
    {"group_by": "month", "area": "Hill"},
    {"group_by": "week", "start_date": 300, "department": "parks"},
    {"group_by": "day", "start_date": 90, "service_code": "potholes,signs"},
    {"group_by": "service", "area": "Harbour", "end_date": 100, "within_days": 1},
    {"group_by": "area", "service_code": "trees", "start_date": 500, "end_date": 20},
    {"status": "open", "group_by": "service"},
    {"status": "closed", "group_by": "area", "within_days": 365},
    {"service_code": "calls", "department": "streets"},
    {"start_date": 61, "end_date": 1, "group_by": "department", "area": "Hill", "service_code": "other,trees"},
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_every_number_equals_the_count_over_the_list(
    client: FlaskClient, counted: duckdb.DuckDBPyConnection, filters: dict[str, Any]
) -> None:
    sent = {name: day(value) if name.endswith("_date") else str(value) for name, value in filters.items()}
    answer = client.get(f"{V2}/stats.json", query_string=sent)
    assert answer.status_code == 200, answer.text
    found = answer.json
    assert found is not None
    assert found["left_out"] == (["calls"] if "calls" in sent.get("service_code", "calls") else [])
    wanted = expected(counted, sent, datetime.fromisoformat(found["as_of"]))
    rows = {row["key"] or "": row for row in found["rows"]}
    assert rows.keys() == wanted.keys()
    for key, numbers in wanted.items():
        assert {name: rows[key][name] for name in numbers} == numbers, key


def expected(counted: duckdb.DuckDBPyConnection, sent: dict[str, str], as_of: datetime) -> dict[str, Any]:
    """The numbers of each group that has any, by DuckDB."""
    conditions = ["true"]
    codes = ", ".join(f"'{code}'" for code in sent.get("service_code", "").split(",") if code)
    conditions += [f"service IN ({codes})"] if codes else []
    conditions += [f"department = '{sent['department']}'"] if "department" in sent else []
    conditions += [f"'{sent['area']}' IN areas"] if "area" in sent else []
    conditions += [f"(closed IS NULL) = {sent['status'] == 'open'}"] if "status" in sent else []
    conditions += [f"day >= '{sent['start_date']}'"] if "start_date" in sent else []
    conditions += [f"day <= '{sent['end_date']}'"] if "end_date" in sent else []
    key = KEYS.get(sent.get("group_by", ""), "''")
    has_one_area = sent.get("group_by") == "area" and "area" in sent
    query = NUMBERS.format(
        key=key,
        where=" AND ".join(conditions),
        where_key=f"key = '{sent['area']}'" if has_one_area else "true",
    )
    values = {"zone": ZONE, "as_of": as_of, "days": int(sent.get("within_days", "7"))}
    result = counted.execute(query, values)
    names = [column[0] for column in result.description or ()]
    return {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in result.fetchall()}
