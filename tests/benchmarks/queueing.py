"""Compares the cost of a page of 50 requests: a page of a department's queue, and a page of the public list.

`python -m tests.benchmarks.queueing --rows 200000` uses its own cluster. The department has half of the requests.
One process serves all calls through the whole application, without a network. In each round, each kind of call gets
its turn. A figure is the CPU time of a call: of this process and of its session in PostgreSQL together, as the
median of all rounds. A ratio is the cost of a call divided by that of a public page
in the same round, as the median of all rounds.

The goal: with 200,000 open requests, a page of the queue costs at most 1.5 times as much as a public page.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder

from open311.app import create_app
from open311.clock import utc_now
from open311.domain.access import Role
from open311.embedded import Cluster, find_binaries
from open311.operations.dispatch.counting import recount
from open311.operations.platform import Platform, open_platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from open311.storage.hot.statements import Statement
from open311.storage.migrations import migrate
from tests import build
from tests.benchmarks.contestants import ROOT
from tests.benchmarks.cpu import cpu_ns
from tests.checked_client import platform_of
from tests.desk import BASE, Desk

HOME = ROOT / "var" / "pg-queueing"
DATABASE = "queueing"
PUBLIC = "/open311/v2/requests.json?page_size=50"
GOAL = 1.5
CALLS = 20
"""Calls of one kind in a row."""
_PID = Statement("", b"", b"SELECT pg_backend_pid()::bigint", ())


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
        database_url=url,
        jurisdictions=("demo",),
        log_level="error",
        get_rate="",
        key_rate="",
        post_rate="",
        statement_timeout_ms=600_000,
    )
    app = create_app(settings, _filled(settings, rows))
    client = FlaskClient(app)
    desk = Desk.of(client, platform_of(app), "ada", Role.AGENT, "streets")
    platform = platform_of(app)
    queue = f"{BASE}/requests?department=streets"
    ways = {
        "public page": Way(_caller(app, PUBLIC)),
        "queue": Way(_caller(app, queue, desk.token)),
        "queue, one row changed": Way(_caller(app, queue, desk.token), lambda: _touch(platform, 1)),
        "queue, ten rows changed": Way(_caller(app, queue, desk.token), lambda: _touch(platform, 10)),
        "queue, all rows changed": Way(_caller(app, queue, desk.token), lambda: _touch(platform, 50)),
        "queue, overdue": Way(_caller(app, f"{BASE}/requests?overdue=true", desk.token)),
        "queue, on hold": Way(_caller(app, f"{BASE}/requests?state=on_hold", desk.token)),
        "counts of queues": Way(_caller(app, f"{BASE}/queues", desk.token)),
    }
    assert len(client.get(PUBLIC).json) == len(desk.get("/requests").json["requests"]) == 50
    pid = platform.database.hot.read(_PID, {}).number(0, 0)
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            spent[name].append(way.spent_ms(pid))
    platform.close()
    return _show(spent, rows)


def _show(spent: dict[str, list[float]], rows: int) -> int:
    """Print the figures, and return 1 if the goal is missed."""
    ratios = {
        name: median(one / usual for one, usual in zip(times, spent["public page"], strict=True))
        for name, times in spent.items()
    }
    for name, times in spent.items():
        span = f"({min(times):.2f}–{max(times):.2f})"
        sys.stdout.write(f"{name:<24}{median(times):8.2f} ms {span:>16}{ratios[name]:8.2f}\n")
    share = ratios["queue"]
    sys.stdout.write(
        f"{rows:,} open requests; a page of the queue costs {share:.2f} public pages; the goal is {GOAL}\n"
    )
    return int(share > GOAL)


@dataclass(frozen=True, slots=True)
class Way:
    """One kind of call. `before` is called before each call, and is not measured."""

    call: Callable[[], None]
    before: Callable[[], None] | None = None

    def spent_ms(self, pid: int) -> float:
        """The CPU time of a call, of this process and of the session `pid`, as the mean of several calls."""
        self.call()
        if self.before is None:
            return _cpu_ms(pid, self._calls) / CALLS
        spent = 0.0
        for _ in range(CALLS):
            self.before()
            spent += _cpu_ms(pid, self.call)
        return spent / CALLS

    def _calls(self) -> None:
        for _ in range(CALLS):
            self.call()


def _cpu_ms(pid: int, work: Callable[[], object]) -> float:
    session, own = cpu_ns((pid,)), time.process_time_ns()
    work()
    own = time.process_time_ns() - own
    return (own + cpu_ns((pid,)) - session) / 1e6


def _caller(app: Flask, address: str, token: str = "") -> Callable[[], None]:
    """A function that calls the application as the HTTP server does. Flask's test client costs more than a page."""
    path, _, query = address.partition("?")
    headers = [("Authorization", f"Bearer {token}")] if token else []
    environ = EnvironBuilder(path=path, query_string=query, headers=headers).get_environ()
    statuses: list[str] = []

    def call() -> None:
        b"".join(app.wsgi_app(dict(environ), lambda status, *_: statuses.append(status)))
        assert statuses.pop() == "200 OK"

    return call


def _touch(platform: Platform, rows: int) -> None:
    """Change some of the first rows of the queue, so that they have to be read again."""
    first = (
        "SELECT id FROM service_request WHERE status = 'open' AND merged_into = 0 AND department = 'streets'"
        f" AND jurisdiction_id = 'city.example' ORDER BY coalesce(expected_at, 'infinity'), id LIMIT {rows}"
    )
    with platform.database.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE service_request SET version = version + 1 WHERE id IN ({first})")


def _filled(settings: Settings, rows: int) -> Platform:
    """A platform with `rows` open requests of the demo city."""
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
