"""Kills dispatcher, worker and PostgreSQL in turn while eight processes write. Finds lost and repeated changes.

`python -m tests.benchmarks.killing --changes 100000` uses its own cluster. It kills each part in turn with -9 and
restarts the part, until the writers are done. A witness, which is an additional consumer, writes a row for each
change that it gets. Afterwards the program checks that

    all changes that were confirmed to a writer are stored
    the witness got each change once, and the changes of each request in their order
    each token has one job
    the stored counts equal the counted requests
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import cycle
from pathlib import Path
from random import Random

from open311.cli.worker import worker
from open311.clock import utc_now
from open311.domain.access import SHELL
from open311.domain.events import Received
from open311.domain.requests import Status, Submission
from open311.embedded import Cluster, find_binaries
from open311.errors import Unavailable
from open311.operations.dispatch import consumers
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.intake.submit_request import submit_request
from open311.operations.platform import Platform, open_platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.plugins import Jurisdiction
from open311.settings import Settings
from open311.storage import counts
from open311.storage.migrations import migrate
from open311.storage.outbox import backlog
from tests import build
from tests.benchmarks.contestants import ROOT
from tests.operations.witness import Witness, happened, seen, witnessed

HOME = ROOT / "var" / "pg-killing"
DATABASE = "killing"
LIFE_S = (0.0, 3.0)
"""The minimum and maximum time between the restart of dispatching and the kill of the next part."""
PAUSE_S = 0.1
NOTES = 4
"""The average number of changes of a request after its submission."""
SHARED = "KILLING_SHARED"
"""The environment variable with the ids of the requests that all writers change."""


def main() -> int:
    """Run the part named by the first argument; without an argument, run everything."""
    parts: dict[str, Callable[..., None]] = {"write": _write, "dispatch": _dispatch, "work": _work}
    if sys.argv[1:2] and sys.argv[1] in parts:
        parts[sys.argv[1]](*sys.argv[2:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=100_000)
    parser.add_argument("--writers", type=int, default=8)
    words = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the started processes end too
    with Cluster(HOME, bin_dir=find_binaries()) as cluster:
        cluster.drop_database(DATABASE)
        cluster.create_database(DATABASE)
        try:
            return _run(cluster, words.changes, words.writers)
        finally:
            cluster.drop_database(DATABASE)


def _run(cluster: Cluster, changes: int, writers: int) -> int:
    settings = Settings(database_url=cluster.url(DATABASE), jurisdictions=("demo",))
    environment = os.environ | {"DATABASE_URL": settings.database_url, "OPEN311_JURISDICTIONS": "demo"}
    platform = open_platform(settings)
    with platform.database.transaction() as connection:
        migrate(connection)
    ensure_synced(platform)
    (city,) = platform.registry
    environment[SHARED] = " ".join(_shared(platform, city))
    started = time.monotonic()
    with witnessed(platform.database), tempfile.TemporaryDirectory() as folder:
        kills = _kill(platform, cluster, environment, changes, writers, Path(folder))
        written_s = time.monotonic() - started
        _say(f"written in {written_s:.0f} s; killed: {kills}; waiting: {_waiting(platform)}")
        begin = time.monotonic()
        while dispatch(_with_witness(platform), utc_now()):
            pass
        _say(f"the rest dispatched in {time.monotonic() - begin:.1f} s")
        faults = list(_faults(platform, Path(folder)))
        for fault in faults:
            _say(fault)
        total = sum(map(len, seen(platform).values()))
    platform.close()
    _say(f"{total} changes by {writers} writers: {'FAULTS' if faults else 'no change lost or repeated'}")
    return 1 if faults else 0


def _shared(platform: Platform, city: Jurisdiction) -> list[str]:
    """Send twenty requests; returns their ids."""
    ids, random = list[str](), Random(1)
    while len(ids) < 20:
        _send(platform, city, random, ids)
    return ids


def _delivered(platform: Platform) -> int:
    """The number of changes that the witness got, including changes in transactions that were rolled back."""
    with platform.database.reading() as connection:
        return int(connection.exec_driver_sql("SELECT last_value FROM witnessed_id_seq").scalar_one())


def _kill(
    platform: Platform, cluster: Cluster, environment: dict[str, str], changes: int, writers: int, folder: Path
) -> dict[str, int]:
    """Kill the parts in turn while the writers write. Returns how often each part was killed."""
    random, delivered = Random(311), partial(_delivered, platform)
    kills = {"dispatch": 0, "work": 0, "PostgreSQL": 0}
    with ExitStack() as stack:
        running = [
            stack.enter_context(_started(environment, "write", str(number), str(changes // writers), str(folder)))
            for number in range(writers)
        ]
        parts = {name: stack.enter_context(_started(environment, name)) for name in ("dispatch", "work")}
        for name in cycle(kills):
            before, until = delivered(), 0.0
            while not until or time.monotonic() < until:
                time.sleep(PAUSE_S)
                if all(one.poll() is not None for one in running):
                    break
                if not until and delivered() > before:  # dispatching works again after the last kill
                    until = time.monotonic() + random.uniform(*LIFE_S)
                for other, part in parts.items():
                    if part.poll() is not None:  # it was killed, or ended because PostgreSQL was killed
                        parts[other] = stack.enter_context(_started(environment, other))
            if all(one.poll() is not None for one in running):
                break
            if name == "PostgreSQL":
                os.kill(int((HOME / "data" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
                cluster.ensure_running()
            else:
                parts[name].kill()
                parts[name].wait()
            kills[name] += 1
        if any(one.returncode for one in running):
            raise RuntimeError("a writer failed")
    return kills


@contextmanager
def _started(environment: dict[str, str], *words: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.killing", *words], cwd=ROOT, env=environment
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _faults(platform: Platform, folder: Path) -> Iterator[str]:
    stored, delivered, numbers = happened(platform), seen(platform), _numbers(platform)
    confirmed = [line.split() for file in folder.iterdir() for line in file.read_text().splitlines()]
    lost = [
        (name, version) for name, version in confirmed if int(version) not in stored.get(numbers.get(name, 0), ())
    ]
    if lost:
        yield f"{len(lost)} changes were confirmed to a writer, but are not stored: {lost[:5]}"
    wrong = {number for number in stored.keys() | delivered.keys() if stored.get(number) != delivered.get(number)}
    if wrong:
        yield f"{len(wrong)} requests: the witness got other changes than were stored: {sorted(wrong)[:5]}"
    with platform.database.snapshot() as connection:
        if counts.corrections(connection) or counts.stored_counts(connection) != counts.true_counts(connection):
            yield f"counts are wrong: {counts.corrections(connection)}"
        jobs = connection.exec_driver_sql(
            "SELECT count(*), count(DISTINCT args->>'token'), (SELECT count(*) FROM request_event"
            f" WHERE kind = '{Received.kind}' AND (data->>'needs_id')::boolean)"
            " FROM procrastinate_jobs WHERE task_name = 'resolve'"
        ).one()
    _say(f"jobs for tokens: {jobs[0]}, tokens: {jobs[2]}")
    if len(set(jobs)) != 1:
        yield f"number of jobs, of tokens with a job, and of tokens: {tuple(jobs)}"


def _numbers(platform: Platform) -> dict[str, int]:
    """The numbers of requests, by their ids and tokens."""
    with platform.database.reading() as connection:
        rows = connection.exec_driver_sql(
            "SELECT service_request_id, id FROM service_request WHERE service_request_id IS NOT NULL"
            " UNION ALL SELECT token, request_id FROM request_token"
        )
        return {row.service_request_id: row.id for row in rows}


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _waiting(platform: Platform) -> int:
    with platform.database.reading() as connection:
        changes = backlog(connection)
    return changes.waiting + changes.held


# --- The parts to kill


def _with_witness(platform: Platform) -> Platform:
    if not any(consumer.name == "witness" for consumer in consumers.CONSUMERS):
        consumers.CONSUMERS = (*consumers.CONSUMERS, Witness())
    return platform


def _dispatch() -> None:
    """Run a separate dispatcher, which competes with the worker's dispatcher."""
    platform = _with_witness(open_platform(Settings.from_environ()))
    with suppress(Unavailable):
        while True:
            if not dispatch(platform, utc_now()):
                time.sleep(PAUSE_S)


def _work() -> None:
    """Run `open311 worker` with one additional consumer."""
    consumers.CONSUMERS = (*consumers.CONSUMERS, Witness())
    os.environ["OPEN311_LOG_LEVEL"] = "error"
    worker.main([], standalone_mode=True)


def _write(number: str, changes: str, folder: str) -> None:
    """Send requests and change them; write a line to a file for each change confirmed as stored."""
    platform, random = open_platform(Settings.from_environ()), Random(number)
    (city,) = platform.registry
    own: list[str] = []
    done = 0
    with (Path(folder) / number).open("w", buffering=1) as confirmations:
        while done < int(changes):
            try:
                if not own or random.random() < 1 / (NOTES + 1):
                    confirmations.write(f"{_send(platform, city, random, own)} 1\n")
                else:
                    name = random.choice(own if random.random() < 0.8 else os.environ[SHARED].split())
                    confirmations.write(f"{name} {_change(platform, city, random, name)}\n")
                done += 1
            except Unavailable:  # it is unknown whether the change was stored
                time.sleep(PAUSE_S)
    platform.close()


def _send(platform: Platform, city: Jurisdiction, random: Random, own: list[str]) -> str:
    """Send a request; returns its id or its token."""
    service = random.choice(("potholes", "potholes", "trees"))
    lat, long = str(60.1718 + random.uniform(-0.01, 0.01)), "24.9414"
    submission = Submission(service_code=service, lat=lat, long=long, description="Something is broken.")
    receipt = submit_request(platform, submission, jurisdiction=city, principal=SHELL, now=utc_now())
    if receipt.service_request_id:
        own.append(receipt.service_request_id)
    return receipt.service_request_id or receipt.token


def _change(platform: Platform, city: Jurisdiction, random: Random, name: str) -> int:
    """Change a request; returns its new version."""
    status = random.choice(list(Status))
    department = random.choice(("streets", "parks", "port"))
    to = department if status is Status.OPEN else None  # a closed request is not transferred
    note = f"note {random.random()}"
    changed = build.change(platform, name, note=note, status=status, department=to, now=utc_now(), city=city)
    return changed.version


if __name__ == "__main__":
    sys.exit(main())
