"""Measures what reads cost while other work is done, in rounds without and with that work.

A figure is the CPU time of a read, of the readers' server and its sessions in PostgreSQL together. In each round,
the same reads are sent in short bursts. Other servers and workers do the other work; see delivering.py and
uploading.py.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from statistics import median

from open311.clock import utc_now
from open311.embedded import Cluster, find_binaries
from open311.operations.dispatch.counting import recount
from open311.operations.platform import Platform, open_platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from open311.storage.migrations import migrate
from tests import build
from tests.benchmarks.contestants import OURS, started, wait_for_answer
from tests.benchmarks.cpu import cpu_ns
from tests.benchmarks.load import Line, Refused, call
from tests.benchmarks.tables import table
from tests.ports import free_port

CITY = "works.example"
GOAL = 1.25
BURST = 20
"""Reads of one kind in a row."""
PAUSE_S = 0.1
READER = "postgres"
"""The role of the readers' server in PostgreSQL. The name of the role identifies the sessions of this server."""
KINDS = ("a page of 50 requests", "one request")

JURISDICTION = f"""
id = "{CITY}"
name = "Works City"
time_zone = "UTC"
triage = "desk"
[[departments]]
code = "desk"
name = "Desk"
[[services]]
code = "potholes"
name = "Potholes"
description = "Holes in the road."
department = "desk"
"""


@dataclass(frozen=True, slots=True)
class Costs:
    """What reads cost in one pair of rounds.

    cost_ms  kind of read -> the CPU time of a read without and with the load
    """

    cost_ms: dict[str, tuple[float, float]]

    def ratio(self, kind: str) -> float:
        without, beside = self.cost_ms[kind]
        return beside / without


@contextmanager
def own_database(home: Path, name: str) -> Iterator[str]:
    """The URL of an empty database in a cluster of its own. The database is dropped at the end.

    SIGTERM ends this process by an exception, so that the started processes end too.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Cluster(home, bin_dir=find_binaries()) as cluster:
        cluster.drop_database(name)
        cluster.create_database(name)
        try:
            yield cluster.url(name)
        finally:
            cluster.drop_database(name)


class Town:
    """A city with many requests, a server for its readers, and the other processes that a benchmark starts.

    folder     a folder for the city, the log and the data of the servers
    backends   the text of the city's backends.toml; "" for none
    variables  settings of all processes
    """

    def __init__(
        self, url: str, rows: int, folder: Path, stack: ExitStack, *, backends: str, variables: Mapping[str, str]
    ) -> None:
        self._stack, self.log = stack, folder / "log"
        city = folder / "city"
        city.mkdir()
        (city / "jurisdiction.toml").write_text(JURISDICTION, encoding="utf-8")
        if backends:
            (city / "backends.toml").write_text(backends, encoding="utf-8")
        self._environment = {
            "DATABASE_URL": url,
            "OPEN311_JURISDICTIONS": str(city),
            "OPEN311_LOG_LEVEL": "warning",
            "OPEN311_GET_RATE": "",
            "OPEN311_POST_RATE": "",
            "OPEN311_KEY_RATE": "",
            "OPEN311_DATA_DIR": str(folder / "data"),
            **variables,
        }
        settings = Settings(database_url=url, jurisdictions=(str(city),), statement_timeout_ms=600_000)
        self.platform: Platform = open_platform(settings)
        stack.callback(self.platform.close)
        self.numbers = _filled(self.platform, rows)
        self.postmaster = _postmaster_of(self.platform)
        self._names: list[str] = []
        self._reader, self._reader_port = self.serve(DATABASE_URL=url.replace("open311@", f"{READER}@", 1))

    def start(self, *words: str, **variables: str) -> int:
        """Start a command of open311. Returns the id of the process."""
        with self.log.open("ab") as log:
            process = self._stack.enter_context(
                started(
                    [sys.executable, "-m", "open311", *words],
                    {**self._environment, **variables},
                    stdout=log,
                    stderr=log,
                )
            )
        return process.pid

    def serve(self, **variables: str) -> tuple[int, int]:
        """Start a server with one web process. Returns the id of the process and the port."""
        port = free_port()
        pid = self.start("serve", "--port", str(port), "--workers", "1", **variables)
        wait_for_answer(replace(OURS, probe="/open311/v2/services.json"), port, lambda: None, self.log)
        return pid, port

    def read_only(self, numbers: Sequence[int]) -> None:
        """Let the readers of one request read these requests."""
        self._names = [f"M{number - 1_000_000}" for number in numbers]

    def reads(self, seconds: float) -> dict[str, float]:
        """Read in bursts for some seconds. Returns the CPU time of a read of each kind, in ms."""
        spent, count = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
        random, until = Random(1), time.monotonic() + seconds
        line = Line(self._reader_port)
        try:
            while time.monotonic() < until:
                for kind in KINDS:
                    targets = [self._target(kind, random) for _ in range(BURST)]
                    spent[kind] += self._burst(line, targets)
                    count[kind] += BURST
                    time.sleep(PAUSE_S)  # the pace of reads; the load continues during the pause
        finally:
            line.close()
        return {kind: spent[kind] / count[kind] / 1e6 for kind in KINDS}

    def _target(self, kind: str, random: Random) -> bytes:
        if kind == KINDS[0]:
            return call("GET", "/open311/v2/requests.json?page_size=50")
        return call("GET", f"/open311/v2/requests/{random.choice(self._names)}.json")

    def _burst(self, line: Line, requests: Sequence[bytes]) -> int:
        """The CPU time of some reads in a row, in ns, of the readers' server and its sessions."""
        pids = [self._reader, *self._sessions()]
        before = cpu_ns(pids)
        for request in requests:
            line.send(request)
            while not line.receive():
                pass
            if line.status != 200:
                raise Refused(f"a read got {line.status}: {bytes(line.body)[:200]!r}")
        return cpu_ns(pids) - before

    def _sessions(self) -> list[int]:
        query = f"SELECT pid FROM pg_stat_activity WHERE usename = '{READER}' AND datname = current_database()"
        with self.platform.database.reading() as connection:
            return list(connection.exec_driver_sql(query).scalars())

    def number(self, query: str) -> int:
        """The one number that a query finds."""
        with self.platform.database.reading() as connection:
            return int(connection.exec_driver_sql(query).scalar_one())


def _filled(platform: Platform, rows: int) -> list[int]:
    """Store open requests, one a minute until now; returns their numbers, the newest first."""
    with platform.database.transaction() as connection:
        migrate(connection)
    ensure_synced(platform)
    original = build.store(platform, department="desk", at=utc_now() - timedelta(days=60), description="A hole.")
    build.multiply(platform, original, rows)
    with platform.database.transaction() as connection:
        for name in ("service_request", "publication"):
            connection.exec_driver_sql(
                f"UPDATE {name} SET (requested_at, updated_at, changed_at) = (at, at, at) FROM"
                f" (SELECT id AS number, now() - ({rows} - (id - 1000000)) * interval '1 minute' AS at"
                f" FROM {name}) AS new"
                " WHERE id = number AND id > 1000000"
            )
    recount(platform)
    with platform.database.reading() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
        numbers = connection.exec_driver_sql("SELECT id FROM service_request WHERE id > 1000000 ORDER BY id DESC")
        return list(numbers.scalars())


def _postmaster_of(platform: Platform) -> int:
    with platform.database.reading() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    return int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])


def say(words: str) -> None:
    """Tell on standard error how far the benchmark is."""
    sys.stderr.write(f"{words}\n")


# --- The page


def table_of_costs(rounds: Sequence[Costs]) -> Iterator[str]:
    """The table of what a read of each kind costs."""
    head = ("Read", "alone, ms", "beside it, ms", "times", "least", "greatest")
    yield from table(head, (_row(kind, rounds) for kind in KINDS))


def _row(kind: str, rounds: Sequence[Costs]) -> Iterator[object]:
    yield kind
    yield from (f"{median(one.cost_ms[kind][place] for one in rounds):.3f}" for place in (0, 1))
    ratios = [one.ratio(kind) for one in rounds]
    yield from (f"{value:.2f}" for value in (median(ratios), min(ratios), max(ratios)))


def missed_costs(rounds: Sequence[Costs]) -> Iterator[str]:
    """The kinds of read that cost more than the goal allows."""
    for kind in KINDS:
        if median(one.ratio(kind) for one in rounds) > GOAL:
            yield f"MISSED: {kind} costs more than {GOAL} times as much"
