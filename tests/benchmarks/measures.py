"""The measurements: interleaved rounds, mixed load, memory, start-up, import and export."""

from __future__ import annotations

import csv
import json
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Protocol

from open311.embedded import Cluster
from tests.benchmarks.city import Chronicle
from tests.benchmarks.contestants import Contestant, Server, running
from tests.benchmarks.cpu import cpu_ns, ended_children_s, pss_kb
from tests.benchmarks.data import CITY, Data, city, make_empty, run_open311
from tests.benchmarks.load import HOST, TIMEOUT_S, Outcome, Refused, ask, drive, pace
from tests.benchmarks.workloads import READS_PER_S, WRITES_PER_S, Field, Workload, mixed

CONNECTIONS = 4
WARM_REQUESTS = 48
TRIAL_REQUESTS = 32
SETTLING_S = 1.0
"""The pause before a started server is stopped: a granian worker that is still starting can miss a SIGTERM."""
MIN_REQUESTS, MAX_REQUESTS = 12, 20_000
OPEN_DATA_COLUMNS = (
    *("Unique Key", "Created Date", "Closed Date", "Agency", "Agency Name", "Complaint Type", "Descriptor"),
    *("Incident Zip", "Incident Address", "City", "Status", "Resolution Description"),
    *("Resolution Action Updated Date", "Latitude", "Longitude"),
)


@dataclass(slots=True)
class Figures:
    """The results of one contestant with one workload.

    cpu_ms  CPU time per request of its processes and PostgreSQL, one figure for each round
    """

    cpu_ms: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    count: int = 0
    body_bytes: int = 0

    @property
    def middle_ms(self) -> float:
        return median(self.cpu_ms)

    def percentile_ms(self, share: int) -> float:
        """A percentile of all latencies, in ms; 0 if there are fewer than two."""
        if len(self.latencies) < 2:
            return 0.0
        return quantiles(self.latencies, n=100)[share - 1] * 1000


COPY = """
    COPY (
        SELECT r.service_request_id, r.status, r.status_notes, s.service_name, r.service_code, r.description,
            d.name, r.service_notice, r.requested_datetime, r.updated_datetime, r.expected_datetime, r.address,
            r.address_id, r.zipcode, r.lat, r.long, r.media_url
        FROM rival.request r JOIN rival.service s USING (service_code)
        JOIN rival.department d ON d.code = r.department_code
        ORDER BY r.requested_datetime, r.id
    ) TO STDOUT CSV HEADER
"""
Results = dict[str, dict[str, Figures]]
"""The figures by workload, then by contestant."""


class Runner(Protocol):
    """A contestant, or a pgbench script, that can be measured."""

    @property
    def name(self) -> str:
        """The name in the report."""

    def run(self, count: int) -> tuple[Outcome, float]:
        """Send `count` requests; returns the outcome and the CPU seconds."""


@dataclass(slots=True)
class HttpRunner:
    """A server that is called over HTTP with the requests of a workload.

    A run begins where the last one ended. If each run began with the first request, a process would still have the
    answers of the last run.

    others  other processes whose CPU time counts, such as a pooler
    """

    server: Server
    workload: Workload
    requests: Sequence[bytes]
    postmaster: int
    others: tuple[int, ...] = ()
    _sent: int = 0

    @property
    def name(self) -> str:
        return self.server.name

    def run(self, count: int) -> tuple[Outcome, float]:
        roots = (self.server.pid, self.postmaster, *self.others)
        first = self._sent % len(self.requests)
        requests = [*self.requests[first:], *self.requests[:first]]
        self._sent += count
        before = cpu_ns(roots)
        outcome = drive(self.server.port, requests, count=count, connections=CONNECTIONS)
        spent = (cpu_ns(roots) - before) / 1e9
        if set(outcome.statuses) != {self.workload.status}:
            raise Refused(f"{self.name}, {self.workload.name}: answered {outcome.statuses}")
        return outcome, spent


def compare_bodies(runners: Iterable[HttpRunner], workload: Workload) -> None:
    """Raise Refused if the contestants give different answers."""
    wanted: Any = None
    for runner in runners:
        answer = ask(runner.server.port, runner.requests[0])
        if answer.status != workload.status:
            raise Refused(f"{runner.name}, {workload.name}: {answer.status} {answer.body[:300]!r}")
        if not workload.compares or runner.server.contestant.targets or answer.body[:1] not in (b"[", b"{"):
            continue
        data = json.loads(answer.body)
        if wanted is None:
            wanted = data
        elif data != wanted:
            raise Refused(f"{runner.name}, {workload.name}: different content: {_difference(wanted, data)}")


def _difference(wanted: Any, found: Any) -> str:
    if len(wanted) != len(found):
        return f"{len(found)} items instead of {len(wanted)}"
    return next(f"{theirs} instead of {ours}" for ours, theirs in zip(wanted, found, strict=True) if ours != theirs)


def measure_round(runners: Sequence[Runner], figures: dict[str, Figures], *, number: int, cpu_s: float) -> None:
    """Measure one round of all runners in turn (A B C, then B C A, …), each for about `cpu_s` seconds of CPU.

    A trial in the first round finds the number of requests for this time. All rounds then use this number.
    """
    turn = number % len(runners)
    for runner in runners:
        result = figures.setdefault(runner.name, Figures())
        runner.run(min(result.count, WARM_REQUESTS) or WARM_REQUESTS)
        result.count = result.count or _count_for(runner, cpu_s)
    for runner in [*runners[turn:], *runners[:turn]]:
        result = figures[runner.name]
        outcome, spent = runner.run(result.count)
        result.cpu_ms.append(spent * 1000 / result.count)
        result.per_second.append(result.count / outcome.seconds)
        result.latencies += outcome.latencies
        result.body_bytes = outcome.body_bytes // result.count


def _count_for(runner: Runner, cpu_s: float) -> int:
    """The number of requests for this CPU time. Each trial is longer, because the first requests are expensive."""
    number = TRIAL_REQUESTS
    while True:
        _, spent = runner.run(number)
        wanted = min(max(int(cpu_s * number / max(spent, 1e-6)), MIN_REQUESTS), MAX_REQUESTS)
        if wanted <= 2 * number:
            return wanted
        number = min(wanted, 8 * number)


@dataclass(frozen=True, slots=True)
class Mix:
    """The result of a mixed load at a fixed rate.

    A latency is in ms, from the time at which the call was planned.
    """

    p50: float
    p95: float
    p99: float
    slowest: float
    failed: int
    cpu_share: float


def measure_mix(field: Field, server: Server, seconds: float) -> Mix:
    """Measure 50 reads and 5 writes a second."""
    requests = mixed(field, server, writes=True)
    roots = (server.pid, field.data.postmaster)
    drive(server.port, list(islice(requests, 60)), count=60, connections=CONNECTIONS)
    before = cpu_ns(roots)
    outcome = pace(server.port, lambda: next(requests), per_second=READS_PER_S + WRITES_PER_S, seconds=seconds)
    spent = (cpu_ns(roots) - before) / 1e9
    parts = [second * 1000 for second in quantiles(outcome.latencies, n=100)]
    failed = sum(times for status, times in outcome.statuses.items() if status >= 400)
    failed += int(seconds * (READS_PER_S + WRITES_PER_S)) - outcome.count
    return Mix(parts[49], parts[94], parts[98], max(outcome.latencies) * 1000, failed, spent / outcome.seconds)


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of two workers and their parent processes, in MB: proportional and resident set size."""

    fresh: float
    half_way: float
    after: float
    rss_after: float
    requests: int


def measure_memory(field: Field, server: Server, count: int) -> Memory:
    """Measure the memory of a new server, and its memory after half of the mixed reads and after all."""
    requests = list(islice(mixed(field, server, writes=False), 2_000))
    seen = [pss_kb([server.pid])]
    for _ in range(2):
        drive(server.port, requests, count=count // 2, connections=CONNECTIONS)
        seen.append(pss_kb([server.pid]))
    fresh, half_way, after = (pss / 1024 for pss, _ in seen)
    return Memory(fresh, half_way, after, seen[-1][1] / 1024, count)


def measure_start(contestant: Contestant, environment: dict[str, str], log: Path, times: int) -> list[float]:
    """Seconds from the start of the process to its first answer."""
    starts = []
    for _ in range(times):
        begun_at = time.perf_counter()
        with running(contestant, environment, log):
            starts.append(time.perf_counter() - begun_at)
            time.sleep(SETTLING_S)  # granian gives no sign when a worker can be stopped
    return starts


@dataclass(frozen=True, slots=True)
class Import:
    """`open311 import` of the city's open data, one figure for each run."""

    rows: int
    seconds: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> list[float]:
        return [self.rows / seconds for seconds in self.seconds]


def measure_import(cluster: Cluster, data: Data, rows: int, folder: Path, times: int) -> Import:
    """Import a file in New York's format into an empty database; measured from start to end of the command."""
    file, result = folder / "import.csv", Import(rows)
    write_open_data(file, data, rows)
    try:
        for _ in range(times):
            _import(cluster, data, file, result)
    finally:
        file.unlink()
    return result


def _import(cluster: Cluster, data: Data, file: Path, result: Import) -> None:
    name = "bench_import"
    make_empty(cluster, name)
    before = cpu_ns([data.postmaster]), ended_children_s()
    begun_at = time.perf_counter()
    try:
        run_open311(["import", str(file), "--jurisdiction", CITY], cluster.url(name), timeout=900)
        result.seconds.append(time.perf_counter() - begun_at)
        result.cpu_s.append((cpu_ns([data.postmaster]) - before[0]) / 1e9 + ended_children_s() - before[1])
        with data.cursor(cluster.dsn(name)) as cursor:
            cursor.execute("SELECT count(*) FROM publication")
            if cursor.fetchone()[0] != result.rows:
                raise Refused("the import did not store all rows")
    finally:
        cluster.drop_database(name)


@dataclass(slots=True)
class Export:
    """Measurements of two exports of all requests: CSV over HTTP, and psql's COPY.

    One figure per round in each list.
    """

    rows: int = 0
    per_second: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    growth_mb: list[float] = field(default_factory=list)
    copy_per_second: list[float] = field(default_factory=list)


def measure_export(data: Data, server: Server, rounds: int) -> Export:
    """Measure the export and COPY in turn, first to warm up and then in rounds."""
    result, roots = Export(), (server.pid, data.postmaster)
    for number in range(rounds + 1):
        before, memory = cpu_ns(roots), pss_kb([server.pid])[0]
        seconds, result.rows, peak = _download(server, address_of_export())
        spent = (cpu_ns(roots) - before) / 1e9
        begun_at = time.perf_counter()
        subprocess.run(["psql", "-qX", data.dsn, "-c", COPY], stdout=subprocess.DEVNULL, check=True)
        copy_s = time.perf_counter() - begun_at
        if number:
            result.per_second.append(result.rows / seconds)
            result.cpu_s.append(spent)
            result.growth_mb.append((peak - memory) / 1024)
            result.copy_per_second.append(result.rows / copy_s)
    return result


def address_of_export() -> str:
    """The URL of GeoReport Bulk's CSV of the city."""
    return f"/open311/bulk/v1/requests.csv?jurisdiction_id={CITY}"


def _download(server: Server, target: str) -> tuple[float, int, int]:
    """Read a streamed answer without keeping it; returns the seconds, the rows and the peak memory in kB."""
    begun_at, size, peak, sampled_at = time.perf_counter(), 0, 0, 0.0
    connection = HTTPConnection(HOST, server.port, timeout=TIMEOUT_S)
    with closing(connection):
        connection.request("GET", target)
        answer = connection.getresponse()
        if answer.status != 200:
            raise Refused(f"{target}: {answer.status}")
        rows = int(answer.headers["X-Total-Count"])
        while block := answer.read(1 << 18):
            size += len(block)
            if time.perf_counter() - sampled_at > 0.5:
                peak, sampled_at = max(peak, pss_kb([server.pid])[0]), time.perf_counter()
    return time.perf_counter() - begun_at, rows, peak


def write_open_data(file: Path, data: Data, rows: int) -> None:
    """Write requests in the CSV format of NYC Open Data."""
    jurisdiction = city()
    chronicle = Chronicle(jurisdiction, -1, data.newest)
    start = data.newest - timedelta(days=365)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(OPEN_DATA_COLUMNS)
        for record in chronicle.records(start, data.newest, range(1, rows + 1)):
            zone = jurisdiction.zone
            street, _, town = record.place.address.rpartition(", ")
            closed = record.updated_at if record.status == "closed" else None
            writer.writerow(
                [
                    60_000_000 + record.number,
                    _american(record.requested_at.astimezone(zone)),
                    _american(closed.astimezone(zone)) if closed else "",
                    record.department,
                    jurisdiction.department(record.department).name,
                    record.service_code,
                    record.description,
                    record.place.zipcode,
                    street,
                    town,
                    "Closed" if closed else "In Progress",
                    record.status_notes,
                    _american(record.updated_at.astimezone(zone)),
                    record.place.lat,
                    record.place.long,
                ]
            )


def _american(moment: Any) -> str:
    return f"{moment:%m/%d/%Y %I:%M:%S %p}"
