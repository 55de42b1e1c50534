"""The second part of `make break`: sends POSTs while processes are killed and the database fails.

Clients send POSTs all the time, with and without `Idempotency-Key`. Each POST has its own text. During this time,
the program causes and ends one fault after the other. Afterwards the program checks that

    each POST that was accepted is stored once
    each POST with a key is stored once; its client repeats the POST until it is accepted
    every other answer was a 503 with Retry-After; connections broke only while web processes were killed
    a POST was accepted again within `RECOVERY_S` after each fault
    /readyz said what was wrong, and reads were answered where only writes fail

It uses its own cluster and takes about two minutes. The faults of the disk need a second cluster on a small
file system, which only root can mount. They take half a minute.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event, Lock
from urllib.parse import urlencode

import psycopg2

from open311.embedded import Cluster, find_binaries
from tests.benchmarks.contestants import ROOT
from tests.disks import fill, small_disk
from tests.processes import children

HOME = ROOT / "var" / "pg-enduring"
LOG = ROOT / "var" / "enduring.log"
"""What the server logs, so that an answer that should not be can be explained."""
SMALL_DISK = ROOT / "var" / "small-disk"
SMALL_DISK_BYTES = 512_000_000
WAL_SEGMENT_BYTES = 16_000_000
DATABASE = "enduring"
PORT = 3197
CLIENTS = 6
FAULT_S = 6.0
"""Seconds that a fault lasts. The faults sleep, because no event ends them; their duration is part of the test."""
CALM_S = 3.0
RECOVERY_S = 20.0
TIMEOUT_S = 30.0
PAUSE_S = 0.05
FAULT = "FAULT"
SETTINGS = {
    "OPEN311_JURISDICTIONS": "demo",
    "OPEN311_POST_RATE": "100000000 per minute",
    "OPEN311_STATEMENT_TIMEOUT_MS": "3000",
    "OPEN311_LOG_LEVEL": "error",
}


@dataclass(slots=True)
class Ledger:
    """The texts that the clients sent, and the answers that they got.

    accepted  texts of POSTs that got a 200
    keyed     those accepted texts that were sent with an Idempotency-Key
    unknown   texts of POSTs without a key whose connection broke, so that these POSTs may or may not be stored
    answers   the number of answers with each status during each fault; the status 0 is a broken connection
    unclean   answers that are neither 200 nor a 503 with Retry-After
    reads     the number of answers with each status to reads of a list, during each fault
    said      the checks of /readyz that failed during each fault
    """

    accepted: set[str] = field(default_factory=set)
    keyed: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    answers: dict[str, Counter[int]] = field(default_factory=dict)
    unclean: Counter[str] = field(default_factory=Counter)
    reads: dict[str, Counter[int]] = field(default_factory=dict)
    said: dict[str, set[str]] = field(default_factory=dict)
    fault: str = "none"
    last_accepted_at: float = 0.0
    lock: Lock = field(default_factory=Lock)

    def note(self, text: str, status: int, retry_after: str | None, *, is_keyed: bool) -> None:
        """Record an answer."""
        with self.lock:
            self.answers.setdefault(self.fault, Counter())[status] += 1
            if status == 200:
                self.accepted.add(text)
                self.keyed |= {text} if is_keyed else set()
                self.last_accepted_at = time.monotonic()
            elif status == 0 and not is_keyed:
                self.unknown.add(text)
            elif status not in (0, 503) or (status == 503 and not retry_after):
                self.unclean[f"{status} during: {self.fault}"] += 1


@dataclass(frozen=True, slots=True)
class Place:
    """The target of the faults: the cluster, a superuser's connection string, and the server's process id."""

    cluster: Cluster
    dsn: str
    server: int

    @property
    def ballast(self) -> Path:
        """The file that fills the disk of the cluster."""
        return self.cluster.home / "ballast"


Fault = Callable[[Place], None]
"""Causes a fault, and returns when it is over."""


def let_last(seconds: float = FAULT_S) -> None:
    """Wait for the duration of a fault. There is no event to wait for, because only the time ends the fault."""
    time.sleep(seconds)  # only the time ends a fault


def kill_web_processes(place: Place) -> None:
    """Kill every web process, twice."""
    for _ in range(2):
        for pid in children(place.server):
            os.kill(pid, signal.SIGKILL)
        let_last(FAULT_S / 2)


def kill_postgres(place: Place) -> None:
    """Kill PostgreSQL, and start it again after a while."""
    os.kill(int((place.cluster.home / "data" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
    let_last(FAULT_S / 2)
    place.cluster.ensure_running()


def hold_lock(place: Place) -> None:
    """Keep a lock that every POST needs."""
    with _session(place.dsn) as cursor:
        cursor.execute("BEGIN; LOCK TABLE service_request IN ACCESS EXCLUSIVE MODE")
        let_last()
        cursor.execute("ROLLBACK")


def slow_down(place: Place) -> None:
    """Let every POST take a second."""
    with _session(place.dsn) as cursor:
        cursor.execute(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_sleep(1); RETURN NEW; END';"
            "CREATE TRIGGER dawdle BEFORE INSERT ON service_request FOR EACH ROW EXECUTE FUNCTION dawdle()"
        )
        let_last()
        cursor.execute("DROP FUNCTION dawdle() CASCADE")


def forbid_writes(place: Place) -> None:
    """Make the database read-only for new sessions, and end all sessions."""
    with _session(place.dsn) as cursor:
        cursor.execute(f"ALTER DATABASE {DATABASE} SET default_transaction_read_only = on")
        _end_sessions(cursor)
        let_last()
        cursor.execute(f"ALTER DATABASE {DATABASE} RESET default_transaction_read_only")


def take_connections(place: Place) -> None:
    """End all sessions, and allow no new ones."""
    with _session(place.dsn) as cursor:
        cursor.execute(f"ALTER DATABASE {DATABASE} CONNECTION LIMIT 0")
        _end_sessions(cursor)
        let_last()
        cursor.execute(f"ALTER DATABASE {DATABASE} CONNECTION LIMIT -1")


def fill_disk(place: Place) -> None:
    """Fill the disk, so that no table can grow."""
    _stay_full(place)


def fill_disk_of_log(place: Place) -> None:
    """Fill the disk, and use up the write-ahead log. PostgreSQL panics, and ends if it cannot recover."""
    fill(place.ballast)
    message = f"SELECT pg_logical_emit_message(false, 'enduring', repeat('x', {WAL_SEGMENT_BYTES}))"
    is_up = True
    while is_up:
        try:
            with _session(place.dsn) as cursor:
                cursor.execute(message)
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            is_up = False
    _stay_full(place)
    place.cluster.ensure_running()


def _stay_full(place: Place) -> None:
    """Keep the disk full for the duration of a fault, even if PostgreSQL frees space. Then free the disk."""
    begun_at = time.monotonic()
    while time.monotonic() < begun_at + FAULT_S:
        fill(place.ballast)
        let_last(PAUSE_S)
    place.ballast.unlink()


FAULTS: Mapping[str, Fault] = {
    "web processes are killed": kill_web_processes,
    "PostgreSQL is killed": kill_postgres,
    "a lock is held": hold_lock,
    "the database is slow": slow_down,
    "the database is read-only": forbid_writes,
    "no connection is free": take_connections,
}
DISK_FAULTS: Mapping[str, Fault] = {
    "the disk is full": fill_disk,
    "the disk is full, and the log needs it": fill_disk_of_log,
}
BREAKING = {"web processes are killed"}
"""Only during these faults may connections of clients break."""
READABLE = {"the database is read-only", "the disk is full"}
"""Faults during which reads are answered, and the check `writes` of /readyz fails."""


def run() -> list[str]:
    """Cause all faults. Returns the lines of a page. A line that begins with `FAULT` says what went wrong."""
    LOG.parent.mkdir(exist_ok=True)
    LOG.write_bytes(b"")
    ledger = Ledger()
    late, stored = _endure(HOME, FAULTS, ledger)
    try:
        with small_disk(SMALL_DISK, SMALL_DISK_BYTES):
            more_late, more_stored = _endure(SMALL_DISK / "pg", DISK_FAULTS, ledger)
    except PermissionError:
        return [*_page(ledger, late, stored), "Not tested: a full disk. Only root can mount a small file system."]
    return list(_page(ledger, late + more_late, stored + more_stored))


def _endure(home: Path, faults: Mapping[str, Fault], ledger: Ledger) -> tuple[list[str], Counter[str]]:
    """Cause faults in a cluster. Returns the faults after which no POST was accepted in time, and stored texts."""
    with Cluster(home, bin_dir=find_binaries()) as cluster, ExitStack() as stack:
        cluster.drop_database(DATABASE)
        cluster.create_database(DATABASE)
        environment = os.environ | SETTINGS | {"DATABASE_URL": cluster.url(DATABASE)}
        _open311(environment, "db", "migrate")
        key = _open311(environment, "keys", "add", "--label", "enduring").strip().splitlines()[-1]
        dsn = cluster.dsn(DATABASE).replace("user=open311", "user=postgres")
        place = Place(cluster, dsn, stack.enter_context(_served(environment)))
        return _cause_all(place, faults, key, ledger), _stored(place.dsn)


def _cause_all(place: Place, faults: Mapping[str, Fault], key: str, ledger: Ledger) -> list[str]:
    """Send POSTs during all faults. Returns the faults after which no POST was accepted in time."""
    late, is_over = [], Event()
    prefix = f"{place.cluster.home.parent.name}, "
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        clients = [
            pool.submit(_send_until, is_over, f"{prefix}client {number}", key, ledger) for number in range(CLIENTS)
        ]
        clients.append(pool.submit(_watch_until, is_over, ledger))
        try:
            for name, cause in faults.items():
                ledger.fault = name
                cause(place)
                if not _recovers(ledger):
                    late.append(name)
                ledger.fault = "none"
                time.sleep(CALM_S)  # the pace of the faults
        finally:
            is_over.set()
        for client in clients:
            client.result()
    return late


def _recovers(ledger: Ledger) -> bool:
    over_at = time.monotonic()
    while time.monotonic() < over_at + RECOVERY_S:
        if ledger.last_accepted_at > over_at:
            return True
        time.sleep(PAUSE_S)  # another thread posts; its next accepted POST shows the recovery
    return False


def _watch_until(is_over: Event, ledger: Ledger) -> None:
    """Read a list of requests and /readyz, one after the other."""
    while not is_over.is_set():
        fault = ledger.fault
        status, _ = _get("/open311/v2/requests.json?page_size=1")
        _, body = _get("/readyz")
        if fault == ledger.fault:  # otherwise the fault changed between the calls, and the answers are ambiguous
            ledger.reads.setdefault(fault, Counter())[status] += 1
            checks = json.loads(body)["checks"] if body else {}
            failed = {name for name, check in checks.items() if not check["ok"]}
            ledger.said.setdefault(fault, set()).update(failed)
        time.sleep(PAUSE_S)  # the pace of the calls of /readyz


def _get(path: str) -> tuple[int, bytes]:
    """The status and the body of an answer; 0 for a broken connection."""
    connection = HTTPConnection("127.0.0.1", PORT, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, HTTPException):
        return 0, b""
    finally:
        connection.close()


def _send_until(is_over: Event, client: str, key: str, ledger: Ledger) -> None:
    """Send one POST after the other. A POST with a key is sent until it is accepted."""
    number = 0
    while not is_over.is_set():
        number += 1
        text, is_keyed = f"{client}, number {number}", number % 2 == 0
        while True:
            status, retry_after = _post(text, key, is_keyed=is_keyed)
            ledger.note(text, status, retry_after, is_keyed=is_keyed)
            if status != 200:
                time.sleep(PAUSE_S)  # a client waits before it tries again
            if status == 200 or not is_keyed:
                break


def _post(text: str, key: str, *, is_keyed: bool) -> tuple[int, str | None]:
    """Send a POST on a new connection. Returns the status and Retry-After. The status 0 is a broken connection."""
    form = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414", "description": text}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Api-Key": key}
    headers |= {"Idempotency-Key": text.replace(" ", "-").replace(",", "")} if is_keyed else {}
    connection = HTTPConnection("127.0.0.1", PORT, timeout=TIMEOUT_S)
    try:
        connection.request("POST", "/open311/v2/requests.json", urlencode(form), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers["Retry-After"]
    except (OSError, HTTPException):
        return 0, None
    finally:
        connection.close()


def _page(ledger: Ledger, late: list[str], stored: Counter[str]) -> Iterator[str]:
    yield ""
    yield "| Fault | accepted | 503 | broken connections | reads answered | checks of /readyz that failed |"
    yield "|---|---|---|---|---|---|"
    for name, answers in ledger.answers.items():
        reads, said = ledger.reads.get(name, Counter()), ", ".join(sorted(ledger.said.get(name, ())))
        read = f"{reads[200]} of {reads.total()}"
        yield f"| {name} | {answers[200]} | {answers[503]} | {answers[0]} | {read} | {said or 'none'} |"
    yield ""
    lost = ledger.accepted - stored.keys()
    doubled = [text for text, times in stored.items() if times > 1]
    yield f"{len(ledger.accepted)} POSTs were accepted: {len(lost)} lost, {len(doubled)} stored twice."
    if lost or doubled:
        yield f"{FAULT}: {sorted(lost)[:5]} {doubled[:5]}"
    if strange := stored.keys() - ledger.accepted - ledger.unknown:
        yield f"{FAULT}: stored although refused: {sorted(strange)[:5]}"
    for answer, times in ledger.unclean.items():
        yield f"{FAULT}: {times} answers {answer}; see {LOG.relative_to(ROOT)}"
    for name, answers in ledger.answers.items():
        if answers[0] and name not in BREAKING:
            yield f"{FAULT}: {answers[0]} connections broke while: {name}"
    for name in READABLE & ledger.answers.keys():
        if refused := ledger.reads[name].total() - ledger.reads[name][200]:
            yield f"{FAULT}: {refused} reads were refused while: {name}"
        if "writes" not in ledger.said[name]:
            yield f"{FAULT}: /readyz did not tell that writes fail while: {name}"
    for name in late:
        yield f"{FAULT}: no POST was accepted within {RECOVERY_S:.0f} s after: {name}"


def _stored(dsn: str) -> Counter[str]:
    with _session(dsn) as cursor:
        cursor.execute("SELECT description, count(*) FROM service_request GROUP BY 1")
        return Counter(dict(cursor.fetchall()))


def _end_sessions(cursor: psycopg2.extensions.cursor) -> None:
    cursor.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


@contextmanager
def _session(dsn: str) -> Iterator[psycopg2.extensions.cursor]:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        yield connection.cursor()
    finally:
        connection.close()


def _open311(environment: Mapping[str, str], *words: str) -> str:
    command = [sys.executable, "-m", "open311", *words]
    done = subprocess.run(command, env=environment, cwd=ROOT, text=True, capture_output=True, check=True)
    return done.stdout


@contextmanager
def _served(environment: Mapping[str, str]) -> Iterator[int]:
    """The process of `open311 serve`, once it answers."""
    command = [sys.executable, "-m", "open311", "serve", "--port", str(PORT)]
    with (
        LOG.open("ab") as log,
        subprocess.Popen(command, env=environment, cwd=ROOT, stderr=log) as server,
    ):
        try:
            begun_at = time.monotonic()
            while not _answers():
                if server.poll() is not None or time.monotonic() > begun_at + RECOVERY_S:
                    raise RuntimeError("the server does not start")
                time.sleep(PAUSE_S)
            yield server.pid
        finally:
            server.terminate()
            server.wait(RECOVERY_S)


def _answers() -> bool:
    connection = HTTPConnection("127.0.0.1", PORT, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.stdout.write("\n".join(run()) + "\n")
