"""Restarts the web hosts and workers of a city one after another while calls go on, and counts calls that fail.

`python -m tests.benchmarks.rolling` uses its own PostgreSQL. Two web hosts (`open311 serve`, each on its port) are
behind a real nginx and a real haproxy, with the configuration of the operator's guide, and two workers do the
background work. Half of the calls go through each balancer. Each process is told to stop by SIGTERM, as a service
manager does it, and the next process is restarted when this one is ready again. At the end

    no call has failed: each got status 200
    each report that was acknowledged is stored once, and nothing else is stored

A report has no Idempotency-Key, so that no balancer may send it a second time.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from itertools import count
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

from open311.clock import utc_now
from open311.embedded import Cluster, find_binaries
from open311.operations.access.api_keys import add_key
from open311.operations.platform import open_platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from open311.storage.migrations import migrate
from tests.benchmarks.balancers import balancing, installed
from tests.ports import free_port
from tests.waiting import until

ROOT = Path(__file__).parents[2]
DATABASE = "rolling"
DRAIN_S = 5
"""The OPEN311_DRAIN_S of the guide."""
START_S, STOP_S = 240.0, 120.0
"""How long a start and a stop may take on a machine that is very busy."""
TIMEOUT_S = 90.0
BASE = "/open311/v2"
READS = (f"{BASE}/requests.json?page_size=20", f"{BASE}/services.json", f"{BASE}/requests.xml?status=open")
PLACE = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414"}
MOST_S = 600.0
"""The load ends after this time, even if the restarts are not over."""


def main() -> int:
    """Run, print what was found, and return 1 if a call failed or a report is lost or stored twice."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.rolling", description=__doc__)
    parser.add_argument("--reads", type=float, default=50.0, help="reads a second")
    parser.add_argument("--writes", type=float, default=5.0, help="reports a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="go on at least for this time")
    words = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="open311-rolling-")))
        cluster = stack.enter_context(Cluster(folder / "pg", bin_dir=find_binaries()))
        cluster.create_database(DATABASE)
        url = cluster.url(DATABASE)
        with closing(open_platform(Settings(database_url=url, jurisdictions=("demo",)))) as platform:
            with platform.database.transaction() as connection:
                migrate(connection)
            ensure_synced(platform)
        found = run(folder, url, reads=words.reads, writes=words.writes, seconds=words.seconds)
    sys.stdout.write(f"{found}\n")
    return 1 if found.faults else 0


@dataclass(frozen=True)
class Rolled:
    """The result. `statuses`: how often each status came, or each fault of a call that got no answer."""

    balancers: Sequence[str]
    restarts: int
    seconds: float
    statuses: Mapping[str, int]
    slowest_s: float
    acknowledged: int
    lost: Sequence[str]
    doubled: Sequence[str]
    unknown: Sequence[str]

    @property
    def faults(self) -> list[str]:
        """A sentence for each fault."""
        failed = {status: times for status, times in self.statuses.items() if status != "200"}
        found = [f"failed calls: {failed}"] if failed else []
        named = {"lost": self.lost, "stored twice": self.doubled, "stored, but not acknowledged": self.unknown}
        return found + [f"{len(reports)} reports {what}" for what, reports in named.items() if reports]

    def __str__(self) -> str:
        said = "; ".join(self.faults) or "no call failed, and each report is stored once"
        return (
            f"{sum(self.statuses.values())} calls through {' and '.join(self.balancers)}, of which"
            f" {self.acknowledged} were reports, during {self.restarts} restarts in {self.seconds:.0f} s,"
            f" the slowest in {self.slowest_s:.1f} s: {said}"
        )


def run(folder: Path, url: str, *, reads: float, writes: float, seconds: float = 0.0) -> Rolled:
    """Start everything, restart it under load, and compare what is stored with what was acknowledged.

    seconds  how long the load goes on at least; it goes on until all restarts are over
    """
    begun_at = time.monotonic()
    with ExitStack() as stack:
        ports = [free_port(), free_port()]
        parts = [
            *(Part(folder, url, f"host-{number}", "serve", port) for number, port in enumerate(ports)),
            *(Part(folder, url, f"worker-{number}", "worker") for number in range(2)),
        ]
        for part in parts:
            part.start()
            stack.callback(part.end)
            part.wait()
        names = installed()
        fronts = [stack.enter_context(balancing(name, folder / name, ports)) for name in names]
        with closing(open_platform(Settings(database_url=url, jurisdictions=("demo",)))) as platform:
            load = Load(fronts, add_key(platform, label="rolling", now=utc_now())[1])
            with load.running(reads, writes):
                load.go_on(50)
                for part in parts:
                    part.restart()
                load.go_on(50)
                until_s = begun_at + seconds
                while time.monotonic() < until_s:
                    load.go_on(20)
            with platform.database.reading() as connection:
                statement = "SELECT description FROM service_request"
                stored = Counter(connection.exec_driver_sql(statement).scalars())
    return Rolled(
        balancers=names,
        restarts=len(parts),
        seconds=time.monotonic() - begun_at,
        statuses=load.statuses,
        slowest_s=load.slowest_s,
        acknowledged=len(load.acknowledged),
        lost=sorted(load.acknowledged - stored.keys()),
        doubled=sorted(text for text, times in stored.items() if times > 1),
        unknown=sorted(stored.keys() - load.acknowledged),
    )


@dataclass
class Part:
    """A web host or a worker, with all its processes. `port` is that of a web host."""

    folder: Path
    url: str
    name: str
    command: str
    port: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start the process. It logs into a file."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OPEN311_")} | {
            "DATABASE_URL": self.url,
            "OPEN311_JURISDICTIONS": "demo",
            "OPEN311_PORT": str(self.port or 3111),
            "OPEN311_WORKERS": "1",
            "OPEN311_TRUSTED_PROXIES": "1",
            "OPEN311_POST_RATE": "",
            "OPEN311_DRAIN_S": str(DRAIN_S),
            "OPEN311_LOG_LEVEL": "warning",
            "OPEN311_DATA_DIR": str(self.folder / self.name),
            **self.variables,
        }
        words = [sys.executable, "-m", "open311", self.command]
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def wait(self) -> None:
        """Wait until a web host is ready. A worker is never waited for."""
        if self.port:
            until(self._is_ready, f"{self.name} to be ready", seconds=START_S)

    def restart(self) -> None:
        """Stop and start the process, as a service manager does. It must end by itself."""
        self.process.terminate()
        status = self.process.wait(STOP_S)
        assert status in (0, -signal.SIGTERM), f"{self.name} ended with {status}"  # a worker may still be starting
        self.start()
        self.wait()

    def end(self) -> None:
        """End the process, if it runs."""
        self.process.terminate()
        self.process.wait(STOP_S)

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class Load:
    """Calls at a fixed rate until the block of `running` ends, and their results.

    statuses      how often each status came; for calls without an answer, the class of the error
    acknowledged  the descriptions of the reports that got status 200
    slowest_s     the longest time of a call, from the time at which it was planned
    """

    def __init__(self, ports: Sequence[int], key: str) -> None:
        self._ports, self._key = ports, key
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self.statuses: Counter[str] = Counter()
        self.acknowledged: set[str] = set()
        self.slowest_s = 0.0

    @contextmanager
    def running(self, reads: float, writes: float) -> Iterator[None]:
        """Send `reads` reads and `writes` reports a second during the block."""
        plans = [(reads, 6, self._read), (writes, 2, self._write)]
        threads = [
            threading.Thread(target=self._send, args=(port, rate / len(self._ports) / senders, make))
            for rate, senders, make in plans
            for port in self._ports
            for _ in range(senders)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join()

    def go_on(self, calls: int) -> None:
        """Wait until `calls` more calls were made."""
        wanted = self.statuses.total() + calls
        until(lambda: self.statuses.total() >= wanted, "calls")

    def _send(self, port: int, per_second: float, make: Callable[[HTTPConnection, int], None]) -> None:
        begun_at = time.monotonic()
        connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        for turn in count():
            due_at = begun_at + turn / per_second
            if self._is_over.wait(max(0.0, due_at - time.monotonic())) or due_at > begun_at + MOST_S:
                break
            try:
                make(connection, turn)
            except (OSError, HTTPException) as error:
                connection.close()
                self._note(type(error).__name__)
            self.slowest_s = max(self.slowest_s, time.monotonic() - due_at)
        connection.close()

    def _read(self, connection: HTTPConnection, turn: int) -> None:
        connection.request("GET", READS[turn % len(READS)])
        answer = connection.getresponse()
        answer.read()
        self._note(_named(answer))

    def _write(self, connection: HTTPConnection, turn: int) -> None:
        text = f"{threading.get_ident()}, report {turn}"
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Api-Key": self._key}
        connection.request("POST", f"{BASE}/requests.json", urlencode(PLACE | {"description": text}), headers)
        answer = connection.getresponse()
        body = answer.read()
        self._note(_named(answer))
        if answer.status == 200 and json.loads(body)[0]["service_request_id"]:
            with self._lock:
                self.acknowledged.add(text)

    def _note(self, status: str) -> None:
        with self._lock:
            self.statuses[status] += 1


def _named(answer: HTTPResponse) -> str:
    """The status of an answer, and whether the balancer has given the answer itself."""
    return str(answer.status) + ("" if answer.getheader("X-Open311-Server") else " of the balancer")


if __name__ == "__main__":
    sys.exit(main())
