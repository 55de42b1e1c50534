"""What the queue of a department costs, compared with the public list: one page of 50 requests each.

`python -m tests.benchmarks.queueing --rows 200000` uses its own cluster. Half of the requests are those of the
department. Both pages are served by the same process through the whole application, without a network. Each figure
is the median of the shortest times of several rounds.

The goal: a page of the queue costs at most 1.5 times as much as a public page, with 200,000 open requests.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from statistics import median

from flask.testing import FlaskClient

from open311.app import create_app
from open311.clock import utc_now
from open311.domain.access import Role
from open311.embedded import Cluster, find_binaries
from open311.operations.dispatch.counting import recount
from open311.operations.platform import Platform, open_platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from open311.storage.migrations import migrate
from tests import build
from tests.benchmarks.contestants import ROOT
from tests.conftest import platform_of
from tests.desk import Desk

HOME = ROOT / "var" / "pg-queueing"
DATABASE = "queueing"
PUBLIC = "/open311/v2/requests.json?page_size=50&status=open"
GOAL = 1.5
CALLS = 20
"""Calls of one kind in a row."""


def main() -> int:
    """Measure, print the figures, and return 1 if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=30)
    words = parser.parse_args()
    with Cluster(HOME, bin_dir=find_binaries()) as cluster:
        cluster.drop_database(DATABASE)
        cluster.create_database(DATABASE)
        try:
            return _run(cluster.url(DATABASE), words.rows, words.rounds)
        finally:
            cluster.drop_database(DATABASE)


def _run(url: str, rows: int, rounds: int) -> int:
    settings = Settings(
        database_url=url, jurisdictions=("demo",), log_level="error", get_rate="", key_rate="", post_rate=""
    )
    app = create_app(settings, _filled(settings, rows))
    client = FlaskClient(app)
    desk = Desk.of(client, platform_of(app), "ada", Role.AGENT, "streets")
    ways: dict[str, Callable[[], object]] = {
        "public page": lambda: client.get(PUBLIC),
        "queue": lambda: desk.get("/requests"),
        "queue, overdue": lambda: desk.get("/requests?overdue=true"),
        "queue, on hold": lambda: desk.get("/requests?state=on_hold"),
        "counts of queues": lambda: desk.get("/queues"),
    }
    assert len(client.get(PUBLIC).json) == len(desk.get("/requests").json["requests"]) == 50
    spent = {name: [_spent_s(way) for _ in range(rounds)] for name, way in ways.items()}
    usual = median(spent["public page"])
    for name, times in spent.items():
        sys.stdout.write(f"{name:<18}{median(times) * 1000:8.2f} ms{median(times) / usual:8.2f}\n")
    share = median(spent["queue"]) / usual
    sys.stdout.write(
        f"{rows:,} open requests; a page of the queue costs {share:.2f} public pages; the goal is {GOAL}\n"
    )
    platform_of(app).close()
    return int(share > GOAL)


def _spent_s(way: Callable[[], object]) -> float:
    """The time of the fastest of several calls, because other processes disturbed it least."""
    times = []
    for _ in range(CALLS):
        begun_at = time.perf_counter()
        way()
        times.append(time.perf_counter() - begun_at)
    return min(times)


def _filled(settings: Settings, rows: int) -> Platform:
    """A platform with so many open requests of the demo city."""
    platform = open_platform(settings)
    with platform.database.transaction() as connection:
        migrate(connection)
    ensure_synced(platform)
    original = build.store(platform, department="streets", at=utc_now() - timedelta(days=60), description="A hole")
    build.multiply(platform, original, rows)
    with platform.database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE service_request SET department = CASE WHEN mod(id, 2) = 0 THEN 'parks' ELSE 'streets' END,"
            " progress = CASE WHEN mod(id, 50) = 1 THEN 'on_hold' ELSE '' END,"
            " expected_at = requested_at + mod(id, 100) * interval '1 day'"
        )
    recount(platform)
    with platform.database.reading() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE service_request")
    return platform


if __name__ == "__main__":
    sys.exit(main())
